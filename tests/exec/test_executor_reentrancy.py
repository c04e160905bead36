"""Finalizers and callbacks that use the pool while it lets go of a job; hostile jobs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.thread import BrokenThreadPool
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw.executor import ThreadPoolExecutor

TIME_LIMIT = 30


class Finalizer:
    """An argument of a job: `action` runs when the last reference goes."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __del__(self) -> None:
        self.action()


class Hostile:
    """A function and argument that nothing may compare, hash, print or look through."""

    def __call__(self, *args: object) -> int:
        return len(args)

    def refuse(self, *args: object) -> Any:
        raise AssertionError("nobody's business")

    __eq__ = __ne__ = __hash__ = __repr__ = __str__ = __bool__ = __len__ = refuse  # type: ignore[assignment]


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What finalizers raised; by its text, which keeps nothing alive."""
    seen: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(str(args.exc_value)))
    yield seen


def block(pool: ThreadPoolExecutor) -> tuple[threading.Event, Any]:
    """Its only thread is busy until the event is set."""
    entered, opened = threading.Event(), threading.Event()

    def job() -> bool:
        entered.set()
        return opened.wait(TIME_LIMIT)

    future = pool.submit(job)
    assert entered.wait(TIME_LIMIT)
    return opened, future


def test_hostile_functions_and_arguments() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            hostile = Hostile()
            opened, _ = block(pool)
            queued = [pool.submit(hostile, hostile), loop.run_in_executor(pool, hostile, hostile)]
            dropped = [pool.submit(hostile, hostile), loop.run_in_executor(pool, hostile, hostile)]
            for future in dropped:
                future.cancel()
            opened.set()
            assert queued[0].result(TIME_LIMIT) == 1
            assert await queued[1] == 1

    pyasync_hw.run(main())


@pytest.mark.parametrize("way", ["run", "cancel", "drain"])
def test_a_finalizer_that_submits(way: str, unraisable: list[Any]) -> None:
    with ThreadPoolExecutor(1) as pool:
        later: list[Any] = []
        finalized = threading.Event()

        def action() -> None:
            try:
                later.append(pool.submit(pow, 2, 3))
            finally:
                finalized.set()

        opened, _ = block(pool)
        future = pool.submit(lambda _: None, Finalizer(action))
        if way == "cancel":
            assert future.cancel()
        elif way == "drain":
            pool.shutdown(wait=False, cancel_futures=True)
        opened.set()
        assert finalized.wait(TIME_LIMIT)
        if way == "drain":
            assert unraisable == ["cannot schedule new futures after shutdown"]
        else:
            assert later[0].result(TIME_LIMIT) == 8


def test_a_finalizer_that_submits_when_no_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it submits counts on the very thread that did not start: another is tried."""
    later: list[Any] = []
    plain = threading.Thread.start
    starts = iter([True])

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("odd") and next(starts, False):
            raise RuntimeError("can't start new thread")
        plain(thread)

    with ThreadPoolExecutor(1, "odd") as pool:
        monkeypatch.setattr(threading.Thread, "start", start)

        def submit(action: Callable[[], object]) -> None:
            pool.submit(pytest.fail, Finalizer(action))

        with pytest.raises(RuntimeError, match="can't start new thread"):
            submit(lambda: later.append(pool.submit(pow, 2, 3)))
        assert later[0].result(TIME_LIMIT) == 8


@pytest.mark.parametrize("way", ["run", "cancel", "drain"])
def test_a_finalizer_that_cancels_everything(way: str) -> None:
    """In the midst of a list that is being dropped; the others are dropped once."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            futures: list[Any] = []

            def action() -> None:
                for future in futures:
                    if isinstance(future, concurrent.futures.Future):
                        future.cancel()
                    else:
                        loop.call_soon_threadsafe(future.cancel)

            opened, busy = block(pool)
            futures.append(pool.submit(lambda _: None, Finalizer(action)))
            for _ in range(3):
                futures.append(pool.submit(Finalizer, int))
                futures.append(loop.run_in_executor(pool, Finalizer, int))
            if way == "cancel":
                assert futures[0].cancel()
            elif way == "drain":
                pool.shutdown(wait=False, cancel_futures=True)
            opened.set()
            mine = [future for future in futures if isinstance(future, asyncio.Future)]
            await asyncio.wait(mine)
            await loop.run_in_executor(None, concurrent.futures.wait, futures[:2])
            assert busy.result(TIME_LIMIT)
            if way != "run":
                assert all(future.cancelled() for future in futures)

    pyasync_hw.run(main())


@pytest.mark.parametrize("way", ["run", "cancel", "drain"])
def test_a_finalizer_that_shuts_down(way: str, unraisable: list[Any]) -> None:
    pool = ThreadPoolExecutor(1)
    finalized = threading.Event()

    def action() -> None:
        try:
            pool.shutdown(wait=way == "run", cancel_futures=True)
        finally:
            finalized.set()

    opened, busy = block(pool)
    first = pool.submit(lambda _: None, Finalizer(action))
    others = [pool.submit(pytest.fail) for _ in range(3)]
    if way == "cancel":
        assert first.cancel()
    elif way == "drain":
        pool.shutdown(wait=False, cancel_futures=True)
    opened.set()
    assert finalized.wait(TIME_LIMIT)
    pool.shutdown()
    assert busy.result(0)
    assert all(future.cancelled() for future in others)
    if way == "run":  # in the worker, which does not wait for itself
        assert unraisable == ["cannot join current thread"]


@pytest.mark.parametrize("way", ["cancel", "drain", "break"])
def test_callbacks_of_dropped_futures_use_the_pool(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Done callbacks run in the midst of the list: they submit, cancel and shut down."""
    opened = threading.Event()
    said: list[str] = []

    def begin() -> None:
        if way == "break":
            opened.wait(TIME_LIMIT)
            raise ValueError

    def call_back(_: Any) -> None:
        try:
            pool.submit(int)
            said.append("taken")
        except RuntimeError as error:
            said.append(str(error))
        for future in futures:
            future.cancel()
        pool.shutdown(wait=False, cancel_futures=True)

    pool = ThreadPoolExecutor(1, initializer=begin)
    if way != "break":
        gate, _ = block(pool)
    futures = [pool.submit(pytest.fail) for _ in range(4)]
    futures[0].add_done_callback(call_back)
    if way == "cancel":
        futures[0].cancel()
    elif way == "drain":
        pool.shutdown(wait=False, cancel_futures=True)
    opened.set()
    assert not concurrent.futures.wait(futures, TIME_LIMIT).not_done
    if way != "break":
        gate.set()
    pool.shutdown()
    expected = {
        "cancel": "taken",
        "drain": "cannot schedule new futures after shutdown",
        "break": "A thread initializer failed, the thread pool is not usable anymore",
    }
    assert said == [expected[way]]
    if way == "break":
        assert isinstance(futures[0].exception(0), BrokenThreadPool)
    caplog.clear()  # its traceback holds the thread's frame


def test_a_loop_whose_futures_cannot_be_watched() -> None:
    """Then nothing is queued: nobody would learn of a cancel."""

    class Odd(asyncio.Future[Any]):
        def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
            raise LookupError("odd")

    class OddLoop(pyasync_hw.EventLoop):
        odd = False

        def create_future(self) -> asyncio.Future[Any]:
            return Odd(loop=self) if self.odd else super().create_future()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, OddLoop)
        with ThreadPoolExecutor(1) as pool:
            loop.odd = True
            with pytest.raises(LookupError, match="odd"):
                loop.run_in_executor(pool, pytest.fail)
            loop.odd = False
            assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}

    with asyncio.Runner(loop_factory=OddLoop) as runner:
        runner.run(main())
