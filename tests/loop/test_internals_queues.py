"""`loop._ready` and `loop._scheduled`: on both loops alike, for programs that look or reach in."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import heapq
import random
import sys
import threading
import weakref
from asyncio import format_helpers
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import rc522, sim

BOTH = {"asyncio": asyncio.SelectorEventLoop, "pyasync_hw": pyasync_hw.new_event_loop}


@pytest.fixture(params=BOTH)
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    loop = BOTH[request.param]()
    yield loop
    loop.close()


@pytest.fixture(params=BOTH)
def kind(request: pytest.FixtureRequest) -> Any:
    return BOTH[request.param]


@pytest.fixture
def ours() -> Iterator[Any]:
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


def turn(loop: Any) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def in_thread(function: Any, *args: Any) -> None:
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()


# -- looking -------------------------------------------------------------------------


def test_what_is_ready(loop: Any) -> None:
    ready = loop._ready
    assert len(loop._ready) == 0
    assert not loop._ready
    one = loop.call_soon(print, 1)
    two = loop.call_soon_threadsafe(print, 2)
    in_thread(loop.call_soon_threadsafe, print, 3)
    assert len(ready) == 3  # what was asked for before is live
    assert (ready[0], ready[1]) == (one, two)
    assert list(loop._ready)[:2] == [one, two]
    assert loop._ready == ready == loop._ready.copy() != [one, two]
    assert loop._ready[-1]._args == (3,)
    assert two in loop._ready
    assert loop._ready.index(two) == 1
    assert all(isinstance(handle, asyncio.Handle) for handle in loop._ready)
    assert [handle._args for handle in reversed(loop._ready)] == [(3,), (2,), (1,)]
    with pytest.raises(IndexError):
        loop._ready[3]
    loop._ready.clear()
    assert list(ready) == []


def test_what_is_scheduled(loop: Any) -> None:
    assert not loop._scheduled
    times = [30.0, 10.0, 20.0, 40.0, 10.5]
    handles = {when: loop.call_at(when, print, when) for when in times}
    assert len(loop._scheduled) == 5
    assert loop._scheduled[0] is handles[10.0]
    assert loop._scheduled[0].when() == 10.0
    assert sorted(handle.when() for handle in loop._scheduled) == sorted(times)
    assert all(isinstance(handle, asyncio.TimerHandle) for handle in loop._scheduled)
    assert all(handle._scheduled for handle in loop._scheduled)
    assert handles[30.0] in loop._scheduled
    scheduled = loop._scheduled
    sooner = loop.call_at(5.0, print)
    assert min(scheduled) is sooner
    assert next(handle for handle in scheduled if not handle.cancelled()).when() == 5.0


def test_all_timers_are_cancelled_by_walking_over_them(loop: Any) -> None:
    """Home Assistant does so when it ends."""
    seen: list[int] = []
    for i in range(200):
        loop.call_later(0.0001 * (i % 7), seen.append, i)
    for handle in loop._scheduled:
        if not handle.cancelled():
            handle.cancel()
    loop.call_later(0.002, loop.stop)
    loop.run_forever()
    assert seen == []


def test_timers_are_fired_by_hand(loop: Any) -> None:
    """Home Assistant's tests do so, instead of waiting."""
    seen: list[str] = []

    async def main() -> None:
        loop.call_later(3600, seen.append, "hour")
        loop.call_later(7200, seen.append, "two hours")
        for task in list(loop._scheduled):
            assert isinstance(task, asyncio.TimerHandle)
            if task.cancelled():
                continue
            if task.when() <= loop.time() + 3600:
                task._run()
                task.cancel()
        await asyncio.sleep(0)
        assert seen == ["hour"]
        assert [handle.cancelled() for handle in loop._scheduled].count(False) == 1

    loop.run_until_complete(main())


def test_a_test_clock_asks_when_something_is_next(loop: Any) -> None:
    async def main() -> list[Any]:
        asyncio.get_running_loop().call_later(1000, print)
        said = [bool(loop._ready), loop._scheduled[0].when() > loop.time() + 900]
        loop.call_soon(print)
        return [*said, bool(loop._ready or loop._scheduled[0])]

    assert loop.run_until_complete(main()) == [False, True, True]


def test_looking_inside_a_turn_changes_nothing(loop: Any) -> None:
    seen: list[Any] = []

    def look() -> None:
        seen.append((len(loop._ready), [timer.when() for timer in loop._scheduled]))

    for i in range(3):
        loop.call_soon(seen.append, i)
        loop.call_soon(look)
    loop.call_soon(loop.call_soon, seen.append, "next turn")
    loop.call_soon(seen.append, "last")
    loop.call_at(0.0, loop.call_soon, loop.stop)
    loop.call_at(1e9, print)
    loop.run_forever()
    assert [one for one in seen if not isinstance(one, tuple)] == [0, 1, 2, "last", "next turn"]
    looks = [one for one in seen if isinstance(one, tuple)]
    assert looks == [(count, [1e9]) for count in (7, 5, 3)]


def test_timers_keep_their_order_when_somebody_looks(loop: Any) -> None:
    seen: list[int] = []
    now = loop.time()
    for i in range(300):
        loop.call_at(now + 0.0001 + (i * 7 % 300) * 1e-6, seen.append, i * 7 % 300)
        if i % 50 == 0:
            assert len(loop._scheduled) == i + 1
    loop.call_at(now + 0.01, loop.stop)
    loop.run_forever()
    assert seen == list(range(300))


# -- reaching in ---------------------------------------------------------------------


def test_copies(loop: Any) -> None:
    handle = loop.call_soon(print)
    timer = loop.call_later(1, print)
    assert list(copy.copy(loop._ready)) == list(loop._ready.copy()) == [handle]
    assert copy.copy(loop._scheduled) == loop._scheduled.copy() == loop._scheduled[:] == [timer]
    copy.copy(loop._ready).clear()
    copy.copy(loop._scheduled).clear()
    assert (list(loop._ready), list(loop._scheduled)) == ([handle], [timer])


def test_ready_is_a_deque_to_write_to(loop: Any) -> None:
    seen: list[str] = []

    def handle(name: str) -> asyncio.Handle:
        return asyncio.Handle(seen.append, (name,), loop)

    loop.call_soon(seen.append, "c")
    loop.call_soon(seen.append, "a")
    loop._ready.rotate(1)
    loop._ready.append(handle("e"))
    loop._ready.insert(1, handle("b"))
    loop._ready.extend([handle("f"), handle("x")])
    loop._ready.appendleft(handle("0"))
    assert loop._ready.pop()._args == ("x",)
    loop._ready.remove(loop._ready[0])
    loop._ready += [handle("g")]
    loop._ready[3], kept = handle("d"), loop._ready[3]
    loop._ready.insert(4, kept)
    cancelled = handle("cancelled")
    loop._ready.append(cancelled)
    cancelled.cancel()
    turn(loop)
    assert "".join(seen) == "abcdefg"


class Finds:
    """Equal to any handle; does something when it is asked."""

    def __init__(self, does: Any) -> None:
        self.does = does

    def __eq__(self, other: object) -> bool:
        self.does()
        return True

    __hash__ = None  # type: ignore[assignment]


def test_what_becomes_ready_while_ready_is_written_to_is_not_lost(loop: Any) -> None:
    """By a signal handler, say."""
    ran: list[str] = []
    loop.call_soon(ran.append, "removed")
    with contextlib.suppress(IndexError):  # a deque's, which then removes nothing
        loop._ready.remove(Finds(lambda: loop.call_soon(ran.append, "kept")))
    turn(loop)
    assert ran[-1] == "kept"


def test_ready_that_is_emptied_while_it_is_written_to(loop: Any) -> None:
    first, second = loop.call_soon(len), loop.call_soon(len)
    with pytest.raises((IndexError, RuntimeError), match="deque mutated"):
        loop._ready.remove(Finds(loop._ready.popleft))
    assert list(loop._ready) == [second]
    assert first not in loop._ready


def test_popped_from_ready_and_run(loop: Any) -> None:
    seen: list[int] = []
    for i in range(3):
        loop.call_soon(seen.append, i)
    while loop._ready:
        handle = loop._ready.popleft()
        handle._run()
    with pytest.raises(IndexError, match="pop from an empty deque"):
        loop._ready.popleft()
    turn(loop)
    assert seen == [0, 1, 2]


def test_scheduled_is_a_heap_to_write_to(loop: Any) -> None:
    seen: list[str] = []
    now = loop.time()

    def timer(delay: float, name: str) -> asyncio.TimerHandle:
        return asyncio.TimerHandle(now + delay, seen.append, (name,), loop)

    loop.call_at(now + 0.0001, seen.append, "popped")
    removed = loop.call_at(now + 0.0002, seen.append, "removed")
    loop.call_at(now + 0.0003, seen.append, "a")
    heapq.heappush(loop._scheduled, timer(0.0004, "b"))
    popped = heapq.heappop(loop._scheduled)
    assert popped._args == ("popped",)
    loop._scheduled.remove(removed)
    heapq.heapify(loop._scheduled)
    loop.call_at(now + 0.0005, seen.append, "c")
    cancelled = timer(0.0006, "cancelled")
    heapq.heappush(loop._scheduled, cancelled)
    cancelled._scheduled = True  # type: ignore[attr-defined]
    cancelled.cancel()
    heapq.heappush(loop._scheduled, timer(0.0007, "d"))
    loop.call_at(now + 0.002, loop.stop)
    assert loop._scheduled[0]._args == ("a",)
    loop.run_forever()
    assert seen == ["a", "b", "c", "d"]


def test_a_foreign_timer_is_seen_as_itself_and_can_be_cancelled_later(loop: Any) -> None:
    seen: list[str] = []
    timer = asyncio.TimerHandle(loop.time() + 60, seen.append, ("foreign",), loop)
    heapq.heappush(loop._scheduled, timer)
    turn(loop)
    assert list(loop._scheduled) == [timer]
    turn(loop)
    timer.cancel()
    loop.call_later(0.002, loop.stop)
    loop.run_forever()
    assert seen == []
    assert [one for one in loop._scheduled if not one.cancelled()] == []


def test_foreign_timers_that_are_cancelled_do_not_pile_up(loop: Any) -> None:
    kept = loop.call_later(1000, print)
    for i in range(2000):
        timer = asyncio.BaseEventLoop.call_at(loop, loop.time() + 1000, print, i)
        timer.cancel()
        if i % 50 == 0:
            turn(loop)
    turn(loop)
    assert len(loop._scheduled) < 600
    assert [one for one in loop._scheduled if not one.cancelled()] == [kept]


def test_a_foreign_timer_that_looks_at_the_timers_delays_none(loop: Any) -> None:
    class Nosy:
        _when = loop.time() + 30
        _scheduled = True

        def __lt__(self, other: Any) -> bool:
            return self._when < other._when  # type: ignore[no-any-return]

        @property
        def _cancelled(self) -> bool:
            len(loop._scheduled)
            return False

    fired: list[int] = []
    loop.call_later(0.001, fired.append, 1)
    loop.call_later(0.002, loop.stop)
    loop._scheduled.append(Nosy())
    loop.run_forever()
    assert fired == [1]
    loop._scheduled.clear()


def test_a_timer_of_another_loop_runs_where_it_is_put(kind: Any) -> None:
    here, there = kind(), kind()
    fired: list[int] = []
    handles = [here.call_later(0.001, fired.append, i) for i in range(2)]
    here._scheduled.clear()
    here.close()
    for handle in handles:
        heapq.heappush(there._scheduled, handle)
    assert there._scheduled[0] in handles
    turn(there)
    assert set(there._scheduled) <= set(handles)
    there.call_later(0.01, there.stop)
    there.run_forever()
    there.close()
    assert fired == [0, 1]


def test_timers_moved_to_ready_by_hand(loop: Any) -> None:
    """What a copy of asyncio's _run_once() does."""
    seen: list[int] = []
    for i in (3, 1, 2):
        loop.call_later(1000 + i, seen.append, i)
    while loop._scheduled:
        handle = heapq.heappop(loop._scheduled)
        handle._scheduled = False
        assert not handle._scheduled
        loop._ready.append(handle)
    turn(loop)
    assert seen == [1, 2, 3]


def test_assigned_containers(loop: Any) -> None:
    seen: list[str] = []
    loop.call_soon(seen.append, "dropped")
    loop.call_later(0, seen.append, "dropped")
    loop._ready = deque([asyncio.Handle(seen.append, ("ready",), loop)])
    loop._scheduled = [asyncio.TimerHandle(0.0, seen.append, ("timer",), loop)]
    turn(loop)
    turn(loop)
    assert sorted(seen) == ["ready", "timer"]


def test_another_kind_of_container_is_refused(ours: Any) -> None:
    class Priorities(deque):  # type: ignore[type-arg]
        pass

    class Heap(list):  # type: ignore[type-arg]
        pass

    handle = ours.call_soon(print)
    timer = ours.call_later(1, print)
    for value in (Priorities(), [], None):
        with pytest.raises(TypeError, match=r"loop\._ready cannot be another container"):
            ours._ready = value
    for value in (Heap(), deque(), None):
        with pytest.raises(TypeError, match=r"loop\._scheduled cannot be another container"):
            ours._scheduled = value
    assert list(ours._ready) == [handle]
    assert list(ours._scheduled) == [timer]


def test_what_is_no_handle_is_refused(ours: Any) -> None:
    with pytest.raises(AttributeError, match="_cancelled"):
        ours._ready.append(42)
    with pytest.raises(AttributeError, match="_cancelled"):
        ours._ready.extend([42])
    seen: list[str] = []
    ours.call_at(0.0, seen.append, "kept")
    ours._scheduled.append("no timer")
    with pytest.raises(AttributeError, match="_cancelled"):
        turn(ours)
    turn(ours)
    assert seen == ["kept"]


# -- what is not asyncio's -----------------------------------------------------------


def test_a_job_that_has_ended_is_a_ready_handle(ours: Any) -> None:
    async def main() -> None:
        ended = threading.Event()
        future = ours.run_in_executor(None, ended.set)
        ended.wait()
        while not ours._ready:
            pass
        [handle] = ours._ready
        assert isinstance(handle, asyncio.Handle)
        assert ours._ready.popleft() is handle
        assert not future.done()
        handle._run()
        assert future.done()
        handle._run()  # does nothing
        await future

        futures = [ours.run_in_executor(None, int) for _ in range(10)]
        while not all(future.done() for future in futures):
            list(ours._ready)
            await asyncio.sleep(0)
        assert [future.result() for future in futures] == [0] * 10

    ours.run_until_complete(main())
    ours.run_until_complete(ours.shutdown_default_executor())


def test_jobs_that_run_while_somebody_makes_handles_of_them(
    ours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_stack = format_helpers.extract_stack
    running: list[Any] = []

    def runs_the_first(*args: Any) -> Any:
        if not running:
            running.append(True)
            with contextlib.suppress(IndexError):
                ours._ready.popleft()._run()
            gc.collect()
            running.clear()
        return extract_stack(*args)

    async def main() -> list[int]:
        ended = [threading.Event() for _ in range(5)]
        futures = [ours.run_in_executor(None, event.set) for event in ended]
        for event in ended:
            event.wait()
        await asyncio.to_thread(int)
        futures += [ours.run_in_executor(None, event.set) for event in ended]
        while len(ours._ready) < 5:
            pass
        ours.set_debug(True)
        with monkeypatch.context() as patch:
            patch.setattr(format_helpers, "extract_stack", runs_the_first)
            handles = list(ours._ready)
        ours.set_debug(False)
        for handle in handles:
            handle._run()
        del handles
        return [await future for future in futures]

    assert ours.run_until_complete(main()) == [None] * 10
    ours.run_until_complete(ours.shutdown_default_executor())


def test_other_threads_that_look_at_any_moment_lose_no_timer(ours: Any) -> None:
    added: list[Any] = []
    chance = random.Random(1)

    def other_threads(frame: Any, event: str, function: Any) -> None:
        if chance.random() < 0.2:
            added.append(ours.call_at(1e9 - len(added), print))
        if chance.random() < 0.1:
            in_thread(lambda: len(ours._scheduled))

    for _ in range(50):
        added.append(ours.call_at(1e9, print))
        sys.setprofile(other_threads)
        try:
            len(ours._scheduled)
        finally:
            sys.setprofile(None)
    assert {id(timer) for timer in ours._scheduled} == {id(timer) for timer in added}


def test_timers_of_devices_are_not_among_them_and_stay() -> None:
    async def main() -> tuple[str, list[Any]]:
        loop: Any = asyncio.get_running_loop()
        async with rc522.Reader("spi0.0", irq="GPIO24", reset="GPIO25") as reader:
            waiting = asyncio.create_task(reader.wait_for_tag())
            seen: list[Any] = []
            while not waiting.done():
                seen += [one for one in loop._scheduled if not isinstance(one, asyncio.TimerHandle)]
                await asyncio.sleep(0.001)
            return (await waiting).uid.hex(), seen

    with sim.Board("pi-zero-w", clock=pyasync_hw.VirtualClock()) as board:
        board.attach_rc522().present(sim.MifareClassic1K(uid="a61d227e"), at=0.05)
        assert pyasync_hw.run(main(), clock=board.clock) == ("a61d227e", [])


def test_figures_count_what_is_lent(ours: Any) -> None:
    for i in range(3):
        ours.call_later(i, print)
    assert ours.stats()["timers"] == len(ours._scheduled) == ours.stats()["timers"] == 3
    assert ours._timer_cancelled_count == 0
    ours._scheduled[0].cancel()
    assert ours._timer_cancelled_count == 1
    turn(ours)
    assert ours._timer_cancelled_count == 0
    assert ours.stats()["timers"] == 2


def test_a_loop_that_lends_is_freed(ours: Any) -> None:
    loop = pyasync_hw.new_event_loop()
    timers, ready = loop._scheduled, loop._ready
    handle = loop.call_later(1000, print, loop)
    heapq.heappush(loop._scheduled, asyncio.TimerHandle(1e9, print, (timers,), loop))
    loop.call_soon(print, loop, ready)
    assert len(timers) == 2
    loop.close()
    assert (list(timers), list(ready)) == ([], [])
    reference = weakref.ref(loop)
    del loop, timers, ready, handle
    gc.collect()
    assert reference() is None


def test_an_open_loop_that_lends_is_freed() -> None:
    loop: Any = pyasync_hw.new_event_loop()
    loop.call_later(1000, print, loop)
    heapq.heappush(loop._scheduled, asyncio.TimerHandle(1e9, print, (), loop))
    reference = weakref.ref(loop)
    with pytest.warns(ResourceWarning), contextlib.suppress(NameError):
        del loop
        gc.collect()
    assert reference() is None
