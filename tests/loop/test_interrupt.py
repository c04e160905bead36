"""Ctrl+C at any moment: never lost, never a hang, and the loop is whole afterwards."""

from __future__ import annotations

import asyncio
import linecache
import random
import signal
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import loop as loop_module

# -- at a random moment, into a process that works ---------------------------------

WORK = """
import asyncio, os, random, signal, socket, subprocess, sys, time
import pyasync_hw
from pyasync_hw import gpio, rc522, sim

async def timers():
    while True:
        await asyncio.gather(*(asyncio.sleep(n / 10000) for n in range(20)))

async def jobs():
    while True:
        await asyncio.gather(*(asyncio.to_thread(int, n) for n in range(5)))

async def posts():
    loop = asyncio.get_running_loop()
    while True:
        future = loop.create_future()
        await asyncio.to_thread(loop.call_soon_threadsafe, future.set_result, None)
        await future

async def pipes():
    loop, (one, other) = asyncio.get_running_loop(), socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    while True:
        await loop.sock_sendall(one, b"x")
        await loop.sock_recv(other, 10)
        await asyncio.sleep(0)  # neither waits when it need not

async def children():
    while True:
        process = await asyncio.create_subprocess_exec("/bin/true")
        await process.wait()

# In a finalizer or the callback of a weak reference, as WeakSet has one for each task,
# CPython reports the exception and goes on.
ignored = []
sys.unraisablehook = lambda report: ignored.append(report.exc_type)

def chain():
    if ignored:
        raise ignored.pop()
    asyncio.get_running_loop().call_soon(chain)

async def everything(*more):
    async with asyncio.TaskGroup() as group:
        chain()
        for work in (timers, pipes, children, *more):
            group.create_task(work())

async def idle():
    await asyncio.get_running_loop().create_future()

def blocked(wait):
    with sim.Board() as board:
        board.attach_rc522()
        wait(board)

def wait_for_edge(board):
    with gpio.Input(17, board=board) as line:
        line.blocking.wait_for_edge()

def wait_for_tag(board):
    with rc522.Reader(board=board) as reader:
        reader.blocking.wait_for_tag()

def bare(main):
    loop = pyasync_hw.new_event_loop()
    task = loop.create_task(main())
    try:
        loop.run_forever()
    finally:
        # Not all need to end: between two lines of a TaskGroup or a gather it breaks those.
        for task in asyncio.all_tasks(loop):
            task.cancel()
        for _ in range(100):
            try:
                loop.run_until_complete(asyncio.sleep(0.001))
                break
            except KeyboardInterrupt:
                pass
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

def own_handler(main):
    class Stop(Exception):
        pass
    def stop(*args):
        raise Stop
    signal.signal(signal.SIGINT, stop)
    try:
        bare(main)
    except Stop:
        raise KeyboardInterrupt from None

RUNS = {
    "run": lambda: pyasync_hw.run(everything(jobs, posts)),
    "idle run": lambda: pyasync_hw.run(idle()),
    # Without threads: Thread.start() that is interrupted may leave a lock of the new one held.
    "bare": lambda: bare(everything),
    "idle bare": lambda: bare(idle),
    "own handler": lambda: own_handler(idle),
    "edge": lambda: blocked(wait_for_edge),
    "tag": lambda: blocked(wait_for_tag),
}
name = sys.argv[1]
pyasync_hw.run(asyncio.sleep(0))  # imports are done
for one in range(10):
    # The signals come from outside, one for each time that we say we are there.
    try:
        sys.stdout.write("there\\n")
        sys.stdout.flush()
        RUNS[name]()
    except KeyboardInterrupt:
        sys.stdout.write("interrupted\\n")
    else:
        sys.stdout.write("LOST\\n")
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
sys.stdout.flush()
"""
RUNS = ["run", "idle run", "bare", "idle bare", "own handler", "edge", "tag"]


@pytest.mark.parametrize("name", RUNS)
def test_at_a_random_moment(name: str) -> None:
    """The signal may also come before or after the run: then it is Python's business."""
    chance = random.Random(name)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WORK, name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for _ in range(10):
            line = process.stdout.readline()
            while line == "interrupted\n":
                line = process.stdout.readline()
            assert line == "there\n", line + process.communicate()[1]
            time.sleep(0.005 + chance.random() * 0.02)
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert "LOST" not in output
    assert output.endswith("interrupted\n"), errors
    assert process.returncode == 0


# -- at each line of the run -------------------------------------------------------


class Injector:
    """Raises KeyboardInterrupt, as a signal would, at the nth line of run_forever and what
    it calls of the loop's module; None: only counts."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.seen = 0
        self.where = ""

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != loop_module.__file__:
            return None
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if event == "line" and source != "try:":  # where handlers run: at calls and jumps
            self.seen += 1
            if self.seen == self.at:
                self.where = f"{frame.f_code.co_name}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self.trace

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(loop.stop)
        before = sys.gettrace()
        sys.settrace(self.trace)
        try:
            loop.run_forever()
        finally:
            sys.settrace(before)


def test_at_each_line_of_run_forever() -> None:
    async def generate() -> Any:
        yield 1

    counter = Injector(None)
    loop = pyasync_hw.new_event_loop()
    counter.run(loop)
    loop.close()
    assert counter.seen > 10
    hooks = sys.get_asyncgen_hooks()
    for at in range(1, counter.seen + 1):
        loop = pyasync_hw.new_event_loop()
        injector = Injector(at)
        with pytest.raises(KeyboardInterrupt):
            injector.run(loop)
        state = (
            loop.is_running(),
            asyncio._get_running_loop(),
            sys.get_asyncgen_hooks() == hooks,
            signal.set_wakeup_fd(-1),
        )
        assert state == (False, None, True, -1), injector.where
        loop.call_soon(loop.stop)  # as the one that may not have run yet
        loop.run_forever()
        assert loop.run_until_complete(asyncio.sleep(0, "works")) == "works"
        assert loop.run_until_complete(anext(generate())) == 1
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


# -- while a worker starts ---------------------------------------------------------


def test_when_the_new_worker_has_taken_the_job_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thread.start() waits for the thread; the thread may have run the job by then."""
    taken = threading.Event()
    start = threading.Thread.start

    def start_and_be_interrupted(thread: threading.Thread) -> None:
        start(thread)
        assert taken.wait(30)
        raise KeyboardInterrupt

    loop = pyasync_hw.new_event_loop()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_and_be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            loop.run_in_executor(None, taken.set)
    assert loop.run_until_complete(loop.run_in_executor(None, int, 5)) == 5
    before = threading.active_count()
    loop.run_until_complete(loop.shutdown_default_executor())
    assert threading.active_count() < before  # it was joined
    loop.close()
