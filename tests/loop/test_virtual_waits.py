"""Threads that wait on a VirtualClock, with a loop on it, before one and after one."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import VirtualClock, executor, gpio, sim

MS = 1_000_000  # ns
REAL_TIMEOUT = 60.0  # s: never reached, but by a defect


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def short_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def run(main: Coroutine[Any, Any, Any], clock: VirtualClock) -> Any:
    return pyasync_hw.run(main, clock=clock)


def pool_of(kind: str, threads: int) -> concurrent.futures.ThreadPoolExecutor:
    if kind == "ours":
        return executor.ThreadPoolExecutor(threads)
    return concurrent.futures.ThreadPoolExecutor(threads)


@pytest.mark.parametrize("kind", ["ours", "asyncio's"])
def test_more_jobs_than_threads_sleep(kind: str, clock: VirtualClock) -> None:
    """Two threads, three waits of a second each: the third begins when one has ended."""

    async def main() -> float:
        with sim.Board(clock=clock) as board, pool_of(kind, 2) as pool:
            lines = [gpio.Input(pin, board=board) for pin in (17, 22, 27)]

            def job(line: gpio.Input) -> None:
                with pytest.raises(TimeoutError):
                    line.blocking.wait_for_edge(timeout=1.0)

            loop = asyncio.get_running_loop()
            await asyncio.gather(*[loop.run_in_executor(pool, job, line) for line in lines])
            for line in lines:
                line.close()
            return loop.time()

    assert run(main(), clock) == 2.0


def test_a_queued_job_holds_when_a_thread_is_there_for_it(clock: VirtualClock) -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        with executor.ThreadPoolExecutor(1) as pool:
            late = asyncio.ensure_future(asyncio.sleep(3600))
            for _ in range(100):
                await loop.run_in_executor(pool, int)
            now = loop.time()
            await loop.run_in_executor(pool, executor.sleep, 1)
            late.cancel()
            return [now, loop.time()]

    assert run(main(), clock) == [0.0, 1.0]


class TestCallbackThatWaits:
    """It blocks the loop, as it would in real time; and is not waited for, for ever."""

    @staticmethod
    def outcome(clock: VirtualClock, wait: Callable[[], object]) -> Any:
        async def main() -> Any:
            done = threading.Event()
            outcomes: list[Any] = []

            def job() -> None:
                try:
                    wait()
                    outcomes.append(clock.time())
                except BaseException as exc:
                    outcomes.append(exc)
                done.set()

            future = asyncio.get_running_loop().run_in_executor(None, job)
            done.wait()
            await future
            return outcomes[0]

        return run(main(), clock)

    def test_for_a_job_that_sleeps(self, clock: VirtualClock) -> None:
        assert self.outcome(clock, lambda: executor.sleep(2.5)) == 2.5

    def test_for_a_job_that_sleeps_often(self, clock: VirtualClock) -> None:
        def naps() -> None:
            for _ in range(20):
                executor.sleep(0.125)

        assert self.outcome(clock, naps) == 2.5

    def test_for_a_job_that_waits_for_ever(self, clock: VirtualClock) -> None:
        def wait() -> None:
            token = executor.current_token()
            assert token is not None
            token.wait()

        assert isinstance(self.outcome(clock, wait), pyasync_hw.SleepForeverError)


def in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def sleep_often() -> None:
    """Longer, in sum, than the patience with one sleep."""
    for _ in range(40):
        time.sleep(0.01)


@contextlib.contextmanager
def many_idle_threads() -> Iterator[None]:
    """So it takes a while to look at all threads, one after the other."""
    end = threading.Event()
    threads = [threading.Thread(target=end.wait) for _ in range(100)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join()


def sleep_in_turns() -> None:
    """Now one thread is asleep on a lock, now the other, and never both."""
    here, there = threading.Lock(), threading.Lock()
    here.acquire()
    there.acquire()

    def answer() -> None:
        for _ in range(20_000):
            here.acquire()
            there.release()

    with many_idle_threads():
        other = threading.Thread(target=answer)
        other.start()
        for _ in range(20_000):
            here.release()
            there.acquire()
        other.join()


def ask_for_the_time(clock: VirtualClock) -> None:
    with many_idle_threads():
        in_thread(lambda: collections.deque((clock.time() for _ in range(2_000_000)), 0))


def wait_for_a_process() -> None:
    """On a lock that it shares with us, as multiprocessing's are."""
    lock = multiprocessing.get_context("fork").Semaphore(0)
    pid = os.fork()
    if pid == 0:
        time.sleep(0.3)
        lock.release()
        os._exit(0)
    lock.acquire()
    os.waitpid(pid, 0)


REAL_WORK: dict[str, Callable[[VirtualClock], object]] = {
    "a sleep": lambda clock: time.sleep(0.3),
    "a lock, with a limit": lambda clock: threading.Event().wait(0.1),
    "a process's lock": lambda clock: wait_for_a_process(),
    "a thread that has ended": lambda clock: in_thread(lambda: None),
    "a thread that sleeps a little": lambda clock: in_thread(lambda: time.sleep(0.03)),
    "a thread that sleeps": lambda clock: in_thread(lambda: time.sleep(0.1)),
    "a thread that sleeps often": lambda clock: in_thread(sleep_often),
    "a thread that waits": lambda clock: in_thread(lambda: threading.Event().wait(0.1)),
    "a timer": lambda clock: in_thread(lambda: threading.Timer(0.1, int).run()),
    "threads in turn": lambda clock: in_thread(sleep_in_turns),
    "a thread that asks for the time": ask_for_the_time,
}


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("work", REAL_WORK)
def test_a_callback_that_waits_for_something_real_is_waited_for(
    clock: VirtualClock, work: str
) -> None:
    """Who sleeps, reads or has a child comes back, though nobody computes."""

    async def main() -> tuple[list[float], float]:
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(None, executor.sleep, 10)
        seen: list[float] = []
        loop.call_later(1, lambda: seen.append(loop.time()))
        REAL_WORK[work](clock)
        seen.append(loop.time())
        await job
        return seen, loop.time()

    assert run(main(), clock) == ([0.0, 1.0], 10.0)


def test_a_heartbeat_beside_a_callback_that_is_stuck(clock: VirtualClock) -> None:
    """A thread that is awake now and then is not taken for help for ever."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.05):
            pass

    async def main() -> float:
        done = threading.Event()

        def job() -> None:
            executor.sleep(2.5)
            done.set()

        future = asyncio.get_running_loop().run_in_executor(None, job)
        done.wait()
        await future
        return clock.time()

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        assert run(main(), clock) == 2.5
    finally:
        ended.set()
        heart.join()


def test_a_callback_that_computes_is_waited_for(clock: VirtualClock) -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(None, executor.sleep, 1)
        rounds = 0
        while rounds < 3_000_000:  # some tenths of a second
            rounds += 1
        times = [loop.time()]
        await job
        return [*times, loop.time()]

    assert run(main(), clock) == [0.0, 1.0]


def test_a_loop_sleeps_while_a_job_runs(clock: VirtualClock) -> None:
    """It has been woken before, by which its wake-up stays readable."""
    thread = threading.get_native_id()

    def sees_it_sleep() -> bool:
        end = time.monotonic() + REAL_TIMEOUT
        while time.monotonic() < end:
            with open(f"/proc/self/task/{thread}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "S":
                    return True
            time.sleep(0.001)
        return False

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, executor.sleep, 1)
        await loop.run_in_executor(None, sees_it_sleep)
        return await loop.run_in_executor(None, sees_it_sleep)

    assert run(main(), clock)


def test_a_job_that_still_sleeps_when_the_loop_is_closed(clock: VirtualClock) -> None:
    ended: list[float] = []

    def job() -> None:
        executor.sleep(5)
        ended.append(clock.time())

    async def main() -> None:
        asyncio.get_running_loop().run_in_executor(None, job)

    run(main(), clock)
    assert ended == [5.0]


def test_nothing_is_due_for_loop_and_thread(clock: VirtualClock) -> None:
    ended: list[bool] = []

    def job() -> None:
        token = executor.current_token()
        assert token is not None
        try:
            token.wait()
        finally:
            ended.append(True)  # by the error, or cancelled with the main task

    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, job)

    with pytest.raises(pyasync_hw.SleepForeverError):
        run(main(), clock)
    assert ended == [True]


@pytest.mark.parametrize("work", ["child", "job"])
def test_a_strangers_wait_makes_up_for_no_hold(work: str, clock: VirtualClock) -> None:
    """A thread that holds nothing waits for an edge while something else holds the clock."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        with sim.Board(clock=clock) as board, gpio.Input(17, board=board) as line:
            stranger = threading.Thread(
                target=lambda: line.blocking.wait_for_edge("rising"), daemon=True
            )
            stranger.start()
            late = loop.call_later(3600, board.line(17).drive, 1)
            if work == "child":
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", "input()", stdin=subprocess.PIPE
                )
                assert child.stdin is not None
                end = loop.call_soon_threadsafe
                threading.Timer(0.05, end, (child.stdin.close,)).start()
                assert await child.wait() == 1
            else:
                release = threading.Event()
                threading.Timer(0.05, release.set).start()
                await loop.run_in_executor(None, release.wait, REAL_TIMEOUT)
            now = loop.time()
            late.cancel()
            board.line(17).drive(1)
            await asyncio.to_thread(stranger.join)
            return now

    assert run(main(), clock) == 0.0


def test_two_loops_one_after_the_other_beside_a_job(clock: VirtualClock) -> None:
    woken: list[int] = []
    first, second = (pyasync_hw.new_event_loop(clock) for _ in range(2))
    with executor.ThreadPoolExecutor(1) as pool:

        def job() -> None:
            for _ in range(50):
                before = clock.time_ns()
                executor.sleep(0.002)
                woken.append(clock.time_ns() - before)

        future = first.run_in_executor(pool, job)
        for _ in range(20):
            for loop in (first, second):
                before = clock.time_ns()
                loop.run_until_complete(asyncio.sleep(0.003))
                assert clock.time_ns() >= before + 3 * MS
        first.run_until_complete(future)
    first.close()
    second.close()
    assert len(woken) == 50
    assert min(woken) >= 2 * MS


@pytest.mark.parametrize("seed", range(4))
def test_loops_that_come_and_go_beside_jobs(
    seed: int, clock: VirtualClock, short_switches: None
) -> None:
    """No wait is lost, none ends early, and nobody overtakes a timer of the loop that runs."""
    rng = random.Random(seed)
    problems: list[str] = []
    rounds = 60

    def job(durations: list[int]) -> None:
        for duration in durations:
            before = clock.time_ns()
            executor.sleep(duration / 1000)
            if clock.time_ns() < before + duration * MS:
                problems.append(f"a sleep of {duration} ms ended early")

    async def turn(durations: list[int]) -> None:
        for duration in durations:
            before = clock.time_ns()
            await asyncio.sleep(duration / 1000)
            late = clock.time_ns() - before - duration * MS
            if not 0 <= late <= 1:  # a duration in seconds is rounded up
                problems.append(f"a timer of {duration} ms was {late} ns late")

    loop = pyasync_hw.new_event_loop(clock)
    futures = []
    with executor.ThreadPoolExecutor(3) as pool:
        for _ in range(rounds):
            naps = [rng.randrange(1, 50) for _ in range(rng.randrange(6))]
            futures.append(loop.run_in_executor(pool, job, naps))
            loop.run_until_complete(turn([rng.randrange(1, 20) for _ in range(3)]))
            if rng.random() < 0.3:
                for _ in range(rng.randrange(3000)):  # no loop runs for a while
                    pass
        loop.run_until_complete(asyncio.gather(*futures))
    loop.close()
    assert problems == []
