"""What a program for gpiod (python, v2) finds under the names that it knows."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, sim
from pyasync_hw.gpio.line import Bias, Clock, Direction, Drive, Edge, Value

CHIP = "gpiochip0"
INPUT = gpio.LineSettings(direction="input", bias="pull_up", edge_detection="both")


class TheirDirection(enum.Enum):
    """As gpiod.line's, whose values are libgpiod's numbers."""

    INPUT = 2


class TheirValue(enum.Enum):
    INACTIVE = 0
    ACTIVE = 1


class TheirEdge(enum.Enum):
    NONE = 1
    BOTH = 4


class TheirBias(enum.Enum):
    PULL_UP = 4


class TheirDrive(enum.Enum):
    PUSH_PULL = 1


class TheirClock(enum.Enum):
    MONOTONIC = 1


@dataclass
class TheirSettings:
    """As gpiod.LineSettings."""

    direction: TheirDirection = TheirDirection.INPUT
    edge_detection: TheirEdge = TheirEdge.BOTH
    bias: TheirBias = TheirBias.PULL_UP
    drive: TheirDrive = TheirDrive.PUSH_PULL
    active_low: bool = False
    debounce_period: timedelta = timedelta()
    event_clock: TheirClock = TheirClock.MONOTONIC
    output_value: TheirValue = TheirValue.INACTIVE


def test_a_program_for_gpiod(hw_board: sim.Board) -> None:
    """Its import lines changed: `from pyasync_hw import gpio as gpiod`, and gpiod.line alike."""
    with gpio.request_lines(
        "/dev/gpiochip0",
        consumer="toggle",
        config={5: gpio.LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)},
    ) as request:
        assert request.get_value(5) == Value.ACTIVE
        request.set_value(5, Value.INACTIVE)
        assert hw_board.line(5).value == 0
        assert request.get_values() == [Value.INACTIVE]
    settings = gpio.LineSettings(
        direction=Direction.INPUT,
        bias=Bias.PULL_DOWN,
        edge_detection=Edge.FALLING,
        event_clock=Clock.REALTIME,
        debounce_period=timedelta(milliseconds=1),
    )
    with (
        gpio.Chip(CHIP) as chip,
        chip.request_lines({(17, 27): settings}, None, None, None) as request,  # their defaults
    ):
        assert request.consumer == "pyasync_hw"
        info = chip.get_line_info(27)
        assert (info.direction, info.bias) == (Direction.INPUT, Bias.PULL_DOWN)
        assert (info.edge_detection, info.event_clock) == (Edge.FALLING, Clock.REALTIME)
        assert (info.drive, chip.get_line_info(4).bias) == (Drive.PUSH_PULL, Bias.UNKNOWN)


def test_every_word_has_its_name(hw_board: sim.Board) -> None:
    for name, enums in {"bias": Bias, "edge_detection": Edge, "event_clock": Clock}.items():
        for member in enums:
            settings = gpio.LineSettings(direction="input", **{name: member})  # type: ignore[arg-type]
            if member in ("unknown", "hte"):  # what a line may be, and what the board cannot
                with pytest.raises((ValueError, OSError), match=name):
                    gpio.request_lines(CHIP, {17: settings})
            else:
                gpio.request_lines(CHIP, {17: settings}).close()
    for drive in Drive:
        gpio.Output(17, drive=drive).close()  # type: ignore[arg-type]


def test_their_own_enums_and_settings(hw_board: sim.Board) -> None:
    config: Any = {17: TheirSettings(), 5: None}
    values: Any = {5: TheirValue.ACTIVE}
    with gpio.request_lines(CHIP, config, output_values=values) as request:
        assert request.get_values() == [1, 1]
        request.set_value(5, TheirValue.INACTIVE)  # type: ignore[arg-type]
        assert request.get_value(5) == 0
        hw_board.line(17).drive(0)
        assert request.blocking.next_event(timeout=60).event_type == "falling"
    settings = gpio.LineSettings(output_value=TheirValue.ACTIVE)  # type: ignore[arg-type]
    assert settings.output_value is True
    with pytest.raises(ValueError, match=r"value must be 0 or 1, not <TheirDirection.INPUT"):
        gpio.Output(17, value=TheirDirection.INPUT)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="value must be 0 or 1, not 'active'"):
        gpio.Output(17, value="active")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["input", {"direction": "input"}, TheirDirection.INPUT, 1])
def test_what_is_no_settings(hw_board: sim.Board, wrong: Any) -> None:
    with pytest.raises(TypeError, match="settings of a line are LineSettings, not"):
        gpio.request_lines(CHIP, {17: wrong})
    with pytest.raises(TypeError, match="config is a mapping of lines"):
        gpio.request_lines(CHIP, [wrong])  # type: ignore[arg-type]


def test_wait_and_read_blocking(hw_board: sim.Board) -> None:
    with gpio.request_lines(CHIP, {(17, 27): INPUT}) as request:
        assert not request.blocking.wait_edge_events(timeout=0)
        for pin in (17, 27):
            hw_board.line(pin).drive(0)
        assert request.blocking.wait_edge_events(timeout=60)
        assert request.blocking.wait_edge_events(timeout=0)  # it took nothing
        first, second = request.blocking.read_edge_events()
        assert (first.line_offset, first.global_seqno) == (17, 1)
        assert (second.line_offset, second.global_seqno) == (27, 2)
        assert not request.blocking.wait_edge_events(timeout=0)


@pytest.mark.parametrize("run", [pyasync_hw.run, asyncio.run])
def test_wait_and_read_on_a_loop(
    hw_board: sim.Board, run: Callable[[Awaitable[None]], None]
) -> None:
    async def main() -> None:
        async with gpio.request_lines(CHIP, {(17, 27): INPUT}) as request:
            waiting = asyncio.ensure_future(request.wait_edge_events())
            await asyncio.sleep(0)
            assert not waiting.done()
            hw_board.line(17).drive(0)
            await waiting
            hw_board.line(27).drive(0)
            await request.wait_edge_events()
            assert [event.line_offset for event in request.read_edge_events()] == [17, 27]
            waiting = asyncio.ensure_future(request.wait_edge_events())
            await asyncio.sleep(0)
        with pytest.raises(OSError, match="closed while"):
            await waiting

    run(main())
