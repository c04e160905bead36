"""What is cancelled while its device closes reports the cancel, in whatever order they come."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, gpio, rc522, sim
from pyasync_hw.tags import MifareClassic

UID = "a61d227e"


class Devices:
    """A button and a reader with a card, and every kind of wait on them."""

    def __init__(self, board: sim.Board) -> None:
        self.card = sim.MifareClassic1K(uid=UID)
        self.door = board.attach_rc522()
        self.button = gpio.Input(17, bias="pull_up")
        self.edges = self.button.edges()
        self.reader = rc522.Reader()
        self.tag: Any = None

    async def select(self) -> None:
        """A tag that is selected."""
        self.door.present(self.card)
        self.tag = await self.reader.wait_for_tag()

    def close(self) -> None:
        self.edges.close()
        self.button.close()
        self.reader.close()

    async def in_executor(self, wait: Callable[[], object]) -> object:
        return await asyncio.get_running_loop().run_in_executor(None, wait)


Wait = Callable[[Devices], Awaitable[object]]
WAITS: dict[str, Wait] = {
    "an edge": lambda all: all.button.wait_for_edge(),
    "a rising edge": lambda all: all.button.wait_for_edge("rising"),
    "an iterator": lambda all: anext(all.edges),
    "a tag": lambda all: all.reader.wait_for_tag(),
    "its removal": lambda all: all.reader.wait_for_removal(all.tag),
    "the set-up": lambda all: all.reader.open(),
    "an answer": lambda all: all.reader.transceive(b"\x50\x00", timeout=0.5),
    "a tag's answer": lambda all: all.tag.transceive(b"\x50\x00", timeout=0.5),
    "authentication": lambda all: all.tag.authenticate(4),
    "a tag selected anew": lambda all: all.tag.reselect(),
    "an edge in a thread": lambda all: all.in_executor(all.button.blocking.wait_for_edge),
    "a tag in a thread": lambda all: all.in_executor(all.reader.blocking.wait_for_tag),
}
ORDERS = {
    "cancel, close": lambda task, devices: (task.cancel(), devices.close()),
    "close, cancel": lambda task, devices: (devices.close(), task.cancel()),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("steps", [0, 1, 3, 20])
def test_a_task(hw_board: sim.Board, wait: str, order: str, steps: int) -> None:
    """Ended before it began, and at some moments of its life."""

    async def main() -> None:
        devices = Devices(hw_board)
        await devices.select()
        task = asyncio.ensure_future(WAITS[wait](devices))
        for _ in range(steps):
            await asyncio.sleep(25e-6)
        assert not task.done()
        ORDERS[order](task, devices)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not devices.door.field_on

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize("order", ORDERS)
def test_tasks_in_line_for_a_reader(hw_board: sim.Board, order: str) -> None:
    """Those that were not cancelled are told of the close, be they the first or not."""
    hw_board.attach_rc522()

    async def main() -> None:
        reader = rc522.Reader()
        tasks = [asyncio.ensure_future(reader.wait_for_tag()) for _ in range(6)]
        await asyncio.sleep(0.1)
        if order == "close, cancel":
            reader.close()
        for task in tasks[::2]:
            task.cancel()
        reader.close()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError, OSError] * 3
        assert all("closed while it was waited for" in str(end) for end in ends[1::2])

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_what_was_over_before_the_close_is_what_it_was(hw_board: sim.Board) -> None:
    """The task has not run since; the chip has something else in its registers by then.

    In real time: in virtual time nothing happens while a callback is ready.
    """

    async def main() -> None:
        devices = Devices(hw_board)
        await devices.select()
        await devices.tag.authenticate(4)
        devices.card.set_block(4, bytes(range(16)))
        task = asyncio.ensure_future(devices.tag.read(4))
        await asyncio.sleep(0)
        while not task._fut_waiter.done():  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        devices.close()
        assert await task == bytes(range(16))

    pyasync_hw.run(main())


def test_leaving_async_with_over_a_task_that_was_cancelled(hw_board: sim.Board) -> None:
    hw_board.attach_rc522()

    async def main() -> None:
        async with rc522.Reader() as reader:
            task = asyncio.create_task(reader.wait_for_tag())
            await asyncio.sleep(0.1)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.filterwarnings("ignore:.*IRQ")
def test_a_close_in_any_phase_of_the_set_up_leaves_the_antenna_off(hw_board: sim.Board) -> None:
    """The antenna goes on before the wire of the interrupt is tried, which is dead here."""
    door = hw_board.attach_rc522(irq=None)

    async def main() -> None:
        was_on = 0
        for moment in (*range(0, 5000, 25), *range(5000, 250000, 5000)):
            reader = rc522.Reader(irq="GPIO24")
            task = asyncio.ensure_future(reader.open())
            await asyncio.sleep(moment * 1e-6)
            was_on += door.field_on and not task.done()
            reader.close()
            await asyncio.gather(task, return_exceptions=True)
            assert not door.field_on, f"after {moment} us"
        assert was_on > 0
        assert task.exception() is None, "it was over before the last moment"

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_a_close_after_a_loop_has_failed_switches_the_antenna_off(hw_board: sim.Board) -> None:
    class Loop(asyncio.SelectorEventLoop):
        def call_at(self, *args: Any, **kwargs: Any) -> Any:
            raise MemoryError

    door = hw_board.attach_rc522()
    loop = Loop()
    with rc522.Reader() as reader:
        reader.blocking.open()
        with pytest.raises(MemoryError):
            loop.run_until_complete(reader.wait_for_tag())
        assert door.field_on
    assert not door.field_on
    loop.close()


# -- blocking ------------------------------------------------------------------


BlockingWait = Callable[[Devices, CancelToken], object]
BLOCKING: dict[str, BlockingWait] = {
    "an edge": lambda all, token: all.button.blocking.wait_for_edge("both", None, token),
    "a tag": lambda all, token: all.reader.blocking.wait_for_tag(None, token),
}


@pytest.fixture
def on_signal() -> Iterator[list[Callable[[], object]]]:
    """What SIGUSR1 does: one thing, once."""
    deeds: list[Callable[[], object]] = []

    def handler(number: int, frame: object) -> None:
        if deeds:
            deeds.pop()()

    before = signal.signal(signal.SIGUSR1, handler)
    yield deeds
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("wait", BLOCKING)
@pytest.mark.parametrize("order", ["cancel, close", "close, cancel"])
def test_a_blocked_thread(on_signal: list[Callable[[], object]], order: str, wait: str) -> None:
    """A signal handler does both before the wait goes on."""
    with sim.Board() as board:
        devices = Devices(board)
        token = CancelToken()
        ended = threading.Event()

        def end() -> None:
            for deed in order.split(", "):
                token.cancel() if deed == "cancel" else devices.close()

        def signals() -> None:
            while not ended.is_set():
                os.kill(os.getpid(), signal.SIGUSR1)

        on_signal.append(end)
        thread = threading.Thread(target=signals)
        thread.start()
        try:
            with pytest.raises(CancelledError):
                BLOCKING[wait](devices, token)
        finally:
            ended.set()
            thread.join()
        assert not devices.door.field_on


def test_a_reader_that_a_signal_handler_closes(on_signal: list[Callable[[], object]]) -> None:
    """The wait of the same thread ends, then the reader is closed, and its lines are free."""
    with sim.Board() as board:
        door = board.attach_rc522()
        ended = threading.Event()

        def signals() -> None:
            while not ended.is_set():
                os.kill(os.getpid(), signal.SIGUSR1)

        with rc522.Reader() as reader:
            thread = threading.Thread(target=signals)
            thread.start()
            on_signal.append(reader.close)
            try:
                with pytest.raises((CancelledError, ValueError), match="RC522 reader"):
                    reader.blocking.wait_for_tag()
            finally:
                ended.set()
                thread.join()
            assert not door.field_on
            with rc522.Reader():
                assert door.field_on


@pytest.mark.parametrize("blocking", [False, True])
def test_a_reader_that_a_card_closes(hw_board: sim.Board, blocking: bool) -> None:
    """In the middle of an SPI message: that is finished, then the reader is closed."""

    class Card(sim.Card):
        def receive(self, data: bytes, bits: int) -> Any:
            reader.close()
            return super().receive(data, bits)

    door = hw_board.attach_rc522()
    door.present(Card(UID))
    reader = rc522.Reader()
    if blocking:
        with pytest.raises(CancelledError):
            reader.blocking.wait_for_tag()
    else:
        with pytest.raises(OSError, match="closed while it was waited for"):
            pyasync_hw.run(reader.wait_for_tag(), clock=hw_board.clock)
    assert not door.field_on
    rc522.Reader().close()


def test_threads_in_line_for_a_reader_that_is_closed() -> None:
    """None of them begins to wait for a tag, and a token that they share stays as it was."""
    with sim.Board() as board, ThreadPoolExecutor(4) as pool:
        board.attach_rc522()
        with rc522.Reader() as reader:
            token = CancelToken()
            jobs = [pool.submit(reader.blocking.wait_for_tag, None, token) for _ in range(4)]
            while reader._chip.thread_lock._turns.waiting < 3:
                assert not any(job.done() for job in jobs)
        for job in jobs:
            with pytest.raises(CancelledError):
                job.result(10)
        assert not token.cancelled()


ENDLESS: dict[str, Wait] = {
    "an edge": lambda all: all.button.wait_for_edge(),
    "an iterator": lambda all: anext(all.edges),
    "a tag": lambda all: all.reader.wait_for_tag(poll_interval=60),
}


def wait_until_it_sleeps(thread: int) -> None:
    while Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(") ")[2][0] != "S":
        pass


@pytest.mark.parametrize("wait", ENDLESS)
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("run", [pyasync_hw.run, asyncio.run])
@pytest.mark.parametrize("how", ["a thread", "a signal handler"])
def test_a_close_wakes_the_loop_that_sleeps(
    on_signal: list[Callable[[], object]], how: str, run: Any, debug: bool, wait: str
) -> None:
    """In debug mode, asyncio refuses what is not safe in another thread."""
    with sim.Board() as board:
        devices = Devices(board)
        loop_thread = threading.get_native_id()
        begun, done = threading.Event(), threading.Event()

        def close() -> None:
            assert begun.wait(60)
            wait_until_it_sleeps(loop_thread)
            if how == "a thread":
                devices.close()
            else:
                os.kill(os.getpid(), signal.SIGUSR1)

        async def main() -> None:
            asyncio.get_running_loop().call_later(30, done.set)
            task = asyncio.ensure_future(ENDLESS[wait](devices))
            await asyncio.sleep(0.01)  # the first exchanges of a poll are over by then
            begun.set()
            with pytest.raises((OSError, StopAsyncIteration)) as end:
                await task
            assert wait == "an iterator" or "closed while it was waited for" in str(end.value)
            assert not done.is_set(), "it was something else that woke it"

        on_signal.append(devices.close)
        thread = threading.Thread(target=close)
        thread.start()
        run(main(), debug=debug)
        thread.join()
        on_signal.clear()
        assert not devices.door.field_on


@pytest.mark.parametrize("wait", BLOCKING)
@pytest.mark.parametrize("order", ["cancel, close", "close, cancel"])
def test_a_thread_that_has_not_begun(hw_board: sim.Board, wait: str, order: str) -> None:
    devices = Devices(hw_board)
    token = CancelToken()
    for deed in order.split(", "):
        token.cancel() if deed == "cancel" else devices.close()
    with pytest.raises(CancelledError):
        BLOCKING[wait](devices, token)


def test_the_verbs_of_a_closed_reader_name_it(hw_board: sim.Board) -> None:
    async def main() -> None:
        devices = Devices(hw_board)
        await devices.select()
        assert isinstance(devices.tag, MifareClassic)
        devices.close()
        for verb in (devices.reader.request, devices.tag.reselect, lambda: devices.tag.read(4)):
            with pytest.raises(ValueError, match=r"RC522 reader spi0\.0 is closed"):
                await verb()

    pyasync_hw.run(main(), clock=hw_board.clock)
