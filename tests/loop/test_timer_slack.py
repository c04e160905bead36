"""The loop's timers are exact to the microsecond; who is started by it has time's usual slack."""

import asyncio
import ctypes
import os
import subprocess
import sys
import threading

import pytest

import pyasync_hw

PR_SET_TIMERSLACK, PR_GET_TIMERSLACK = 29, 30
READ = "print(open('/proc/self/timerslack_ns').read(), end='')"

libc = ctypes.CDLL(None, use_errno=True)


def slack():
    return libc.prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)


@pytest.fixture(params=[50_000, 12_345], ids=["default", "set by the program"])
def usual(request):
    before = slack()
    assert libc.prctl(PR_SET_TIMERSLACK, request.param, 0, 0, 0) == 0
    yield request.param
    assert slack() == request.param
    libc.prctl(PR_SET_TIMERSLACK, before, 0, 0, 0)


def run(callback):
    """In a loop's callback that comes after a sleep, and after one that was woken."""

    async def main():
        found = []
        await asyncio.sleep(0.001)
        found.append(await callback())
        await asyncio.to_thread(int)
        found.append(await callback())
        return found

    return pyasync_hw.run(main())


def test_a_callback(usual):
    async def callback():
        return slack()

    assert run(callback) == [usual, usual]


def test_a_child_of_the_loop(usual):
    async def callback():
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", READ, stdout=subprocess.PIPE
        )
        output, _ = await child.communicate()
        return int(output)

    assert run(callback) == [usual, usual]


def test_a_child_of_a_callback(usual):
    async def callback():
        return int(subprocess.check_output([sys.executable, "-c", READ]))

    assert run(callback) == [usual, usual]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_in_a_callback(usual):
    async def callback():
        pid = os.fork()
        if pid == 0:
            os._exit(0 if slack() == usual else 1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert run(callback) == [0, 0]


def test_a_thread_of_a_callback(usual):
    async def callback():
        found = []
        thread = threading.Thread(target=lambda: found.append(slack()))
        thread.start()
        thread.join()
        return found[0]

    assert run(callback) == [usual, usual]


def test_a_thread_of_the_executor(usual):
    async def callback():
        return await asyncio.to_thread(slack)

    assert run(callback) == [usual, usual]
