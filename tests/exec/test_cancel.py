"""Cancelling the future of a job: a queued one is dropped, a running one's waits end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import random
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, VirtualClock, executor, gpio, rc522, sim
from pyasync_hw.executor import ThreadPoolExecutor, current_token

run = pyasync_hw.run


@pytest.fixture(params=["real", "virtual"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    clock = VirtualClock() if request.param == "virtual" else None
    with asyncio.Runner(loop_factory=lambda: pyasync_hw.new_event_loop(clock)) as runner:
        yield runner


@pytest.fixture
def board() -> Iterator[sim.Board]:
    with sim.Board("pi-zero-w") as board:
        yield board


async def cancelled_while_it_waits(wait: Callable[[], object]) -> list[BaseException]:
    """Run wait() in a job, cancel it when it waits, and return what it raised."""
    loop = asyncio.get_running_loop()
    entered, over = asyncio.Event(), asyncio.Event()
    raised: list[BaseException] = []

    def job() -> None:
        loop.call_soon_threadsafe(entered.set)
        try:
            wait()
        except BaseException as exc:
            raised.append(exc.with_traceback(None))
        finally:
            loop.call_soon_threadsafe(over.set)

    task = asyncio.create_task(asyncio.to_thread(job))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(over.wait(), 10)
    return raised


# -- queued ------------------------------------------------------------------


def test_a_queued_job_is_dropped(runner: asyncio.Runner) -> None:
    opened = threading.Event()

    class Big:
        pass

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            running = loop.run_in_executor(pool, opened.wait, 10)
            big = Big()
            alive = weakref.ref(big)
            futures = [loop.run_in_executor(pool, pytest.fail, big) for _ in range(5)]
            del big
            for future in futures:
                future.cancel()
            await asyncio.wait(futures)
            assert all(future.cancelled() for future in futures)
            assert alive() is None
            assert pool.stats()["queued"] == 0
            opened.set()
            assert await running

    runner.run(main())


def test_shutdown_with_cancel_futures_cancels_the_awaiting_future() -> None:
    entered, opened = threading.Event(), threading.Event()

    def job() -> None:
        entered.set()
        opened.wait(10)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1)
        running = loop.run_in_executor(pool, job)
        assert entered.wait(10)
        queued = loop.run_in_executor(pool, pytest.fail)
        pool.shutdown(wait=False, cancel_futures=True)
        with pytest.raises(asyncio.CancelledError):
            await queued
        opened.set()
        await running

    run(main())


# -- running -----------------------------------------------------------------


def test_sleep(runner: asyncio.Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await loop.run_in_executor(None, executor.sleep, 0.02)
        assert loop.time() - began >= 0.02
        began = loop.time()
        raised = await cancelled_while_it_waits(lambda: executor.sleep(3600))
        assert [type(exc) for exc in raised] == [concurrent.futures.CancelledError]

    runner.run(main())


def test_sleep_moves_the_virtual_clock() -> None:
    clock = VirtualClock()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        one = loop.run_in_executor(None, executor.sleep, 7200)
        two = loop.run_in_executor(None, executor.sleep, 3600)
        await two
        assert loop.time() == pytest.approx(3600)
        await one
        assert loop.time() == pytest.approx(7200)

    with asyncio.Runner(loop_factory=lambda: pyasync_hw.new_event_loop(clock)) as runner:
        runner.run(main())


def test_sleep_outside_of_a_job() -> None:
    assert current_token() is None
    began = time.monotonic()
    executor.sleep(0.02)
    assert time.monotonic() - began >= 0.02
    for bad in (float("nan"), None, "1", 10**400):
        with pytest.raises((TypeError, ValueError, OverflowError), match=r"^seconds "):
            executor.sleep(bad)  # type: ignore[arg-type]


def test_edges(runner: asyncio.Runner, board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input("GPIO17") as line:
            given = CancelToken()
            for wait in (
                lambda: line.blocking.wait_for_edge(),
                lambda: line.blocking.wait_for_edge(timeout=3600),
                lambda: line.blocking.wait_for_edge(token=given),
            ):
                raised = await cancelled_while_it_waits(wait)
                assert [type(exc) for exc in raised] == [concurrent.futures.CancelledError]
            assert not given.cancelled()
            given.cancel()  # a given token counts in a job too
            with pytest.raises(asyncio.CancelledError):
                await asyncio.to_thread(line.blocking.wait_for_edge, token=given)

    runner.run(main())


def test_tags(runner: asyncio.Runner, board: sim.Board) -> None:
    board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25", name="door")

    async def main() -> None:
        reader = rc522.Reader("spi0.0", irq="GPIO24", reset="GPIO25")
        try:
            await asyncio.to_thread(reader.blocking.open)
            for wait in (
                lambda: reader.blocking.wait_for_tag(),
                lambda: reader.blocking.wait_for_tag(token=CancelToken()),
            ):
                raised = await cancelled_while_it_waits(wait)
                assert [type(exc) for exc in raised] == [concurrent.futures.CancelledError]
        finally:
            reader.close()

    runner.run(main())


def test_a_reader_that_another_job_uses(runner: asyncio.Runner, board: sim.Board) -> None:
    """Waiting for its turn is a wait like any other."""
    board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25", name="door")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader = rc522.Reader("spi0.0", irq="GPIO24", reset="GPIO25")
        try:
            await asyncio.to_thread(reader.blocking.open)
            began = asyncio.Event()

            def use() -> None:
                loop.call_soon_threadsafe(began.set)
                reader.blocking.wait_for_tag()

            using = asyncio.create_task(asyncio.to_thread(use))
            await began.wait()
            raised = await cancelled_while_it_waits(lambda: reader.blocking.wait_for_tag())
            assert [type(exc) for exc in raised] == [concurrent.futures.CancelledError]
            given = CancelToken()
            waiting = asyncio.create_task(
                asyncio.to_thread(reader.blocking.wait_for_tag, token=given)
            )
            await asyncio.sleep(0)
            given.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert not using.done()
            using.cancel()
            await asyncio.wait([using])
            await loop.shutdown_default_executor()
        finally:
            reader.close()

    runner.run(main())


def test_a_wait_for_another_token(runner: asyncio.Runner) -> None:
    async def main() -> None:
        other = CancelToken()
        for wait in (other.wait, lambda: other.wait(3600), lambda: other.wait(token=CancelToken())):
            raised = await cancelled_while_it_waits(wait)
            assert [type(exc) for exc in raised] == [concurrent.futures.CancelledError]
        other.cancel()
        assert await asyncio.to_thread(other.wait)

    runner.run(main())


def test_a_cancelled_job_that_goes_on(runner: asyncio.Runner) -> None:
    """Each wait after the first is refused at once; other code runs undisturbed."""
    seen: list[object] = []

    def job() -> None:
        token = current_token()
        assert token is not None
        for _ in range(3):
            try:
                executor.sleep(3600)
            except concurrent.futures.CancelledError:
                seen.append(token.cancelled())
        seen.append(token.wait(0))

    async def main() -> None:
        await cancelled_while_it_waits(job)

    runner.run(main())
    assert seen == [True, True, True, True]


def test_user_code_polls_its_token() -> None:
    rounds: list[int] = []
    entered = threading.Event()

    def job() -> None:
        token = current_token()
        assert token is not None
        assert token is current_token()
        while not token.cancelled():
            rounds.append(1)
            entered.set()

    async def main() -> None:
        task = asyncio.create_task(asyncio.to_thread(job))
        await asyncio.to_thread(entered.wait, 10)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.get_running_loop().shutdown_default_executor()  # job() ended

    run(main())
    assert rounds


def test_the_token_is_that_of_this_job() -> None:
    tokens: list[CancelToken | None] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            for _ in range(3):
                await loop.run_in_executor(pool, lambda: tokens.append(current_token()))

    run(main())
    assert len({id(token) for token in tokens}) == 3
    assert not any(token is None or token.cancelled() for token in tokens)
    assert current_token() is None


def test_cancel_after_the_end_is_nothing() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        token: list[Any] = []
        future = loop.run_in_executor(None, lambda: token.append(current_token()))
        await future
        assert not future.cancel()
        assert not token[0].cancelled()

    run(main())


# -- CancelToken.wait() ------------------------------------------------------


def test_token_wait() -> None:
    token = CancelToken()
    began = time.monotonic()
    assert not token.wait(0.02)
    assert time.monotonic() - began >= 0.02
    assert not token.wait(0)
    assert not token.wait(-1)
    thread = threading.Thread(target=token.wait)
    thread.start()
    token.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert token.wait() and token.wait(0)
    with pytest.raises(ValueError, match="timeout"):
        token.wait(float("nan"))
    with pytest.raises(TypeError, match="timeout"):
        token.wait("1")  # type: ignore[arg-type]


def test_token_wait_runs_signal_handlers() -> None:
    token = CancelToken()
    old = signal.signal(signal.SIGUSR1, lambda *_: token.cancel())
    thread = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    thread.start()
    try:
        assert token.wait(10)
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, old)


def test_an_exception_of_a_signal_handler_ends_the_wait() -> None:
    def interrupt(*_: Any) -> None:
        raise InterruptedError("enough")

    old = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    thread.start()
    try:
        with pytest.raises(InterruptedError, match="enough"):
            executor.sleep(10)
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, old)


def test_no_descriptor_unless_somebody_waits() -> None:
    before = len(os.listdir("/proc/self/fd"))
    tokens = [CancelToken() for _ in range(100)]
    for token in tokens:
        token.cancel()
    assert len(os.listdir("/proc/self/fd")) == before
    for token in tokens:
        assert token.wait()


# -- storms ------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_storm_of_cancels(seed: int) -> None:
    """Jobs of all kinds, cancelled at any moment: each runs once or is dropped."""
    rng = random.Random(seed)
    began: list[int] = []
    ended: list[int] = []

    def job(i: int) -> int:
        began.append(i)
        try:
            if i % 3 == 0:
                executor.sleep(0.0001 * (i % 7))
        finally:
            ended.append(i)
        return i

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(4, idle_timeout=0.001) as pool:
            futures = []
            for i in range(1000):
                futures.append(loop.run_in_executor(pool, job, i))
                if rng.random() < 0.5:
                    rng.choice(futures).cancel()
                if rng.random() < 0.02:
                    await asyncio.sleep(0)
                if rng.random() < 0.01:
                    await asyncio.sleep(0.002)
            await asyncio.wait(futures)
            for i, future in enumerate(futures):
                if not future.cancelled():
                    assert future.result() == i
        assert sorted(began) == sorted(ended)
        assert len(set(began)) == len(began)
        done = {i for i, future in enumerate(futures) if not future.cancelled()}
        assert done <= set(began)

    run(main())
    gc.collect()


def test_timeouts_of_waits(board: sim.Board) -> None:
    """asyncio.timeout() around a job: what people write, and it ends the job."""

    async def main() -> None:
        with gpio.Input("GPIO17") as line:
            for _ in range(50):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.001):
                        await asyncio.to_thread(line.blocking.wait_for_edge)
            await asyncio.get_running_loop().shutdown_default_executor()

    run(main())
