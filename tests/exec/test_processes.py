"""Beside native workers: forked children and process pools, by fork and by spawn."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from semaphores import has_semaphores

import pyasync_hw
from pyasync_hw import executor
from pyasync_hw.executor import ThreadPoolExecutor


def in_child(work: Callable[[], object]) -> str:
    """What work() returns in a forked child, as text."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads and fork, since 3.12
        pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            answer = str(work())
        except BaseException:
            answer = traceback.format_exc()
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return answer


async def sum_of_squares() -> int:
    return sum(await asyncio.gather(*[asyncio.to_thread(pow, i, 2) for i in range(20)]))


def test_a_child_has_executors_of_its_own() -> None:
    entered, opened = threading.Event(), threading.Event()

    def busy() -> None:
        entered.set()
        opened.wait(10)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(busy)
        pool.submit(int).result(10)
        assert entered.wait(10)

        def work() -> list[object]:
            with ThreadPoolExecutor(2) as mine:
                return [mine.submit(pow, 2, 5).result(10), pyasync_hw.run(sum_of_squares())]

        assert in_child(work) == "[32, 2470]"
        opened.set()


def test_an_inherited_executor_starts_threads_of_its_own() -> None:
    """Its jobs are the parent's; what the child submits runs in the child."""
    entered, opened = threading.Event(), threading.Event()

    def busy() -> int:
        entered.set()
        opened.wait(10)
        return os.getpid()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(busy)
        assert entered.wait(10)
        queued = pool.submit(os.getpid)

        def work() -> list[object]:
            before = pool.stats()
            return [before, pool.submit(os.getpid).result(10) == os.getpid(), queued.done()]

        expected = [{"queued": 0, "threads": 0, "idle": 0}, True, False]
        assert in_child(work) == str(expected)
        opened.set()
        assert running.result(10) == queued.result(10) == os.getpid()


def test_a_child_of_a_job() -> None:
    def work() -> list[object]:
        with ThreadPoolExecutor(1) as mine:
            return [mine.submit(pow, 2, 5).result(10), executor.current_token() is not None]

    async def main() -> str:
        return await asyncio.to_thread(in_child, work)

    assert pyasync_hw.run(main()) == "[32, True]"


# A program of its own, for multiprocessing leaves its resource tracker running.
PROCESS_POOL = """
import asyncio, concurrent.futures, multiprocessing, sys, threading, warnings
import pyasync_hw

async def main():
    loop = asyncio.get_running_loop()
    opened = threading.Event()
    busy = [loop.run_in_executor(None, opened.wait, 10) for _ in range(3)]
    await asyncio.to_thread(int)
    context = multiprocessing.get_context(sys.argv[1])
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as processes:
        jobs = [loop.run_in_executor(processes, pow, i, 2) for i in range(20)]
        assert await asyncio.gather(*jobs) == [i * i for i in range(20)]
        try:
            await loop.run_in_executor(processes, divmod, 1, 0)
        except ZeroDivisionError:
            print("divided")
    opened.set()
    assert await asyncio.gather(*busy) == [True] * 3
    print("done")

if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    pyasync_hw.run(main())
"""


@pytest.mark.skipif(not has_semaphores(), reason="multiprocessing cannot write to /dev/shm")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_process_pools(method: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROCESS_POOL, method],
        env={**os.environ, "PYTHONPATH": str(Path(pyasync_hw.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.split(), done.stderr) == (["divided", "done"], "")
