"""Executors, jobs and tokens leave nothing behind, whatever became of them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Iterator

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, VirtualClock, executor
from pyasync_hw.executor import ThreadPoolExecutor, current_token

from .growth import assert_no_growth


@pytest.fixture(params=["real", "virtual"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    clock = VirtualClock() if request.param == "virtual" else None
    factory = lambda: pyasync_hw.new_event_loop(clock)  # noqa: E731
    with asyncio.Runner(loop_factory=factory) as runner, ThreadPoolExecutor(2) as pool:
        runner.get_loop().set_default_executor(pool)
        yield runner


def until_idle(pool: ThreadPoolExecutor) -> None:
    """Its threads have let go of the jobs, too."""
    while (counts := pool.stats())["idle"] < counts["threads"]:
        os.sched_yield()


def test_executors_made_and_shut_down() -> None:
    def use() -> None:
        with ThreadPoolExecutor(2) as pool:
            pool.submit(int).result()

    assert_no_growth(use, calls=50)


def test_executors_that_are_dropped() -> None:
    def drop() -> None:
        pool = ThreadPoolExecutor(1)
        pool.submit(int)
        threads = list(pool._threads)
        del pool
        for thread in threads:
            thread.join()

    assert_no_growth(drop, calls=50)


def test_submitted_jobs() -> None:
    with ThreadPoolExecutor(2) as pool:

        def jobs() -> None:
            pool.submit(pow, 2, 3).result()
            assert pool.submit(divmod, 1, 0).exception() is not None
            _ = pool.submit(int).token
            until_idle(pool)

        assert_no_growth(jobs)


def test_jobs_of_a_loop(runner: asyncio.Runner) -> None:
    async def jobs() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, pow, 2, 3)
        await asyncio.to_thread(current_token)
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, divmod, 1, 0)
        with pytest.raises((TypeError, RuntimeError)):
            await loop.run_in_executor(None, next, iter(()))

    assert_no_growth(lambda: runner.run(jobs()))


def test_jobs_that_are_cancelled(runner: asyncio.Runner) -> None:
    async def cancels() -> None:
        loop = asyncio.get_running_loop()
        over = [asyncio.Event() for _ in range(2)]

        def wait(i: int) -> None:
            with pytest.raises(concurrent.futures.CancelledError):
                executor.sleep(3600)
            loop.call_soon_threadsafe(over[i].set)

        running = [loop.run_in_executor(None, wait, i) for i in range(2)]
        dropped = [loop.run_in_executor(None, pytest.fail) for _ in range(3)]
        await asyncio.sleep(0)
        for future in dropped:
            future.cancel()
        while loop._default_executor._work_queue.qsize():  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        for future in running:
            future.cancel()
        for event in over:
            await event.wait()
        barrier = threading.Barrier(2)  # both threads are through with those jobs
        await asyncio.gather(*[loop.run_in_executor(None, barrier.wait) for _ in range(2)])

    assert_no_growth(lambda: runner.run(cancels()), calls=50)


def test_tokens() -> None:
    def tokens() -> None:
        token = CancelToken()
        assert not token.wait(0)
        token.cancel()
        assert token.wait()
        with pytest.raises(ValueError):
            token.wait(float("nan"))

    assert_no_growth(tokens)


def test_loops_closed_with_jobs() -> None:
    with ThreadPoolExecutor(1) as pool:

        def close() -> None:
            loop = pyasync_hw.new_event_loop()
            opened = threading.Event()
            loop.run_in_executor(pool, opened.wait)
            loop.run_in_executor(pool, int)
            loop.close()
            opened.set()
            pool.submit(int).result()

        assert_no_growth(close, calls=50)


def test_a_default_executor_per_loop() -> None:
    assert_no_growth(lambda: pyasync_hw.run(asyncio.to_thread(int)), calls=30)
