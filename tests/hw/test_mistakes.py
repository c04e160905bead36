"""What users write by mistake is an error or a warning, not something else that is done."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, i2c, rc522, sim, spi

DEVICES: dict[str, Callable[[], Any]] = {
    "Input": lambda: gpio.Input(17),
    "Output": lambda: gpio.Output(17),
    "LED": lambda: gpio.LED(17),
    "Button": lambda: gpio.Button(17),
    "PWM": lambda: gpio.PWM(17, 50),
    "Chip": lambda: gpio.Chip("gpiochip0"),
    "LineRequest": lambda: gpio.request_lines("gpiochip0", {17: None}),
    "spi.Device": lambda: spi.Device("spi0.1"),
    "i2c.Bus": lambda: i2c.Bus("i2c-1"),
    "i2c.Device": lambda: i2c.Device("i2c-1", 0x20),
    "Reader": lambda: rc522.Reader("spi0.0"),
}


@pytest.mark.parametrize("kind", DEVICES)
def test_a_misspelt_setting(hw_board: sim.Board, kind: str) -> None:
    """Also of its blocking face; and one of gpiozero's, which means nothing here."""
    hw_board.attach_rc522()
    with DEVICES[kind]() as device:
        faces = {"it": device, "blocking": getattr(device, "blocking", device)}
        for face in faces.values():
            for name in ("vlaue", "max_speed_hz", "when_pressed"):
                with pytest.raises(AttributeError, match=name):
                    setattr(face, name, 1)


def test_a_class_of_ones_own_has_attributes_of_its_own(hw_board: sim.Board) -> None:
    class Lamp(gpio.LED):
        def __init__(self, spec: int, room: str) -> None:
            super().__init__(spec)
            self.room = room

    with Lamp(27, "hall") as lamp:
        lamp.on()
        assert (lamp.room, lamp.value) == ("hall", 1)


@pytest.mark.parametrize("name", ["hold_time", "double_click_time"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, ValueError),
        (float("nan"), ValueError),
        (10**400, ValueError),
        ("1", TypeError),
        (None, TypeError),
    ],
)
def test_a_time_of_a_button_that_cannot_be(
    hw_board: sim.Board, name: str, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"{name} must be"):
        gpio.Button(17, **{name: value})
    with gpio.Button(17) as button:  # and nobody has the line
        before = getattr(button, name)
        with pytest.raises(error, match=f"{name} must be"):
            setattr(button, name, value)
        assert getattr(button, name) == before


@pytest.mark.parametrize(
    "opened",
    [
        lambda: gpio.Input(17, debounce_period=200),
        lambda: gpio.Button(17, bounce_time=200),
    ],
)
def test_a_bounce_time_in_milliseconds(
    hw_board: sim.Board, opened: Callable[[], gpio.Input]
) -> None:
    with pytest.warns(RuntimeWarning, match=r"200 seconds; of milliseconds .* 0\.2") as caught:
        opened().close()
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gpio.Button(17, bounce_time=0.2).close()


def test_what_one_setting_cannot_be_is_named(hw_board: sim.Board) -> None:
    for frequency, duty, text in (
        ("50", 0, "frequency must be a number, not '50'"),
        (50, None, "duty must be a number, not None"),
    ):
        with pytest.raises(TypeError, match=text):
            gpio.PWM(18, frequency, duty=duty)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"frequency must be 0\.001 to 1e\+06"):
        gpio.PWM(18, 10**400)
    with pytest.raises(ValueError, match=r"duty must be 0 to 1, not 7\.5"):
        gpio.PWM(18, 50, duty=7.5)
    with pytest.raises(OSError, match="the controller can't do this mode or speed"):
        spi.Device("spi0.0", lsb_first=True)


class Register(sim.I2CPart):
    address = 0x48


def both_ways(device: Any, verb: str, *arguments: Any) -> list[Exception]:
    """What a blocking verb raises, and what the awaited one does."""
    raised: list[Exception] = []
    try:
        getattr(device.blocking, verb)(*arguments)
    except TypeError as exc:
        raised.append(exc)

    async def main() -> None:
        await getattr(device, verb)(*arguments)

    try:
        pyasync_hw.run(main())
    except TypeError as exc:
        raised.append(exc)
    return raised


@pytest.mark.parametrize(
    ("verb", "arguments", "text"),
    [
        ("write", (5,), "what is written is bytes, not 5; for one byte write bytes([5])"),
        ("write_read", (0, 1), "what is written is bytes, not 0; for one byte write bytes([0])"),
        ("write", ("a",), "what is written is bytes, not 'a'"),
        ("write", ([1, 2],), "what is written is bytes, not [1, 2]"),
        ("write_read", (None, 1), "what is written is bytes, not None"),
        ("transfer", (b"\1",), "messages are several, such as [b'\\x01', 1]; not bytes"),
        ("transfer", (bytearray(2),), "messages are several"),
    ],
)
def test_a_register_is_bytes_not_a_number(
    hw_board: sim.Board, verb: str, arguments: tuple[Any, ...], text: str
) -> None:
    """A number is how many bytes to read, where one is expected."""
    hw_board.attach(Register())
    with i2c.Device("i2c-1", 0x48) as device:
        raised = both_ways(device, verb, *arguments)
    assert [str(exc).startswith(text) for exc in raised] == [True, True]


def test_a_message_is_several_transfers(hw_board: sim.Board) -> None:
    """Each byte of one would be a number of zeros to send."""
    with spi.Device("spi0.1") as device:
        for data in (b"ab", bytearray(2), memoryview(b"ab"), spi.Transfer(b"a")):
            raised = both_ways(device, "message", data)
            assert ["transfers are several" in str(exc) for exc in raised] == [True, True]
        assert device.stats.messages == 0


def test_in_a_loop_of_another_thread_and_not_awaited(hw_board: sim.Board) -> None:
    """Awaitables of one device in a loop of another thread; one that nobody awaits."""

    async def press() -> str:
        hw_board.line(17).drive(1)
        with gpio.Input(17) as line:
            hw_board.line(17).drive(0)
            return (await line.wait_for_edge("falling")).event_type

    async def main() -> list[str]:
        return [await asyncio.to_thread(asyncio.run, press()) for _ in range(3)]

    assert asyncio.run(main(), debug=True) == ["falling"] * 3
    with gpio.Input(5) as line, pytest.warns(RuntimeWarning, match="never awaited"):
        line.wait_for_edge()  # type: ignore[unused-coroutine]
