"""The child of a fork: a clear error from a loop that has run, and a parent that notices nothing.

Loops that have never run: test_fork_before_run.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable

import pytest
from forking import Child, answer, error_of, in_child, loop_fixture, nothing, turn
from semaphores import has_semaphores

import pyasync_hw

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

Loop = pyasync_hw.EventLoop


loop = loop_fixture(has_run=True)


USES: dict[str, Callable[[Loop], object]] = {
    "run_forever": lambda loop: loop.run_forever(),
    "run_until_complete": lambda loop: loop.run_until_complete(loop.create_future()),
    "call_soon": lambda loop: loop.call_soon(nothing),
    "call_soon_threadsafe": lambda loop: loop.call_soon_threadsafe(nothing),
    "call_later": lambda loop: loop.call_later(1, nothing),
    "call_at": lambda loop: loop.call_at(1, nothing),
    "add_reader": lambda loop: loop.add_reader(0, nothing),
    "add_writer": lambda loop: loop.add_writer(1, nothing),
    "run_in_executor": lambda loop: loop.run_in_executor(None, nothing),
    "add_signal_handler": lambda loop: loop.add_signal_handler(signal.SIGUSR1, nothing),
    "create_task": lambda loop: loop.create_task(asyncio.sleep(0)),
}


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
@pytest.mark.parametrize("use", USES)
def test_every_use_of_an_inherited_loop_says_what_to_do(loop: Loop, use: str) -> None:
    assert in_child(lambda: error_of(lambda: USES[use](loop))) == (
        f"this event loop was made in process {os.getpid()} and can't be used after fork; "
        "make a new one with pyasync_hw.new_event_loop(), or use asyncio.run()"
    )
    turn(loop)


def test_an_inherited_loop_is_closed_and_harmless(loop: Loop) -> None:
    one, other = socket.socketpair()
    with one, other:
        loop.add_reader(one, nothing)
        loop.add_writer(one, nothing)
        timer = loop.call_later(1000, nothing)
        soon = loop.call_soon(nothing)

        def child() -> tuple[object, ...]:
            timer.cancel()
            soon.cancel()
            state = loop.is_closed(), loop.is_running(), loop.remove_reader(one)
            loop.stop()
            loop.close()
            loop.time(), loop.stats(), repr(loop)
            return state

        assert in_child(child) == (True, False, False)
        assert not loop.is_closed()
        assert loop.remove_reader(one)
        assert loop.remove_writer(one)


def descriptors() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def test_the_child_keeps_no_descriptor_of_the_loop() -> None:
    before = set(descriptors())
    loop = pyasync_hw.new_event_loop()
    turn(loop)
    mine = set(descriptors()) - before
    assert len(mine) >= 4  # epoll, eventfd, a pair of sockets
    assert not mine & set(in_child(descriptors))
    loop.close()


def test_what_a_child_does_to_descriptors_stays_in_the_child(loop: Loop) -> None:
    """A child's epoll_ctl() on a shared epoll would change the parent's."""
    one, other = socket.socketpair()
    with one, other:
        seen: list[bytes] = []

        def readable() -> None:
            seen.append(one.recv(10))
            loop.stop()

        loop.add_reader(one, readable)

        def child() -> None:
            loop.remove_reader(one)
            one.close()
            loop.close()
            gc.collect()

        in_child(child)
        other.send(b"x")
        loop.run_forever()
        assert seen == [b"x"]
        loop.remove_reader(one)


def test_a_dropped_loop_in_the_child_is_quiet() -> None:
    held = [pyasync_hw.new_event_loop()]
    turn(held[0])
    held[0].call_later(1000, nothing, held)

    def child() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            held.clear()
            gc.collect()
        return [str(warning.message) for warning in caught]

    assert in_child(child) == []
    held.pop().close()


def test_a_fork_while_a_loop_is_freed() -> None:
    held = [pyasync_hw.new_event_loop()]
    pids: list[int] = []
    turn(held[0])
    held[0].close()
    reference = weakref.ref(held[0], lambda _: pids.append(os.fork()))
    held.clear()
    gc.collect()
    if pids == [0]:
        os._exit(reference() is not None)
    assert reference() is None
    assert os.waitpid(pids[0], 0)[1] == 0


def test_new_loops_work_in_the_child(loop: Loop) -> None:
    def child() -> list[int]:
        new = pyasync_hw.new_event_loop()
        results = [new.run_until_complete(answer())]
        new.run_until_complete(new.shutdown_default_executor())
        new.close()
        return [*results, pyasync_hw.run(answer())]

    assert in_child(child) == [42, 42]


def test_asyncio_run_in_the_child_of_a_running_loop() -> None:
    async def main() -> tuple[int, int]:
        return in_child(lambda: pyasync_hw.run(answer())), await answer()

    assert pyasync_hw.run(main()) == (42, 42)


def test_no_loop_runs_in_the_child_of_a_running_loop() -> None:
    async def main() -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        return in_child(
            lambda: (error_of(asyncio.get_running_loop), error_of(lambda: loop.call_soon(print)))
        )

    running, use = pyasync_hw.run(main())
    assert running == "no running event loop"
    assert "can't be used after fork" in use


def test_a_child_that_returns_into_the_run_ends_it_and_runs_nothing_else(loop: Loop) -> None:
    read_end, write_end = os.pipe()
    pids: list[int] = []

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
        pids.append(pid)

    def tell() -> None:
        os.write(write_end, b"parent" if pids[0] else b"CHILD")

    loop.call_soon(fork)
    loop.call_soon(tell)
    loop.call_later(0, tell)
    loop.call_later(0.01, loop.stop)
    try:
        loop.run_forever()
    except BaseException as error:
        if pids[0] == 0:
            right = type(error) is RuntimeError and "can't be used after fork" in str(error)
            right = right and not loop.is_running()
            os._exit(0 if right else 1)
        raise
    if pids[0] == 0:
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 0
    assert os.read(read_end, 100) == b"parentparent"
    os.close(read_end)
    os.close(write_end)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio forgets it by itself")
def test_the_current_loop_is_not_inherited(loop: Loop) -> None:
    asyncio.set_event_loop(loop)
    try:
        assert in_child(lambda: asyncio.get_event_loop().run_until_complete(answer())) == 42
        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)


def test_a_subprocess_of_the_parent_outlives_its_transport_in_the_child() -> None:
    async def main() -> None:
        held = [await asyncio.create_subprocess_exec("/bin/cat", stdin=subprocess.PIPE, stdout=-1)]

        def child() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                held.pop()._transport.close()  # type: ignore[attr-defined]
                gc.collect()

        in_child(child)
        output, _ = await held[0].communicate(b"alive")
        assert (output, held[0].returncode) == (b"alive", 0)

    pyasync_hw.run(main())


# -- fork in other ways ------------------------------------------------------------


def test_fork_from_another_thread_while_the_loop_runs() -> None:
    def other_thread(loop: Loop) -> tuple[bool, str, int]:
        return in_child(
            lambda: (
                loop.is_running(),
                error_of(lambda: loop.call_soon_threadsafe(nothing)),
                pyasync_hw.run(answer()),
            )
        )

    async def main() -> None:
        loop = asyncio.get_running_loop()
        running, error, result = await asyncio.to_thread(other_thread, loop)
        assert (running, result) == (False, 42)
        assert "can't be used after fork" in error

    pyasync_hw.run(main())


def test_forks_while_other_threads_post(loop: Loop) -> None:
    """Whatever state the other threads are in: the child's use of the loop ends, at once."""
    ended = threading.Event()
    ahead = threading.Semaphore(100)  # or they fill the memory that each fork copies

    def post() -> None:
        while not ended.is_set():
            if ahead.acquire(timeout=0.1):
                loop.call_soon_threadsafe(ahead.release)

    def fork() -> None:
        for _ in range(20):
            error = in_child(lambda: error_of(lambda: loop.call_soon_threadsafe(nothing)))
            assert "can't be used after fork" in error

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        loop.run_until_complete(loop.run_in_executor(None, fork))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())


def run_in_process(queue: multiprocessing.SimpleQueue[int]) -> None:
    queue.put(pyasync_hw.run(answer()))


@pytest.mark.skipif(not has_semaphores(), reason="multiprocessing cannot write to /dev/shm")
def test_multiprocessing_fork_beside_a_running_loop() -> None:
    async def main() -> int:
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        process = context.Process(target=run_in_process, args=(queue,))
        process.start()
        result = await asyncio.to_thread(queue.get)
        await asyncio.to_thread(process.join, 30)
        assert process.exitcode == 0
        return result

    assert pyasync_hw.run(main()) == 42


def test_forkpty(loop: Loop) -> None:
    pid, terminal = os.forkpty()
    if pid == 0:
        signal.alarm(30)
        os._exit(error_of(lambda: loop.call_soon(nothing)) == "no error")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)


def test_a_grandchild(loop: Loop) -> None:
    parent = os.getpid()

    def child() -> tuple[int, str, str]:
        own = pyasync_hw.new_event_loop()
        turn(own)
        errors = in_child(
            lambda: tuple(error_of(lambda one=one: one.call_soon(nothing)) for one in (loop, own))
        )
        own.close()
        return os.getpid(), *errors

    pid, of_loop, of_own = in_child(child)
    assert f"in process {parent} " in of_loop
    assert f"in process {pid} " in of_own


# -- signals -----------------------------------------------------------------------


def test_a_signal_in_the_child_does_not_reach_the_parent() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        loop.add_signal_handler(signal.SIGUSR1, seen.append, "parent")
        read_end, write_end = os.pipe()
        started = loop.create_future()
        loop.add_reader(read_end, started.set_result, None)

        def child() -> int:
            caught: list[int] = []
            signal.signal(signal.SIGUSR1, lambda number, frame: caught.append(number))
            os.write(write_end, b"x")
            while not caught:
                time.sleep(0.001)
            return caught[0]

        process = Child(child)
        await started
        loop.remove_reader(read_end)
        polls = loop.stats()["polls"]
        os.kill(process.pid, signal.SIGUSR1)
        assert process.result() == signal.SIGUSR1
        await asyncio.sleep(0)
        assert select.select([loop._ssock], [], [], 0)[0] == []
        assert loop.stats()["polls"] <= polls + 2
        assert seen == []
        os.kill(os.getpid(), signal.SIGUSR1)
        while not seen:
            await asyncio.sleep(0.001)
        os.close(read_end)
        os.close(write_end)

    pyasync_hw.run(main())


def test_the_child_has_no_wakeup_descriptor_and_no_handlers_of_the_loop() -> None:
    async def main() -> tuple[object, ...]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, nothing)
        loop.add_signal_handler(signal.SIGUSR2, nothing)
        signal.signal(signal.SIGUSR2, nothing)  # the program's own, over the loop's

        def child() -> tuple[object, ...]:
            return (
                signal.set_wakeup_fd(-1),
                signal.getsignal(signal.SIGTERM),
                signal.getsignal(signal.SIGUSR2) is nothing,
                signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            )

        result = in_child(child)
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        return result

    assert pyasync_hw.run(main()) == (-1, signal.SIG_DFL, True, True)


def test_ctrl_c_in_the_child_of_a_running_loop() -> None:
    async def main() -> str:
        def child() -> str:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                return "KeyboardInterrupt"
            return "lost"

        return in_child(child)

    assert pyasync_hw.run(main()) == "KeyboardInterrupt"


# -- how a child ends --------------------------------------------------------------

ENDINGS = {
    "os._exit": "os._exit(0)",
    "in a new loop": "asyncio.run(new()); os._exit(0)",
    "returning, after the run": "pass",
}
PROGRAM = """
import asyncio, os, sys, threading
import pyasync_hw

async def new():
    await asyncio.sleep(0)
    await asyncio.to_thread(int)

async def main():
    loop = asyncio.get_running_loop()
    loop.call_later(1000, print)
    await asyncio.to_thread(int)
    pids = []
    def fork():
        pid = os.fork()
        if pid == 0:
            {ending}
            sys.stdout.flush()
            return
        pids.append(pid)
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 0

pyasync_hw.run(main())
print("parent")
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_child_that_ends_makes_no_noise(ending: str) -> None:
    # Forked in a thread: it is the child's main one, and its end is the program's.
    done = subprocess.run(
        [sys.executable, "-W", "ignore:::", "-c", PROGRAM.format(ending=ENDINGS[ending])],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "parent\n", "")


HELD = """
import asyncio, os, sys, warnings
import pyasync_hw

async def main():
    program = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    pid = os.fork()
    if pid == 0:
        return pid  # the run raises here
    await program.communicate(b"")  # None leaves stdin open on 3.11
    return pid

warnings.simplefilter("ignore")
try:
    pid = pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock())
except RuntimeError:
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_copy_of_a_program_that_holds_a_virtual_clock_is_dropped_in_silence() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["7"]
    assert "Exception ignored" not in done.stderr
