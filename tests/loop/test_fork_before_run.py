"""A loop made before a fork that has never run: parent and child each have their own."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import select
import signal
import socket
import sys
import threading
import time
import warnings

import pytest
from forking import Child, answer, error_of, in_child, loop_fixture, nothing, turn
from semaphores import has_semaphores

import pyasync_hw
from pyasync_hw import insight

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

Loop = pyasync_hw.EventLoop


loop = loop_fixture(has_run=False)


def run_and_close(loop: Loop) -> int:
    try:
        result = loop.run_until_complete(answer())
        loop.run_until_complete(loop.shutdown_default_executor())
        return result
    finally:
        loop.close()


def test_several_children_and_the_parent_run_it(loop: Loop) -> None:
    children = [Child(lambda: run_and_close(loop)) for _ in range(3)]
    assert [child.result() for child in children] == [42, 42, 42]
    assert in_child(lambda: run_and_close(loop)) == 42
    assert run_and_close(loop) == 42


def test_a_grandchild_runs_it_too(loop: Loop) -> None:
    def child() -> tuple[int, int]:
        return in_child(lambda: run_and_close(loop)), run_and_close(loop)

    assert in_child(child) == (42, 42)
    assert run_and_close(loop) == 42


def test_once_it_has_run_in_the_child_the_grandchild_gets_the_error(loop: Loop) -> None:
    def child() -> tuple[int, str]:
        turn(loop)
        return os.getpid(), in_child(lambda: error_of(lambda: loop.call_soon(nothing)))

    pid, error = in_child(child)
    assert f"in process {pid} and can't be used after fork" in error
    turn(loop)


def test_what_was_scheduled_and_registered_goes_on_in_both(loop: Loop) -> None:
    seen: list[str] = []
    one, other = socket.socketpair()
    future = loop.create_future()

    async def work() -> str:
        seen.append("task")
        return await future

    def readable() -> None:
        seen.append("reader")
        loop.remove_reader(one)

    def writable() -> None:
        seen.append("writer")
        loop.remove_writer(one)
        future.set_result("future")

    with one, other:
        loop.add_reader(one, readable)
        loop.add_writer(one, writable)
        task = loop.create_task(work())
        loop.call_soon(seen.append, "soon")
        loop.call_soon(seen.append, "cancelled").cancel()
        loop.call_later(0, seen.append, "timer")
        poster = threading.Thread(target=loop.call_soon_threadsafe, args=(seen.append, "post"))
        poster.start()
        poster.join()

        def both() -> list[str]:
            assert task.get_loop() is loop
            assert loop.run_until_complete(task) == "future"
            turn(loop)
            return sorted(seen)

        other.send(b"x")  # stays there: nobody reads it
        right = sorted(["task", "reader", "writer", "soon", "timer", "post"])
        assert in_child(both) == right
        assert seen == []
        assert both() == right


def test_the_child_leaves_the_parents_poller_alone(loop: Loop) -> None:
    """A child's epoll_ctl() on a shared epoll would change the parent's."""
    one, other = socket.socketpair()
    with one, other:
        seen: list[bytes] = []

        def readable() -> None:
            seen.append(one.recv(10))
            loop.stop()

        loop.add_reader(one, readable)

        def child() -> None:
            turn(loop)
            loop.remove_reader(one)
            loop.add_writer(other, nothing)
            one.close()
            loop.close()
            gc.collect()

        in_child(child)
        other.send(b"x")
        loop.run_forever()
        assert seen == [b"x"]
        loop.remove_reader(one)


def test_waking_the_childs_does_not_wake_the_parents(loop: Loop) -> None:
    def child() -> None:
        async def woken() -> None:
            await asyncio.to_thread(nothing)

        loop.run_until_complete(woken())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop._csock.send(b"\0")  # what a signal does

    in_child(child)
    assert select.select([loop._ssock], [], [], 0)[0] == []
    assert loop.stats()["polls"] == 0


def test_a_signal_reaches_the_loop_of_its_process_only(loop: Loop) -> None:
    seen: list[str] = []

    def handle() -> None:
        seen.append("signal")
        loop.stop()

    loop.add_signal_handler(signal.SIGUSR1, handle)

    def one_signal() -> list[str]:
        loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
        loop.run_forever()
        return seen

    assert in_child(one_signal) == ["signal"]
    assert select.select([loop._ssock], [], [], 0)[0] == []
    assert one_signal() == ["signal"]


def test_closing_or_dropping_the_childs_is_as_everywhere(loop: Loop) -> None:
    held = [pyasync_hw.new_event_loop()]

    def child() -> list[str]:
        loop.close()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            held.clear()
            gc.collect()
        return [str(warning.message).partition(" <")[0] for warning in caught]

    # The collector may come to the loop's sockets first; then they warn, too.
    assert set(in_child(child)) - {"unclosed"} == {"unclosed event loop"}
    turn(held[0])
    held.pop().close()
    turn(loop)


def test_the_child_has_no_descriptor_more(loop: Loop) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    assert in_child(count) == before + 2  # the pipe of in_child()


def test_its_executor_starts_threads_of_its_own(loop: Loop) -> None:
    began = threading.Event()
    end = threading.Event()

    def job() -> str:
        began.set()
        end.wait()
        return "parent"

    future = loop.run_in_executor(None, job)
    began.wait()
    assert in_child(lambda: run_and_close(loop)) == 42
    end.set()
    assert loop.run_until_complete(future) == "parent"
    loop.run_until_complete(loop.shutdown_default_executor())


def test_forked_by_another_thread(loop: Loop) -> None:
    results: list[int] = []
    forker = threading.Thread(target=lambda: results.append(in_child(lambda: run_and_close(loop))))
    forker.start()
    forker.join()
    assert results == [42]


def test_forked_inside_the_run_of_another_loop(loop: Loop) -> None:
    async def main() -> int:
        return in_child(lambda: run_and_close(loop))

    assert asyncio.run(main()) == 42
    assert pyasync_hw.run(main()) == 42


def serve(loop: Loop, queue: multiprocessing.SimpleQueue[int]) -> None:
    queue.put(run_and_close(loop))


@pytest.mark.skipif(not has_semaphores(), reason="multiprocessing cannot write to /dev/shm")
def test_in_a_process_of_multiprocessing(loop: Loop) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=serve, args=(loop, queue))
    process.start()
    assert queue.get() == 42
    process.join(30)
    assert process.exitcode == 0


def test_watched_and_in_debug_mode(loop: Loop) -> None:
    loop.set_debug(True)
    reports: list[insight.Report] = []

    def child() -> int:
        run_and_close(loop)
        return len(reports)

    loop.call_soon(time.sleep, 0.002)
    with insight.watch(loop, 0.001, reports.append):
        assert in_child(child) > 0
        assert reports == []
        assert loop.run_until_complete(answer()) == 42
    loop.run_until_complete(loop.shutdown_default_executor())


def test_runner_that_has_a_loop_already() -> None:
    with asyncio.Runner(loop_factory=pyasync_hw.new_event_loop) as runner:
        runner.get_loop()
        assert in_child(lambda: runner.run(answer())) == 42
        assert runner.run(answer()) == 42


def test_as_current_loop_it_is_what_asyncio_makes_of_one(loop: Loop) -> None:
    def child() -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                current = asyncio.get_event_loop_policy().get_event_loop()
            except RuntimeError:
                return "none"
        return "the same" if current in (loop, of_asyncio) else "another"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        of_asyncio = asyncio.SelectorEventLoop()
        asyncio.set_event_loop(of_asyncio)
        right = in_child(child)
        asyncio.set_event_loop(loop)
        try:
            assert in_child(child) == right
        finally:
            asyncio.set_event_loop(None)
            of_asyncio.close()


def test_on_a_virtual_clock_it_is_the_error(loop: Loop) -> None:
    virtual = pyasync_hw.new_event_loop(pyasync_hw.VirtualClock())
    assert in_child(lambda: error_of(lambda: virtual.call_soon(nothing))) == (
        f"this event loop was made in process {os.getpid()} and can't be used after fork; "
        "make a new one with pyasync_hw.new_event_loop(), or use asyncio.run()"
    )
    turn(virtual)
    virtual.close()


def test_without_a_descriptor_for_it_the_childs_is_closed(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(24, "no descriptor left")

    said: list[str] = []
    monkeypatch.setattr(socket, "socketpair", fail)
    monkeypatch.setattr(sys, "unraisablehook", lambda error: said.append(str(error.exc_value)))
    assert in_child(lambda: (error_of(lambda: loop.call_soon(nothing)), said)) == (
        "Event loop is closed",
        ["[Errno 24] no descriptor left"],
    )
    turn(loop)
