"""Bad arguments: the error names the argument, and nothing is done with it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, hardware, rc522, sim, spi

UID = "a61d227e"
INF = float("inf")


def wait(board: sim.Board, timeout: Any) -> None:
    with gpio.Input(17, board=board) as line:
        line.blocking.wait_for_edge(timeout=timeout)


def edges(board: sim.Board, maxlen: Any) -> None:
    with gpio.Input(17, board=board) as line:
        line.edges(maxlen)


def set_value(board: sim.Board, value: Any) -> None:
    with gpio.Output(17, board=board) as line:
        line.value = value


def transfer(board: sim.Board, *settings: Any) -> None:
    with spi.Device(board=board) as device:
        device.blocking.message([(b"a", *settings)])  # type: ignore[list-item]


def set_speed(board: sim.Board, value: Any) -> None:
    with spi.Device(board=board) as device:
        device.speed_hz = value


def set_mode(board: sim.Board, value: Any) -> None:
    with spi.Device(board=board) as device:
        device.core.mode = value


def verb(board: sim.Board, name: str, *args: Any, **options: Any) -> None:
    board.attach_rc522().present(sim.MifareClassic1K(UID))
    with rc522.Reader(board=board) as reader:
        reader.blocking.wait_for_tag(1)
        getattr(reader.blocking, name)(*args, **options)


def tag_verb(board: sim.Board, name: str, *args: Any) -> None:
    board.attach_rc522().present(sim.MifareClassic1K(UID))
    with rc522.Reader(board=board) as reader:
        getattr(reader.blocking.wait_for_tag(1).blocking, name)(*args)


KEY = b"\xff" * 6
CASES: dict[str, tuple[type[Exception], str, Callable[[sim.Board], object]]] = {
    "clock start": (TypeError, "start must", lambda b: pyasync_hw.VirtualClock("x")),  # type: ignore[arg-type]
    "clock advance": (TypeError, "seconds must", lambda b: pyasync_hw.VirtualClock().advance("x")),  # type: ignore[arg-type]
    "pin": (TypeError, "a pin is", lambda b: gpio.Input([], board=b)),  # type: ignore[arg-type]
    "board of a line": (TypeError, "board must", lambda b: gpio.Input(17, board="x")),  # type: ignore[arg-type]
    "board of a device": (TypeError, "board must", lambda b: spi.Device(board=3)),  # type: ignore[arg-type]
    "board of a reader": (TypeError, "board must", lambda b: rc522.Reader(board=3)),  # type: ignore[arg-type]
    "board in use": (TypeError, "board must", lambda b: hardware.use(5)),  # type: ignore[arg-type]
    "default board": (TypeError, "board must", lambda b: hardware.set_default(5)),  # type: ignore[arg-type]
    "debounce": (
        TypeError,
        "debounce_period must",
        lambda b: gpio.Input(17, board=b, debounce_period="x"),  # type: ignore[arg-type]
    ),
    "first value": (ValueError, "value must", lambda b: gpio.Output(17, board=b, value="0")),  # type: ignore[arg-type]
    "value": (ValueError, "value must", lambda b: set_value(b, "0")),
    "timeout": (TypeError, "timeout must", lambda b: wait(b, "x")),
    "maxlen": (ValueError, "maxlen must", lambda b: edges(b, None)),
    "speed": (ValueError, "speed_hz must", lambda b: spi.Device(board=b, speed_hz="x")),  # type: ignore[arg-type]
    "speed too high": (ValueError, "speed_hz must", lambda b: spi.Device(board=b, speed_hz=2**32)),
    "mode": (ValueError, "mode must", lambda b: spi.Device(board=b, mode=2**40)),
    "speed set": (ValueError, "speed_hz must", lambda b: set_speed(b, -1)),
    "mode set": (TypeError, "mode must", lambda b: set_mode(b, "x")),
    "transfer speed": (ValueError, "speed_hz of a transfer", lambda b: transfer(b, 2**40)),
    "transfer delay": (ValueError, "delay_us of a transfer", lambda b: transfer(b, 0, 70000)),
    "transfer bits": (ValueError, "bits_per_word", lambda b: transfer(b, 0, 0, False, 300)),
    "reader speed": (ValueError, "speed_hz must", lambda b: rc522.Reader(board=b, speed_hz="x")),  # type: ignore[arg-type]
    "gain": (TypeError, "gain must", lambda b: verb(b, "configure", gain="x")),
    "level": (TypeError, "level must", lambda b: verb(b, "anticollision", "x")),
    "interval": (TypeError, "poll_interval", lambda b: verb(b, "wait_for_tag", poll_interval="x")),
    "block": (ValueError, "block must", lambda b: verb(b, "read", -1)),
    "block written": (TypeError, "block must", lambda b: verb(b, "write", "x", bytes(16))),
    "data that is a size": (TypeError, "data must", lambda b: verb(b, "write", 1, 16)),
    "key that is a size": (
        TypeError,
        "key must",
        lambda b: verb(b, "authenticate", 1, 6, bytes.fromhex(UID)),
    ),
    "tag that is a size": (TypeError, "tag must", lambda b: verb(b, "wait_for_removal", 4, 0.1)),
    "tag's block": (ValueError, "block must", lambda b: tag_verb(b, "read", "x")),
    "tag's key": (TypeError, "key must", lambda b: tag_verb(b, "authenticate", 1, "ffffff")),
    "tag's data": (TypeError, "data must", lambda b: tag_verb(b, "write", 1, "x" * 16)),
    "model": (ValueError, "no model", lambda b: sim.Board([])),  # type: ignore[arg-type]
    "version": (ValueError, "version must", lambda b: b.attach_rc522(version="x")),  # type: ignore[arg-type]
    "power_up of a field": (ValueError, "power_up must", lambda b: b.attach_rc522(power_up=-1)),
    "power_up": (ValueError, "power_up must", lambda b: sim.MifareClassic1K(UID, power_up="x")),  # type: ignore[arg-type]
    "write_time": (ValueError, "write_time", lambda b: sim.MifareClassic1K(UID, write_time=INF)),
    "UID that is a size": (ValueError, "uid must", lambda b: sim.MifareClassic1K(4)),  # type: ignore[arg-type]
    "atqa": (ValueError, "atqa must", lambda b: sim.Card(UID, atqa="ab")),  # type: ignore[arg-type]
    "sak": (ValueError, "sak must", lambda b: sim.Card(UID, sak=256)),
    "time": (
        TypeError,
        "at must",
        lambda b: b.attach_rc522().present(sim.MifareClassic1K(UID), at="x"),  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_error_names_the_argument(hw_board: sim.Board, case: str) -> None:
    kind, text, call = CASES[case]
    with pytest.raises(kind, match=text):
        call(hw_board)


def test_an_unplugged_board_is_named_as_such() -> None:
    with sim.Board() as board:
        board.attach_rc522()
        line, device, reader = gpio.Input(17), spi.Device("spi0.1"), rc522.Reader()
        reader.blocking.open()
        board.close()
        for call in (
            lambda: line.blocking.wait_for_edge(timeout=1),
            lambda: line.value,
            lambda: device.blocking.transfer(b"a"),
            reader.blocking.wait_for_tag,
        ):
            with pytest.raises(OSError, match="it was unplugged; open it anew") as caught:
                call()
            assert caught.value.errno in (errno.ENODEV, errno.ESHUTDOWN)
