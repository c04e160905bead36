"""A loop used at the wrong time or from inside itself: asyncio's errors, and no harm.

Each scenario runs on asyncio's loop as well, and must be seen to do the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import pyasync_hw

pytestmark = pytest.mark.filterwarnings("ignore")

Loop = asyncio.AbstractEventLoop
SCENARIOS: dict[str, Callable[[Loop, list[Any]], None]] = {}


def scenario(function: Callable[[Loop, list[Any]], None]) -> Callable[[Loop, list[Any]], None]:
    SCENARIOS[function.__name__] = function
    return function


def attempt(log: list[Any], function: Callable[..., Any], *args: Any) -> None:
    """What comes of it."""
    try:
        result = function(*args)
        log.append(("result", type(result).__name__))
    except BaseException as error:
        log.append((type(error).__name__, re.sub(r"Task-\d+", "Task", str(error))))


def turns(loop: Loop, count: int = 1) -> None:
    for _ in range(count):
        loop.call_soon(loop.stop)
        loop.run_forever()


# -- runs ----------------------------------------------------------------------------


@scenario
def run_while_it_runs(loop: Loop, log: list[Any]) -> None:
    other = type(loop)()
    future = loop.create_future()
    future.set_result(1)

    async def main() -> None:
        attempt(log, loop.run_until_complete, future)
        attempt(log, other.run_until_complete, other.create_future())
        attempt(log, loop.close)
        log.append((loop.is_running(), other.is_running(), loop.is_closed()))
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    other.call_soon(other.stop)
    other.run_forever()
    other.close()


@scenario
def run_in_another_thread_while_it_runs(loop: Loop, log: list[Any]) -> None:
    future = loop.create_future()
    future.set_result(1)

    def other_thread() -> None:
        attempt(log, loop.run_until_complete, future)
        attempt(log, loop.close)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=other_thread)
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


@scenario
def stop_before_the_run(loop: Loop, log: list[Any]) -> None:
    loop.stop()
    loop.call_soon(log.append, "first turn")
    loop.call_soon(loop.call_soon, log.append, "second turn")
    loop.run_forever()
    log.append("stopped")
    turns(loop)


@scenario
def stop_from_everywhere(loop: Loop, log: list[Any]) -> None:
    one, other = socket.socketpair()
    with one, other:
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.call_later(0.001, loop.stop)
        loop.run_forever()
        loop.call_soon_threadsafe(loop.stop)
        loop.run_forever()
        loop.add_writer(one, loop.stop)
        loop.run_forever()
        loop.remove_writer(one)
        loop.add_signal_handler(signal.SIGUSR1, loop.stop)
        loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
        loop.run_forever()
        loop.remove_signal_handler(signal.SIGUSR1)
        timer = threading.Timer(0.001, loop.call_soon_threadsafe, (loop.stop,))
        timer.start()
        loop.run_forever()
        timer.join()
        future = loop.create_future()
        future.add_done_callback(lambda future: loop.stop())
        loop.call_soon(future.set_result, None)
        loop.run_forever()

        async def stopper() -> None:
            loop.stop()
            await asyncio.sleep(0)
            log.append("after stop")

        task = loop.create_task(stopper())
        loop.run_forever()
        log.append(task.done())
        turns(loop, 2)
        log.append(task.done())


@scenario
def stop_while_run_until_complete(loop: Loop, log: list[Any]) -> None:
    loop.call_soon(loop.stop)
    attempt(log, loop.run_until_complete, loop.create_future())


@scenario
def foreign_futures(loop: Loop, log: list[Any]) -> None:
    other = asyncio.SelectorEventLoop()
    attempt(log, loop.run_until_complete, other.create_future())
    for wrong in (None, 1, object(), print):
        attempt(log, loop.run_until_complete, wrong)

    async def main() -> None:
        await other.create_future()

    attempt(log, loop.run_until_complete, main())
    other.close()


# -- close ---------------------------------------------------------------------------


@scenario
def methods_after_close(loop: Loop, log: list[Any]) -> None:
    handle = loop.call_soon(print)
    timer = loop.call_later(1, print)
    one, other = socket.socketpair()
    one.setblocking(False)
    with one, other:
        loop.add_reader(one, print)
        loop.close()
        loop.close()
        attempt(log, loop.run_forever)
        attempt(log, loop.call_soon, print)
        attempt(log, loop.call_soon_threadsafe, print)
        attempt(log, loop.call_later, 1, print)
        attempt(log, loop.call_at, 1, print)
        attempt(log, loop.run_in_executor, None, print)
        attempt(log, loop.add_reader, one, print)
        attempt(log, loop.add_writer, one, print)
        attempt(log, loop.remove_reader, one)
        attempt(log, loop.remove_writer, one)
        attempt(log, loop.add_signal_handler, signal.SIGUSR1, print)
        attempt(log, loop.remove_signal_handler, signal.SIGUSR1)
        attempt(log, loop.create_future)
        attempt(log, loop.time)
        attempt(log, loop.stop)
        attempt(log, loop.is_running)
        attempt(log, loop.get_debug)
        attempt(log, handle.cancel)
        attempt(log, timer.cancel)
        attempt(log, loop.call_exception_handler, {"message": "after close"})
        for coro in (asyncio.sleep(0), loop.sock_recv(one, 1), loop.shutdown_asyncgens()):
            attempt(log, loop.run_until_complete, coro)
            coro.close()
        log.append((loop.is_closed(), repr(loop).split()[1:]))


@scenario
def close_with_jobs_that_run(loop: Loop, log: list[Any]) -> None:
    started, release, ended = (threading.Event() for _ in range(3))

    def job() -> None:
        started.set()
        release.wait(10)
        ended.set()

    future = loop.run_in_executor(None, job)
    loop.run_in_executor(None, log.append, "beside")
    started.wait(10)
    time.sleep(0.01)
    loop.close()
    release.set()
    log.append((ended.wait(10), future.done()))


@scenario
def close_with_children_that_run(loop: Loop, log: list[Any]) -> None:
    async def start() -> Any:
        return await asyncio.create_subprocess_exec("/bin/sleep", "100")

    process = loop.run_until_complete(start())
    process.kill()
    loop.run_until_complete(process.wait())
    process = loop.run_until_complete(start())
    loop.close()
    attempt(log, os.kill, process.pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, 0)


@scenario
def close_with_tasks_and_timers(loop: Loop, log: list[Any]) -> None:
    async def forever() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            log.append("finally")

    task = loop.create_task(forever())
    turns(loop, 2)
    loop.call_later(0, log.append, "not called")
    loop.call_soon(log.append, "not called")
    loop.close()
    log.append(task.done())
    loop.set_exception_handler(lambda loop, context: None)
    del task


@scenario
def close_in_an_exception_handler(loop: Loop, log: list[Any]) -> None:
    loop.set_exception_handler(lambda loop, context: attempt(log, loop.close))
    loop.call_soon(lambda: 1 / 0)
    turns(loop)
    log.append(loop.is_closed())


# -- from inside a batch -------------------------------------------------------------


@scenario
def a_reader_removes_the_others_of_its_batch(loop: Loop, log: list[Any]) -> None:
    pairs = [socket.socketpair() for _ in range(5)]

    def readable() -> None:
        log.append("one")
        for one, _ in pairs:
            loop.remove_reader(one)

    for one, other in pairs:
        loop.add_reader(one, readable)
        other.send(b"x")
    turns(loop, 3)
    for one, other in pairs:
        one.close()
        other.close()


@scenario
def a_reader_closes_the_descriptors_of_its_batch(loop: Loop, log: list[Any]) -> None:
    pairs = [socket.socketpair() for _ in range(5)]

    def readable() -> None:
        log.append("one")
        for one, _ in pairs:
            loop.remove_reader(one)
            one.close()
        # The same numbers, used again at once.
        again = socket.socketpair()
        pairs.append(again)
        loop.add_reader(again[0], log.append, "again")
        again[1].send(b"x")

    for one, other in pairs:
        loop.add_reader(one, readable)
        other.send(b"x")
    turns(loop, 1)
    turns(loop, 1)
    loop.remove_reader(pairs[-1][0])
    log.append(len(pairs))
    for one, other in pairs:
        one.close()
        other.close()


@scenario
def a_callback_cancels_what_is_due_in_its_turn(loop: Loop, log: list[Any]) -> None:
    handles: list[asyncio.Handle] = []

    def cancel_all() -> None:
        log.append("first")
        for handle in handles:
            handle.cancel()

    now = loop.time()
    loop.call_at(now - 2, cancel_all)
    handles.append(loop.call_at(now - 1, log.append, "cancelled timer"))
    turns(loop, 2)
    handles.clear()
    loop.call_soon(cancel_all)
    handles.append(loop.call_soon(log.append, "cancelled"))
    handles.append(loop.call_soon_threadsafe(log.append, "cancelled"))
    turns(loop, 2)
    loop.call_soon(lambda: handles[-1].cancel())
    handles.append(loop.call_soon(lambda: handles[-1].cancel()))
    turns(loop, 2)
    log.append([handle.cancelled() for handle in handles])


@scenario
def a_reader_replaces_itself(loop: Loop, log: list[Any]) -> None:
    one, other = socket.socketpair()
    with one, other:
        other.send(b"x")
        loop.add_reader(
            one, lambda: (log.append("first"), loop.add_reader(one, log.append, "second"))
        )
        turns(loop, 1)
        turns(loop, 1)
        loop.remove_reader(one)
        turns(loop, 1)


@scenario
def a_writer_removes_the_reader_of_its_descriptor(loop: Loop, log: list[Any]) -> None:
    one, other = socket.socketpair()
    with one, other:
        other.send(b"x")
        loop.add_reader(one, lambda: (log.append("reader"), loop.remove_writer(one)))
        loop.add_writer(one, lambda: (log.append("writer"), loop.remove_reader(one)))
        turns(loop, 3)
        log.append((loop.remove_reader(one), loop.remove_writer(one)))


@scenario
def finalizers_that_schedule(loop: Loop, log: list[Any]) -> None:
    class Dying:
        def __del__(self) -> None:
            attempt(log, loop.call_soon, log.append, "from __del__")
            attempt(log, loop.call_later, 0, log.append, "later")

    loop.call_soon(id, Dying())
    loop.call_later(1000, id, Dying()).cancel()
    turns(loop, 3)
    loop.call_later(1000, id, Dying())
    loop.call_soon(id, Dying())
    loop.close()


@scenario
def descriptors_that_cannot_be_watched(loop: Loop, log: list[Any]) -> None:
    with open(__file__) as file:
        attempt(log, loop.add_reader, file, print)
    for wrong in (-1, "x", None, 1.5, file):
        attempt(log, loop.add_reader, wrong, print)
        attempt(log, loop.remove_reader, wrong)


def observe(new_loop: Callable[[], Loop], name: str) -> list[Any]:
    loop, log = new_loop(), []  # type: ignore[var-annotated]
    try:
        SCENARIOS[name](loop, log)
    finally:
        loop.close()
    return log


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_as_asyncio(name: str) -> None:
    expected = observe(asyncio.SelectorEventLoop, name)
    assert expected
    assert observe(pyasync_hw.EventLoop, name) == expected


def test_run_forever_inside_a_run_leaves_it_running() -> None:
    """asyncio's own, in Python 3.13.0, says so as well, and then believes that it stopped."""
    loop, other = pyasync_hw.new_event_loop(), pyasync_hw.new_event_loop()
    log: list[Any] = []

    async def main() -> None:
        attempt(log, loop.run_forever)
        attempt(log, other.run_forever)
        log.append((loop.is_running(), asyncio.get_running_loop() is loop))
        await asyncio.sleep(0.001)

    loop.run_until_complete(main())
    loop.close()
    other.close()
    assert log == [
        ("RuntimeError", "This event loop is already running"),
        ("RuntimeError", "Cannot run the event loop while another loop is running"),
        (True, True),
    ]


def test_a_loop_that_was_closed_in_its_run_does_not_run() -> None:
    class Denies(pyasync_hw.EventLoop):
        def is_running(self) -> bool:
            return False

    loop = Denies()
    loop.call_soon(loop.close)
    with pytest.raises((RuntimeError, AttributeError)):
        loop.run_forever()
    assert loop.is_closed()
    assert not pyasync_hw.EventLoop.is_running(loop)
    assert pyasync_hw.run(asyncio.sleep(0, "works")) == "works"


def test_a_loop_is_set_up_once() -> None:
    """Anew, in its own run, it would forget what the run has to restore."""
    loop = pyasync_hw.EventLoop()
    hooks = sys.get_asyncgen_hooks()

    def again() -> None:
        with pytest.raises(RuntimeError, match="set up before"):
            loop.__init__()  # type: ignore[misc]
        loop.stop()

    loop.call_soon(again)
    loop.run_forever()
    assert sys.get_asyncgen_hooks() == hooks
    with pytest.raises(RuntimeError, match="set up before"):
        loop.__init__()  # type: ignore[misc]
    loop.close()
