"""Objects of one's own on the simulated SPI bus: Board.attach_spi()."""

from __future__ import annotations

import errno
import gc
import warnings
import weakref

import pytest

from pyasync_hw import sim, spi
from pyasync_hw.spi import Transfer


class Echo:
    """Answers each byte's complement, and keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def transfer(self, data: bytes) -> bytes:
        self.frames.append(data)
        return bytes(byte ^ 0xFF for byte in data)


class Mcp3008(Echo):
    """An ADC with 8 channels of 10 bits (Microchip DS21295, figure 6-1)."""

    modes = (0, 3)
    max_speed_hz = 3_600_000

    def transfer(self, data: bytes) -> bytes:
        value = 100 * (data[1] >> 4 & 7) if data[0] == 1 else 0
        return bytes([0, value >> 8, value & 0xFF])


def test_a_part_answers_each_frame(hw_board: sim.Board) -> None:
    echo = Echo()
    hw_board.attach_spi(0, 1, echo)
    with spi.Device("spi0.1") as device:
        assert device.blocking.transfer(b"\x01\x02") == b"\xfe\xfd"
        answers = device.blocking.message([b"\x01", Transfer(b"\x02", cs_change=True), b"\x03\x04"])
        assert answers == [b"\xfe", b"\xfd", b"\xfc\xfb"]
        long = bytes(range(200))
        assert device.blocking.transfer(long) == bytes(byte ^ 0xFF for byte in long)
    assert echo.frames == [b"\x01\x02", b"\x01\x02", b"\x03\x04", long]


def test_it_hears_its_own_modes_and_speeds(hw_board: sim.Board) -> None:
    hw_board.attach_spi(0, 0, Mcp3008())
    ask = bytes([1, (8 + 5) << 4, 0])
    with spi.Device("spi0.0", speed_hz=1_000_000) as device:
        assert device.blocking.transfer(ask) == bytes([0, 1, 244])
        device.core.mode = 3
        assert device.blocking.transfer(ask) == bytes([0, 1, 244])
        with pytest.warns(RuntimeWarning, match=r"Mcp3008 .* on spi0\.0 does not hear 4000000 Hz"):
            assert device.blocking.message([Transfer(ask, speed_hz=4_000_000)]) == [bytes(3)]
        assert device.blocking.message([Transfer(ask, speed_hz=4_000_000)]) == [bytes(3)]  # once
        device.core.mode = 1
        assert device.blocking.transfer(ask) == bytes(3)


def test_a_part_that_does_not_understand_says_so_once(hw_board: sim.Board) -> None:
    adc = hw_board.attach(sim.MCP3008("spi0.1"))
    with spi.Device("spi0.1", speed_hz=1_000_000, mode=1) as device:
        with (
            warnings.catch_warnings(action="error"),
            pytest.raises(RuntimeWarning, match=r"MCP3008 .* does not understand SPI mode 1"),
        ):
            device.blocking.transfer(b"\1\x80\0")
        assert device.blocking.transfer(b"\1\x80\0") == bytes(3)
        device.mode = 0
        adc.set(0, 3.3)
        assert device.blocking.transfer(b"\1\x80\0") == b"\0\3\xff"


def test_a_chip_select_has_one_part(hw_board: sim.Board) -> None:
    hw_board.attach_rc522("spi0.0")
    hw_board.attach_spi(0, 1, Echo())
    for cs in (0, 1):
        with pytest.raises(OSError, match="already") as info:
            hw_board.attach_spi(0, cs, Echo())
        assert info.value.errno == errno.EBUSY
    with pytest.raises(OSError, match="already"):
        hw_board.attach_rc522("spi0.1", irq=None, reset=None)


def test_bad_parts(hw_board: sim.Board) -> None:
    with pytest.raises(TypeError, match="transfer"):
        hw_board.attach_spi(0, 0, object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"spi7\.0"):
        hw_board.attach_spi(7, 0, Echo())
    for name, value in (("modes", (4,)), ("max_speed_hz", 0), ("max_speed_hz", 1.5)):
        part = Echo()
        setattr(part, name, value)
        with pytest.raises(ValueError, match=name):
            hw_board.attach_spi(0, 0, part)
    hw_board.close()
    with pytest.raises(ValueError, match="closed"):
        hw_board.attach_spi(0, 0, Echo())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (KeyboardInterrupt, KeyboardInterrupt),
        (ZeroDivisionError, ZeroDivisionError),
        (OSError, OSError),
        (None, TypeError),
        (b"", ValueError),
        (b"toolong", ValueError),
    ],
)
def test_what_a_part_raises_the_message_raises(
    hw_board: sim.Board, answer: object, error: type[BaseException]
) -> None:
    class Broken:
        def transfer(self, data: bytes) -> bytes:
            if isinstance(answer, type):
                raise answer
            return answer  # type: ignore[return-value]

    hw_board.attach_spi(0, 0, Broken())
    with spi.Device("spi0.0") as device:
        for _ in range(2):
            with pytest.raises(error):
                device.blocking.transfer(b"ab")


def test_a_part_moves_lines_and_cannot_send(hw_board: sim.Board) -> None:
    class Busy:
        def transfer(self, data: bytes) -> bytes:
            hw_board.line(17).drive(data[0])
            with pytest.raises(OSError) as info:
                device.blocking.transfer(b"a")
            assert info.value.errno == errno.EDEADLK
            return data

    hw_board.attach_spi(0, 0, Busy())
    with spi.Device("spi0.0") as device:
        for level in (1, 0):
            device.blocking.transfer(bytes([level]))
            assert hw_board.line(17).value == level


def test_a_board_drops_its_parts() -> None:
    class Knows(Echo):
        board: sim.Board

    for close in (True, False):
        board = sim.Board()
        part = Knows()
        part.board = board
        alive = weakref.ref(part)
        board.attach_spi(0, 0, part)
        if close:
            board.close()
        del board, part
        gc.collect()
        assert alive() is None
