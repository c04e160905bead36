"""How a loop sleeps until a timer: few wake-ups for many, and a slack that nobody inherits."""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

import pyasync_hw

PR_SET_TIMERSLACK, PR_GET_TIMERSLACK = 29, 30
SLACK = 70_000  # ns: not what a thread has by default


def slack() -> int:
    return ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)


@pytest.fixture
def own_slack() -> Iterator[None]:
    before = slack()
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(SLACK), 0, 0, 0)
    if slack() != SLACK:
        pytest.skip("a real-time thread has no slack")
    yield
    libc.prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(before), 0, 0, 0)


CHILD = "import ctypes; print(ctypes.CDLL(None).prctl(30, 0, 0, 0, 0))"


@pytest.mark.usefixtures("own_slack")
def test_threads_and_children_of_callbacks_inherit_the_slack_of_the_program() -> None:
    found = {}

    async def main() -> None:
        for delay in (0.001, 0.06, 0.0):  # with and without a sharp sleep before
            await asyncio.sleep(delay)
            found["callback", delay] = slack()
        thread = threading.Thread(target=lambda: found.update(thread=slack()))
        thread.start()
        thread.join()
        found["executor"] = await asyncio.to_thread(slack)
        found["popen"] = int(subprocess.check_output([sys.executable, "-c", CHILD]))
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, stdout=subprocess.PIPE
        )
        found["spawned"] = int((await child.communicate())[0])

    pyasync_hw.run(main())
    assert found == dict.fromkeys(found, SLACK)
    assert len(found) == 7
    assert slack() == SLACK


@pytest.mark.usefixtures("own_slack")
def test_a_slack_that_a_callback_sets_stays() -> None:
    async def main() -> None:
        await asyncio.sleep(0.001)
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(2 * SLACK), 0, 0, 0)
        await asyncio.sleep(0.001)

    pyasync_hw.run(main())
    assert slack() == 2 * SLACK


@pytest.mark.usefixtures("own_slack")
def test_a_short_sleep_is_sharp() -> None:
    """Seen from another thread, while the main thread sleeps for a short timer."""
    path = f"/proc/{os.getpid()}/timerslack_ns"
    seen: set[object] = set()

    def look(loop: asyncio.AbstractEventLoop) -> None:
        patience = time.monotonic() + 30
        try:
            while 1 not in seen and time.monotonic() < patience:
                with open(path) as file:
                    seen.add(int(file.read()))
        except PermissionError:  # without CAP_SYS_NICE
            seen.add("not for us to see")
        loop.call_soon_threadsafe(ended.set)

    async def main() -> None:
        thread = threading.Thread(target=look, args=(asyncio.get_running_loop(),))
        thread.start()
        while not ended.is_set():
            await asyncio.sleep(0.005)
        thread.join()

    ended = asyncio.Event()
    pyasync_hw.run(main())
    assert seen & {1, "not for us to see"}


def test_timers_that_follow_closely_share_wake_ups_and_none_is_early() -> None:
    loop = pyasync_hw.new_event_loop()
    chance = random.Random(1)
    late: list[float] = []
    count = 10_000

    def hit(when: float) -> None:
        late.append(loop.time() - when)
        if len(late) == count:
            loop.stop()

    began = loop.time() + 0.05
    for _ in range(count):
        when = began + 0.15 * chance.random()
        loop.call_at(when, hit, when)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    loop.run_forever()
    sleeps = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before
    took = loop.time() - began
    loop.close()
    assert min(late) >= 0
    assert sleeps < took / 0.00015 + 50
