"""Devices on a loop whose methods close, cancel or arm them while they are called."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import _core, gpio, rc522, sim


class Loop(asyncio.SelectorEventLoop):
    """Does one thing more at the first call of one of its methods."""

    surprise: tuple[str, Callable[[], object]] = ("", lambda: None)

    def _spring(self, method: str) -> None:
        if self.surprise[0] == method:
            deed, self.surprise = self.surprise[1], ("", lambda: None)
            deed()

    def create_future(self) -> Any:
        self._spring("create_future")
        return super().create_future()

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        handle = super().add_reader(fd, callback, *args)
        self._spring("add_reader")
        return handle

    def remove_reader(self, fd: Any) -> Any:
        self._spring("remove_reader")
        return super().remove_reader(fd)

    def call_at(self, when: float, callback: Any, *args: Any, **kwargs: Any) -> Any:
        handle = super().call_at(when, callback, *args, **kwargs)
        self._spring("call_at")
        return handle

    def is_closed(self) -> bool:
        self._spring("is_closed")
        return super().is_closed()

    def time(self) -> float:
        self._spring("time")
        return super().time()


@pytest.fixture
def loop(hw_board: sim.Board) -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def watched(loop: Loop) -> set[int]:
    """Descriptors with a reader, without the loop's own."""
    return set(loop._selector.get_map()) - {loop._ssock.fileno()}


@pytest.mark.parametrize("method", ["create_future", "add_reader"])
def test_a_line_that_is_closed_while_it_is_armed(loop: Loop, method: str) -> None:
    button = gpio.Input(17, bias="pull_up")
    loop.surprise = (method, button.close)
    with pytest.raises(OSError, match="closed while it was waited for"):
        loop.run_until_complete(button.wait_for_edge())
    assert watched(loop) == set()


@pytest.mark.parametrize("method", ["remove_reader", "is_closed"])
def test_a_line_that_is_closed_while_it_is_disarmed(loop: Loop, method: str) -> None:
    button = gpio.Input(17, bias="pull_up")
    waiter = loop.create_task(button.wait_for_edge())
    loop.run_until_complete(asyncio.sleep(0))
    loop.surprise = (method, button.close)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(waiter)
    assert watched(loop) == set()
    assert button.closed


def test_a_line_that_another_loop_awaits_by_the_time_it_is_armed(loop: Loop) -> None:
    other = asyncio.new_event_loop()
    with gpio.Input(17, bias="pull_up") as button:
        loop.surprise = ("create_future", lambda: button._core.arm(other))
        with pytest.raises(RuntimeError, match="awaited on another event loop"):
            button._core.arm(loop)
    other.close()


def test_an_edge_queue_that_is_closed_while_it_is_armed(loop: Loop) -> None:
    with gpio.Input(17, bias="pull_up") as button:
        queue = button._core.edge_queue(4)
        loop.surprise = ("create_future", queue.close)
        with pytest.raises(OSError, match="closed while it was waited for"):
            queue.arm(loop)
        with pytest.raises(ValueError, match="closed"):
            queue.arm(loop)


class Rearming:
    """A future that waits again as soon as it is done."""

    def __init__(self, wait_again: Callable[[], object]) -> None:
        self.wait_again = wait_again
        self.ends = 0

    def done(self) -> bool:
        return False

    def set_result(self, _: None) -> None:
        self.end()

    def set_exception(self, _: BaseException) -> None:
        self.end()

    def end(self) -> None:
        self.ends += 1
        assert self.ends < 10, "it is woken for ever"
        self.wait_again()


def test_a_waiter_that_waits_again_does_not_keep_its_queue_from_closing(loop: Loop) -> None:
    with gpio.Input(17, bias="pull_up") as button:
        queue = button._core.edge_queue(4)
        waiter = Rearming(lambda: queue.arm(loop))
        other = loop.create_future()
        for future in (waiter, other):
            loop.create_future = lambda future=future: future  # type: ignore[method-assign]
            queue.arm(loop)
        with pytest.raises(ValueError, match=r"edge queue of line 17 of .* is closed"):
            queue.close()
        assert waiter.ends == 1
        assert other.done()
        assert queue.closed
    assert watched(loop) == set()


@pytest.mark.parametrize("end", ["close", "unplug"])
def test_a_waiter_that_waits_again_when_its_line_fails(
    loop: Loop, hw_board: sim.Board, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """It is told once for each failure, and those after it are told, too."""
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    button = gpio.Input(17, bias="pull_up")
    waiter = Rearming(lambda: button._core.arm(loop))
    other = loop.create_future()
    for future in (waiter, other):
        loop.create_future = lambda future=future: future  # type: ignore[method-assign]
        button._core.arm(loop)
    loop.create_future = lambda: waiter  # type: ignore[method-assign]
    if end == "close":
        button.close()
    else:
        hw_board.close()
        while not other.done():
            loop.call_soon(loop.stop)
            loop.run_forever()
    assert isinstance(other.exception(), OSError)
    assert 0 < waiter.ends < 10
    del loop.create_future
    button.close()
    assert watched(loop) == set()


class Ended:
    """A future that is done before it was told, and of which there is always one more."""

    asked = 0

    def __init__(self, wait_again: Callable[[], object]) -> None:
        self.wait_again = wait_again

    def done(self) -> bool:
        Ended.asked += 1
        assert Ended.asked < 100, "they are asked for ever"
        with contextlib.suppress(ValueError):  # when it closes
            self.wait_again()
        return True


@pytest.mark.parametrize("how", ["an edge", "a cancel"])
def test_an_edge_is_not_passed_on_for_ever(loop: Loop, hw_board: sim.Board, how: str) -> None:
    Ended.asked = 0
    with gpio.Input(17, bias="pull_up") as button:
        core = button._core
        first = core.arm(loop)
        loop.create_future = lambda: Ended(lambda: core.arm(loop))  # type: ignore[method-assign]
        if how == "an edge":
            core.disarm(first)
        core.arm(loop)
        hw_board.line(17).drive(0)
        event = core.take()
        if how == "a cancel":
            assert event is None and first.done()
            core.disarm(first)
            event = core.take()
        assert event is not None and event.global_seqno == 1  # it is for whoever asks
        assert Ended.asked == 1
        del loop.create_future
    assert watched(loop) == set()


def test_a_waiter_that_waits_again_as_it_is_dropped(loop: Loop, hw_board: sim.Board) -> None:
    """With a loop that was closed, which it is not armed on for ever."""
    drops = []

    class Future:
        def __del__(self) -> None:
            drops.append(self)
            assert len(drops) < 10, "it is dropped for ever"
            with contextlib.suppress(ValueError):  # when it closes
                button._core.arm(loop)

    with gpio.Input(17, bias="pull_up") as button:
        loop.create_future = Future  # type: ignore[method-assign]
        button._core.arm(loop)
        loop.close()
        other = Loop()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="awaited on a closed event loop"):
                button._core.arm(other)
        drops.clear()
        loop.create_future = lambda: None  # type: ignore[method-assign]
        other.close()


def test_waiters_whose_end_closes_their_queue(loop: Loop, hw_board: sim.Board) -> None:
    """A closed loop's waiters are dropped one by one, and with one of them its queue."""

    class Future:
        """Of a loop that has futures of its own."""

        def __init__(self, queue: _core.EdgeQueue) -> None:
            self.queue = queue

        def __del__(self) -> None:
            self.queue.close()

    with gpio.Input(17, bias="pull_up") as button:
        for _ in range(3):
            queue = button._core.edge_queue(4)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(loop, "create_future", lambda queue=queue: Future(queue))
                queue.arm(loop)
            del queue
        loop.close()

        async def main() -> None:
            waiter = asyncio.ensure_future(button.wait_for_edge())
            await asyncio.sleep(0)
            hw_board.line(17).drive(0)
            assert (await waiter).event_type == "falling"

        asyncio.run(main())


@pytest.fixture
def chip(hw_board: sim.Board) -> Iterator[_core.MFRC522]:
    hw_board.attach_rc522()
    reader = rc522.Reader()
    core = reader._chip.core
    core.start_configure(4, True)
    core.run()
    assert core.take() == (None, None)
    yield core
    reader.close()


@pytest.mark.parametrize("method", ["create_future", "time", "add_reader", "call_at"])
def test_a_reader_that_is_closed_while_it_is_armed(
    loop: Loop, chip: _core.MFRC522, method: str
) -> None:
    chip.start_poll(0.05)
    loop.surprise = (method, chip.close)
    with pytest.raises(OSError, match="closed while it was waited for"):
        wakeup = chip.arm(loop)
        assert wakeup is None or wakeup.done()
        chip.take()
    assert loop.surprise[0] == ""
    assert watched(loop) == set()


@pytest.mark.parametrize("method", ["time", "remove_reader", "is_closed"])
def test_a_reader_that_is_closed_while_it_is_closed(
    loop: Loop, hw_board: sim.Board, chip: _core.MFRC522, method: str
) -> None:
    ends = []

    def close_again() -> None:
        chip.close(lambda: ends.append("again"))
        with pytest.raises(ValueError, match="closed"):
            chip.start_poll(0.05)

    chip.start_poll(0.05)
    wakeup = chip.arm(loop)
    assert wakeup is not None
    loop.surprise = (method, close_again)
    chip.close(lambda: ends.append("once"))
    assert loop.surprise[0] == ""
    assert ends == ["once"]
    assert wakeup.done()
    assert not hw_board.reader("spi0.0").field_on
    with pytest.raises(OSError, match="closed while it was waited for"):
        chip.take()
    assert watched(loop) == set()


def test_a_reader_that_threads_close_at_once(loop: Loop) -> None:
    with sim.Board() as board:  # in real time, so that a message gives up the GIL
        board.attach_rc522()
        spi = board.open_spi(0, 0, speed_hz=100_000)
        chip = _core.MFRC522(spi)
        chip.start_configure(4, True)
        chip.run()
        chip.start_poll(0.05)
        wakeup = chip.arm(loop)
        assert wakeup is not None
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: chip.close(), range(4)))
        assert wakeup.done()
        assert not board.reader("spi0.0").field_on
        spi.close()


@pytest.mark.parametrize("method", ["remove_reader", "is_closed"])
def test_a_reader_that_begins_anew_while_it_is_disarmed(
    loop: Loop, chip: _core.MFRC522, method: str
) -> None:
    wakeups = []

    def begin() -> None:
        chip.start_poll(0.05)
        wakeups.append(chip.arm(loop))

    chip.start_poll(0.05)
    first = chip.arm(loop)
    loop.surprise = (method, begin)
    chip.disarm(first)
    assert len(wakeups) == 1 and chip.busy
    chip.disarm(wakeups[0])
    assert not chip.busy
    assert watched(loop) == set()


def test_a_reader_that_begins_anew_while_the_loop_lets_go_of_its_timers(
    hw_board: sim.Board,
) -> None:
    door = hw_board.attach_rc522()
    reader = rc522.Reader()
    chip = reader._chip.core
    loop = pyasync_hw.new_event_loop(clock=hw_board.clock)
    wakeups = []

    class Callback:
        def __call__(self) -> None:
            raise AssertionError("its loop is closed")

        def __del__(self) -> None:
            if wakeups:
                chip.disarm(wakeups.pop())
                chip.start_poll(0.05)
                wakeups.append(chip.arm(loop))

    loop.call_at(loop.time(), Callback())
    chip.start_poll(0.05)
    wakeups.append(chip.arm(loop))
    loop._release()
    assert loop.stats()["timers"] == 1
    chip.disarm(wakeups.pop())
    assert loop.stats()["timers"] == 0
    loop.close()
    reader.close()
    assert not door.field_on


def test_a_reader_is_not_armed_after_its_close(loop: Loop, chip: _core.MFRC522) -> None:
    chip.start_poll(0.05)
    chip.close()
    for call in (lambda: chip.arm(loop), chip.run):
        with pytest.raises(OSError, match="closed while it was waited for"):
            call()


def test_a_reader_that_is_closed_by_its_timeout(chip: _core.MFRC522) -> None:
    class Timeout:
        def __float__(self) -> float:
            chip.close()
            gc.collect()
            return 1.0

    chip.start_poll(0.05)
    with pytest.raises(OSError, match="closed while it was waited for"):
        chip.run(timeout=Timeout())


def test_a_timeout_that_awaits_the_edge_for_which_a_thread_is_to_block() -> None:
    with sim.Board() as board, gpio.Input(17, board=board) as button:
        loop = pyasync_hw.new_event_loop()

        class Timeout:
            def __float__(self) -> float:
                self.future = button._core.arm(loop)
                return 0.0

        timeout: Any = Timeout()
        with pytest.raises(RuntimeError, match="are awaited on an event loop"):
            button._core.wait_edge_blocking(timeout=timeout)
        button._core.disarm(timeout.future)
        loop.close()


def test_a_card_that_is_laid_into_the_field_while_it_is_asked(hw_board: sim.Board) -> None:
    door = hw_board.attach_rc522()

    asked = []

    class Card(sim.Card):
        def __getattribute__(self, name: str) -> Any:
            if name == "power_up" and not asked:
                asked.append(name)
                door.present(self)
            return super().__getattribute__(name)

        def receive(self, data: bytes, bits: int) -> None:
            return None

    card = Card("01020304")
    with pytest.raises(ValueError, match="in this reader's field already"):
        door.present(card)
    assert door.cards == [card]
    door.remove(card)
    gone = weakref.ref(card)
    del card
    gc.collect()
    assert gone() is None


def test_a_board_whose_name_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        _core.SimWorld("\ud800", 4)
