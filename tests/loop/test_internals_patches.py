"""Patches of asyncio's classes, and overrides of the turn, reach our loops as they do asyncio's."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import heapq
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import pyasync_hw
from pyasync_hw import rc522, sim
from pyasync_hw.loop import patches

BOTH: dict[str, Any] = {"asyncio": asyncio.SelectorEventLoop, "pyasync_hw": pyasync_hw.EventLoop}


@pytest.fixture(params=BOTH)
def kind(request: pytest.FixtureRequest) -> Any:
    return BOTH[request.param]


@contextlib.contextmanager
def opened(kind: Any, *args: Any) -> Iterator[Any]:
    loop = kind(*args)
    try:
        yield loop
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


@contextlib.contextmanager
def counted(cls: type, name: str, calls: Counter[str]) -> Iterator[None]:
    original = getattr(cls, name)

    @functools.wraps(original)
    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        return original(self, *args, **kwargs)

    with mock.patch.object(cls, name, counting):
        yield


async def program() -> list[Any]:
    """A bit of everything."""
    loop: Any = asyncio.get_running_loop()
    results: list[Any] = []
    loop.call_soon(results.append, "soon")
    loop.call_later(0.001, results.append, "later")
    loop.call_at(loop.time() + 0.002, results.append, "at")
    loop.call_later(60, results.append, "never").cancel()
    posted = loop.create_future()
    thread = threading.Thread(
        target=lambda: loop.call_soon_threadsafe(posted.set_result, "from a thread")
    )
    thread.start()
    results.append(await posted)
    thread.join()
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        other.send(b"bytes")
        results.append(await loop.sock_recv(one, 10))
        loop.call_later(0.001, other.send, b"more")
        results.append(await loop.sock_recv(one, 10))
    results.append(await loop.run_in_executor(None, lambda: 6 * 7))
    results.append(await asyncio.wait_for(asyncio.create_task(asyncio.sleep(0.003, "task")), 60))
    return sorted(map(str, results))


RIGHT = sorted(
    ["soon", "later", "at", "from a thread", "b'bytes'", "b'more'", "42", "task"]
)  # fmt: skip

METHODS = [
    "call_soon", "call_later", "call_at", "call_soon_threadsafe", "create_task", "create_future",
    "run_in_executor", "time", "is_running", "get_debug", "run_forever", "run_until_complete",
    "_run_once", "_add_callback", "_check_closed", "stop",
]  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_a_patched_method_is_called_until_it_is_not_patched(kind: Any, name: str) -> None:
    calls: Counter[str] = Counter()
    with opened(kind) as old:
        with counted(asyncio.BaseEventLoop, name, calls):
            with opened(kind) as new:
                assert new.run_until_complete(program()) == RIGHT
            in_new = calls[name]
            assert in_new > 0
            assert old.run_until_complete(program()) == RIGHT
            assert calls[name] > in_new
        calls.clear()
        assert old.run_until_complete(program()) == RIGHT
        assert not calls


@pytest.mark.parametrize("name", ["call_later", "call_at", "create_task", "run_in_executor"])
def test_it_is_called_as_often_as_with_asyncios_loop(name: str) -> None:
    calls = {kind: Counter[str]() for kind in BOTH}
    for which, kind in BOTH.items():
        with counted(asyncio.BaseEventLoop, name, calls[which]), opened(kind) as loop:
            loop.run_until_complete(program())
    assert calls["pyasync_hw"] == calls["asyncio"]


def test_patched_on_the_selector_loop(kind: Any) -> None:
    calls: Counter[str] = Counter()
    with counted(asyncio.SelectorEventLoop, "call_soon", calls), opened(kind) as loop:
        assert loop.run_until_complete(program()) == RIGHT
    assert calls["call_soon"] > 0


def test_patched_inside_a_run(kind: Any) -> None:
    calls: Counter[str] = Counter()

    async def main() -> None:
        with counted(asyncio.BaseEventLoop, "call_later", calls):
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        assert calls["call_later"] == 1
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        assert calls["call_later"] == 1

    with opened(kind) as loop:
        loop.run_until_complete(main())


def test_patched_for_the_thousandth_time() -> None:
    """Python gives a class 1000 versions, and from then on none."""
    script = """
import asyncio, pyasync_hw
loop = pyasync_hw.new_event_loop()
for number in range(1100):
    asyncio.BaseEventLoop.number = asyncio.Handle.number = number
    loop.number, asyncio.Handle.number
calls = []
call_later, run = asyncio.BaseEventLoop.call_later, asyncio.Handle._run
async def main():
    asyncio.BaseEventLoop.call_later = lambda *args, **_: calls.append(1) or call_later(*args)
    asyncio.Handle._run = lambda self: calls.append(2) or run(self)
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    assert {*calls} == {1, 2}, calls
    asyncio.BaseEventLoop.call_later, asyncio.Handle._run = call_later, run
    await asyncio.sleep(0)
    calls.clear()
    await asyncio.sleep(0.001)
    assert not calls, calls
loop.run_until_complete(main())
loop.close()
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_whatever_kind_of_object_it_is() -> None:
    """So many patches leave asyncio's classes without a version, hence in another process."""
    tests = Path(__file__).with_name("internals_kinds.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def test_a_patch_that_wraps_nothing_decides(kind: Any) -> None:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise LookupError("patched")

    with opened(kind) as loop:
        with (
            mock.patch.object(asyncio.BaseEventLoop, "call_later", refuse),
            pytest.raises(LookupError, match="patched"),
        ):
            loop.run_until_complete(asyncio.sleep(0.001))
        loop.run_until_complete(asyncio.sleep(0.001))


def test_all_of_them_at_once_in_debug_mode(kind: Any) -> None:
    calls: Counter[str] = Counter()
    with contextlib.ExitStack() as patches:
        for name in METHODS:
            patches.enter_context(counted(asyncio.BaseEventLoop, name, calls))
        with opened(kind) as loop:
            loop.set_debug(True)
            assert loop.run_until_complete(program()) == RIGHT
    assert set(calls) == set(METHODS)


def test_two_threads_see_that_a_patch_is_undone() -> None:
    real = asyncio.BaseEventLoop.call_soon
    with counted(asyncio.BaseEventLoop, "call_soon", Counter()), opened(pyasync_hw.EventLoop):
        pass
    assert asyncio.BaseEventLoop.call_soon is real
    threads = []

    def another_is_first(frame: Any, event: str, function: Any) -> None:
        if event == "c_call" and function is delattr:
            threads.append(threading.Thread(target=pyasync_hw.new_event_loop().close))
            threads[-1].start()
            threads[-1].join()

    sys.setprofile(another_is_first)
    try:
        pyasync_hw.new_event_loop().close()
    finally:
        sys.setprofile(None)
    assert threads


def test_patched_while_somebody_looks_for_patches() -> None:
    """By another thread, say."""

    class Loop(pyasync_hw.EventLoop):  # nobody has looked at it
        pass

    calls: Counter[str] = Counter()
    with contextlib.ExitStack() as patch:

        def patch_when_it_has_looked(frame: Any, event: str, _: object) -> None:
            if event == "return" and frame.f_code is patches.notice.__code__ and not patched:
                patched.append(True)
                patch.enter_context(counted(asyncio.BaseEventLoop, "call_soon", calls))
                assert Loop.call_soon  # a look-up: the class has a version again

        patched: list[bool] = []
        sys.setprofile(patch_when_it_has_looked)
        try:
            loop = Loop()
        finally:
            sys.setprofile(None)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    assert patched and calls["call_soon"] > 0


def test_a_patched_executor_holds_a_virtual_clock() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        timer = loop.create_task(asyncio.sleep(3600))
        await loop.run_in_executor(None, time.sleep, 0.01)
        assert not timer.done()
        return loop.time() - began

    calls: Counter[str] = Counter()
    with counted(asyncio.BaseEventLoop, "run_in_executor", calls):
        assert pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock()) < 3600
    assert calls["run_in_executor"] == 1


# -- handles -------------------------------------------------------------------------


def test_a_patched_run_of_handles_sees_each(kind: Any) -> None:
    """aiodebug times callbacks so."""
    seen: list[Any] = []
    original = asyncio.Handle._run

    def timed(self: Any) -> Any:
        seen.append(self)
        return original(self)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, len, "timer")
        await asyncio.sleep(0.002)
        loop.call_soon(len, 5)  # raises

    with opened(kind) as loop:
        failures: list[Any] = []
        loop.set_exception_handler(lambda _, context: failures.append(context))
        with mock.patch.object(asyncio.Handle, "_run", timed):
            loop.run_until_complete(main())
            loop.call_soon(loop.stop)
            loop.run_forever()
        assert {type(handle) for handle in seen} <= {
            type(loop.call_soon(len, "")),
            type(loop.call_later(0, len, "")),
            asyncio.Handle,
        }
        assert any(isinstance(handle, asyncio.TimerHandle) for handle in seen)
        assert [str(failure["exception"]) for failure in failures] == [
            "object of type 'int' has no len()"
        ]
        seen.clear()
        loop.run_until_complete(asyncio.sleep(0.001))
        assert seen == []


def test_it_is_seen_inside_a_run_and_in_debug_mode(kind: Any) -> None:
    count = 0
    original = asyncio.Handle._run

    def counting(self: Any) -> Any:
        nonlocal count
        count += 1
        return original(self)

    async def main(turns: int) -> int:
        with mock.patch.object(asyncio.Handle, "_run", counting):
            for _ in range(turns):
                await asyncio.sleep(0)
        return count

    for debug in (False, True):
        count = 0
        with opened(kind) as loop:
            loop.set_debug(debug)
            assert loop.run_until_complete(main(10)) == 10


@pytest.mark.parametrize("allocations", range(8))
def test_no_memory_to_look_for_it_is_no_answer(allocations: int) -> None:
    testcapi = pytest.importorskip("_testcapi", reason="CPython's own test module is not installed")
    seen: list[Any] = []

    def run(handle: Any) -> None:
        seen.append(handle)

    with opened(pyasync_hw.EventLoop) as loop:
        first, second = loop.call_soon(str), loop.call_soon(str)
        with mock.patch.object(asyncio.Handle, "_run", run):
            testcapi.set_nomemory(allocations, allocations + 1)
            try:
                first._run()
            except MemoryError:
                pass
            finally:
                testcapi.remove_mem_hooks()
            second._run()
            assert seen[-1] is second


def test_what_is_patched_when_a_patch_is_dropped() -> None:
    real = asyncio.Handle._run  # type: ignore[attr-defined]
    seen: list[Any] = []

    class First:
        def __call__(self) -> None:
            pass

        def __del__(self) -> None:
            asyncio.Handle._run = lambda handle: seen.append(handle)  # type: ignore[attr-defined]
            assert asyncio.Handle._run is not real  # type: ignore[attr-defined]

    with opened(pyasync_hw.EventLoop) as loop:
        try:
            asyncio.Handle._run = First()  # type: ignore[attr-defined]
            loop.call_soon(print)._run()
            asyncio.Handle._run = real  # type: ignore[attr-defined]
            loop.call_soon(print)._run()
            handle = loop.call_soon(print)
            handle._run()
            assert seen[-1] is handle
        finally:
            asyncio.Handle._run = real  # type: ignore[attr-defined]


def test_an_exit_from_a_patched_run_ends_the_run(kind: Any) -> None:
    def leave(self: Any) -> None:
        raise SystemExit(3)

    with opened(kind) as loop, mock.patch.object(asyncio.Handle, "_run", leave):
        loop.call_soon(len, "")
        with pytest.raises(SystemExit):
            loop.run_forever()


# -- turns that are not ours ---------------------------------------------------------


def with_run_once(kind: Any) -> Any:
    class Counting(kind):  # type: ignore[misc]
        turns = 0

        def _run_once(self) -> None:
            self.turns += 1
            super()._run_once()

    return Counting


def with_a_turn_of_its_own(kind: Any) -> Any:
    class Own(kind):  # type: ignore[misc]
        turns = 0

        def _run_once(self) -> None:
            """As test clocks have it."""
            self.turns += 1
            ready, scheduled = self._ready, self._scheduled
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)
            timeout = None
            if ready or self._stopping:
                timeout = 0
            elif scheduled:
                timeout = max(scheduled[0]._when - self.time(), 0)
            self._process_events(self._selector.select(timeout))
            while scheduled and scheduled[0]._when < self.time() + self._clock_resolution:
                handle = heapq.heappop(scheduled)
                handle._scheduled = False
                ready.append(handle)
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()

    return Own


def with_time(kind: Any) -> Any:
    class Shifted(kind):  # type: ignore[misc]
        turns = 1
        shift = 0.0

        def time(self) -> float:
            return float(super().time()) + self.shift

    return Shifted


def with_process_events(kind: Any) -> Any:
    class Watching(kind):  # type: ignore[misc]
        turns = 0

        def _process_events(self, event_list: Any) -> None:
            self.turns += len(event_list)
            super()._process_events(event_list)

    return Watching


def with_add_callback(kind: Any) -> Any:
    class Adding(kind):  # type: ignore[misc]
        turns = 0

        def _add_callback(self, handle: Any) -> None:
            self.turns += 1
            super()._add_callback(handle)

    return Adding


@pytest.mark.parametrize(
    "override",
    [with_run_once, with_a_turn_of_its_own, with_time, with_process_events, with_add_callback],
)
def test_an_overridden_turn(kind: Any, override: Callable[[Any], Any]) -> None:
    with opened(override(kind)) as loop:
        seen: list[str] = []
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "signal")
        loop.call_later(0.001, signal.raise_signal, signal.SIGUSR1)
        assert loop.run_until_complete(program()) == RIGHT
        assert loop.turns > 0
        assert seen == ["signal"]
        loop.remove_signal_handler(signal.SIGUSR1)


def test_what_time_says_is_what_timers_go_by(kind: Any) -> None:
    with opened(with_time(kind)) as loop:

        async def main() -> tuple[float, bool]:
            began = loop.time()
            hour = loop.create_task(asyncio.sleep(3600))
            longer = loop.create_task(asyncio.sleep(9000))
            await asyncio.sleep(0)
            loop.shift = 3600.0
            await hour
            return loop.time() - began, longer.cancel()

        took, was_waiting = loop.run_until_complete(main())
        assert 3600 <= took < 3700
        assert was_waiting


def test_a_clock_that_is_patched_into_a_running_loop(kind: Any) -> None:
    """aiotools.VirtualClock does so: each wait of the selector is a step of the clock."""

    async def main() -> list[float]:
        loop: Any = asyncio.get_running_loop()
        now = [0.0]
        select = loop._selector.select

        def step(timeout: float | None) -> Any:
            if timeout is not None:
                now[0] += timeout
            return select(0)

        with (
            mock.patch.object(loop._selector, "select", new=step),
            mock.patch.object(loop, "time", new=lambda: now[0]),
        ):
            await asyncio.sleep(3600)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.sleep(86400), 7200)
            times = [now[0], loop.time()]
        await asyncio.sleep(0.001)
        assert abs(loop.time() - time.monotonic()) < 60
        return times

    with opened(kind) as loop:
        assert loop.run_until_complete(main()) == [10800.0, 10800.0]
        assert loop.run_until_complete(program()) == RIGHT


def test_select_that_another_thread_ends_tells_of_it(kind: Any) -> None:
    """looptime takes an empty list for the end of the timeout, and moves its clock."""
    with opened(kind) as loop:
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(len,))
        for begin in (thread.start, lambda: loop.run_in_executor(None, len, "")):
            begin()
            [(key, mask)] = loop._selector.select(3600)
            assert (key.fd, mask) == (loop._ssock.fileno(), 1)
            loop._read_from_self()
            loop._ready.clear()
        thread.join()


def test_run_once_that_is_set_on_one_loop(kind: Any) -> None:
    with opened(kind) as loop, opened(kind) as other:
        turns = [0]
        original = loop._run_once

        def counting() -> None:
            turns[0] += 1
            original()

        loop._run_once = counting
        assert loop.run_until_complete(program()) == RIGHT
        seen = turns[0]
        assert seen > 0
        assert other.run_until_complete(program()) == RIGHT
        del loop._run_once
        assert loop.run_until_complete(program()) == RIGHT
        assert turns[0] == seen


def test_an_overridden_call_at_has_what_call_later_sets(kind: Any) -> None:
    class Rounding(kind):  # type: ignore[misc]
        def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
            seen.append(callback)
            return super().call_at(when, callback, *args, context=context)

    seen: list[Any] = []
    with opened(Rounding) as loop:
        loop.call_later(60, len).cancel()
        assert seen == [len]
        assert loop.run_until_complete(program()) == RIGHT


def test_single_turns_by_hand(kind: Any) -> None:
    with opened(kind) as loop:
        seen: list[int] = []
        loop.call_soon(lambda: loop.call_soon(seen.append, 2))
        loop.call_soon(seen.append, 1)
        loop._run_once()
        assert seen == [1]
        loop._run_once()
        assert seen == [1, 2]


def test_patched_turns_serve_devices_and_children_and_virtual_time() -> None:
    class Own(with_a_turn_of_its_own(pyasync_hw.EventLoop)):  # type: ignore[misc]
        pass

    async def main() -> tuple[str, int, bytes]:
        loop = asyncio.get_running_loop()
        async with rc522.Reader("spi0.0", irq="GPIO24", reset="GPIO25") as reader:
            tag = await reader.wait_for_tag()
        child = await asyncio.create_subprocess_exec("echo", "child", stdout=-1)
        output, _ = await child.communicate()
        await loop.run_in_executor(None, time.sleep, 0.001)
        await asyncio.sleep(3600)
        return tag.uid.hex(), child.returncode or 0, output

    clock = pyasync_hw.VirtualClock()
    with sim.Board("pi-zero-w", clock=clock) as board:
        board.attach_rc522().present(sim.MifareClassic1K(uid="a61d227e"), at=0.5)
        with opened(functools.partial(Own, clock=clock)) as loop:
            assert loop.run_until_complete(main()) == ("a61d227e", 0, b"child\n")
            assert loop.turns > 0
            with pytest.raises(pyasync_hw.SleepForeverError):
                loop.run_until_complete(loop.create_future())


def test_timeouts_of_select(kind: Any) -> None:
    with opened(kind) as loop:
        for timeout in (0, -1, 0.0001):
            assert loop._selector.select(timeout) == []
        one, other = socket.socketpair()
        with one, other:
            loop.add_writer(one, print)
            for timeout in (0, 1e6, None):
                [(key, mask)] = loop._selector.select(timeout)
                assert (key.fd, mask) == (one.fileno(), 2)
            loop.remove_writer(one)
        loop._ready.clear()


def test_select_for_ever() -> None:
    with opened(pyasync_hw.EventLoop) as loop:
        for timeout in (1e10, 1e300, float("inf")):
            loop.call_soon(print)
            assert loop._selector.select(timeout) == []
            loop._ready.clear()
        with pytest.raises(ValueError, match="NaN"):
            loop._selector.select(float("nan"))


def test_another_selector_is_refused() -> None:
    import selectors

    with opened(pyasync_hw.EventLoop) as loop:
        with pytest.raises(TypeError, match="poller of its own"):
            loop._selector = selectors.SelectSelector()
        with pytest.raises(NotImplementedError, match="add_reader"):
            loop._selector.register(0, selectors.EVENT_READ)


def test_an_error_in_the_selector_ends_the_run(kind: Any) -> None:
    with opened(kind) as loop:

        def fail(timeout: float | None) -> None:
            raise OSError("no poll")

        with mock.patch.object(loop._selector, "select", new=fail):
            loop.call_soon(print)
            with pytest.raises(OSError, match="no poll"):
                loop.run_forever()
