"""Devices that are armed when their loop, or everything, goes away."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import weakref
from collections.abc import Callable, Iterator

import pytest

import pyasync_hw
from pyasync_hw import _core, gpio, rc522, sim
from pyasync_hw.hardware import LineSettings


@pytest.fixture
def board() -> Iterator[sim.Board]:
    with sim.Board("pi-zero-w") as board:
        board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25")
        yield board


class Closer:
    """A callback that closes something when it is dropped."""

    def __init__(self, close: Callable[[], None]) -> None:
        self.close = close

    def __call__(self) -> None: ...

    def __del__(self) -> None:
        self.close()


def wait_on(loop: asyncio.AbstractEventLoop, device: gpio.Input | rc522.Reader) -> None:
    """Let a task wait for the device; it is not awaited any more."""

    async def wait() -> None:
        if isinstance(device, gpio.Input):
            await device.wait_for_edge("both")
        else:
            await device.wait_for_tag()

    task = loop.create_task(wait())
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.run_until_complete(asyncio.sleep(0.01))
    assert not task.done()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("kind", ["line", "reader"])
def test_an_armed_device_and_its_loop_are_garbage_together(kind: str, closed: bool) -> None:
    def abandon() -> list[weakref.ref[object]]:
        with sim.Board("pi-zero-w") as board:
            board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25")
            loop = pyasync_hw.new_event_loop()
            device = gpio.Input(17) if kind == "line" else rc522.Reader("spi0.0", irq="GPIO24")
            wait_on(loop, device)
            if closed:
                loop.close()
            return [weakref.ref(loop), weakref.ref(device)]

    refs = abandon()
    gc.collect()
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


def test_closing_a_loop_drops_a_reader_that_closes_an_armed_line(board: sim.Board) -> None:
    loop = pyasync_hw.new_event_loop()
    low, other = os.pipe()  # a lower number than the line's
    lines = [
        board.request_lines({17: LineSettings(direction="input", edge_detection="both")}, "test")
    ]
    assert low < lines[0].fileno()
    lines[0].arm(loop)
    loop.add_reader(low, Closer(lambda: lines.pop().close()))
    loop.close()
    assert not lines
    os.close(low)
    os.close(other)


def test_closing_a_loop_drops_a_timer_that_closes_an_armed_reader(board: sim.Board) -> None:
    loop = pyasync_hw.new_event_loop()
    with contextlib.closing(board.open_spi(0, 0, 4_000_000, 0)) as spi:
        chips = [_core.MFRC522(spi)]
        chips[0].start_poll(0.05)
        chips[0].arm(loop)
        loop.call_at(0.0, Closer(lambda: chips.pop().close()))  # before the chip's timer
        loop.close()
        assert not chips
