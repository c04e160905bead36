"""No operation of the event loop leaves objects, descriptors or memory behind."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import signal
import socket
from collections.abc import Callable, Iterator

import pytest

import pyasync_hw

from .growth import assert_no_growth

Loop = pyasync_hw.EventLoop
Operation = Callable[[Loop], object]
OPERATIONS: list[Operation] = []


def operation(function: Operation) -> Operation:
    OPERATIONS.append(function)
    return function


def turn(loop: Loop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def nothing(*args: object) -> None:
    pass


@pytest.fixture
def loop() -> Iterator[Loop]:
    # time stands still unless the loop jumps: no timer fires by accident
    loop = pyasync_hw.new_event_loop(pyasync_hw.VirtualClock())
    loop.set_exception_handler(nothing)
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@operation
def call_soon(loop: Loop) -> None:
    loop.call_soon(nothing, 1, 2, 3, 4, 5, 6)
    loop.call_soon(nothing, context=contextvars.copy_context())
    turn(loop)


@operation
def call_soon_cancelled(loop: Loop) -> None:
    loop.call_soon(nothing, object()).cancel()
    turn(loop)


@operation
def call_soon_threadsafe(loop: Loop) -> None:
    loop.call_soon_threadsafe(nothing, object())
    turn(loop)


@operation
def callback_that_fails(loop: Loop) -> None:
    loop.call_soon(lambda: 1 / 0)
    turn(loop)


@operation
def callback_that_ends_the_run(loop: Loop) -> None:
    def leave() -> None:
        raise SystemExit

    loop.call_soon(leave)
    with pytest.raises(SystemExit):
        loop.run_forever()


@operation
def wrong_arguments(loop: Loop) -> None:
    with pytest.raises(TypeError):
        loop.call_soon()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        loop.call_later("soon", nothing)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        loop.call_soon(nothing, no_such_keyword=1)  # type: ignore[call-arg]


@operation
def timer(loop: Loop) -> None:
    loop.call_later(1.0, nothing, object())
    loop.call_later(1.0, loop.stop)
    loop.run_forever()


@operation
def timer_cancelled(loop: Loop) -> None:
    handles = [loop.call_later(delay, nothing, object()) for delay in (3, 1, 2)]
    for handle in handles:
        handle.cancel()
        handle.cancel()


@operation
def handle_in_a_cycle(loop: Loop) -> None:
    holder: list[object] = []
    holder.append(loop.call_soon(nothing, holder))
    holder.append(loop.call_later(1.0, nothing, holder))
    holder[1].cancel()  # type: ignore[attr-defined]
    repr(holder)
    turn(loop)


@operation
def reader_and_writer(loop: Loop) -> None:
    one, other = socket.socketpair()
    with one, other:
        loop.add_reader(one, nothing, object())
        loop.add_reader(one, loop.stop)
        loop.add_writer(one, nothing)
        loop.remove_writer(one)
        other.send(b"x")
        loop.run_forever()
        loop.remove_reader(one)


@operation
def task(loop: Loop) -> None:
    async def child() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(child(), child())
        await asyncio.sleep(0.1)

    loop.run_until_complete(main())


@operation
def task_cancelled(loop: Loop) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.Event().wait()

    loop.run_until_complete(main())


@operation
def executor_job(loop: Loop) -> None:
    loop.run_until_complete(loop.run_in_executor(None, nothing, object()))


@operation
def signal_handler(loop: Loop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    signal.raise_signal(signal.SIGUSR1)
    loop.run_forever()
    loop.remove_signal_handler(signal.SIGUSR1)


@operation
def stats(loop: Loop) -> None:
    loop.stats()


@pytest.mark.parametrize("what", OPERATIONS, ids=lambda function: function.__name__)
def test_operation(what: Operation, loop: Loop) -> None:
    assert_no_growth(lambda: what(loop))


@pytest.mark.parametrize("what", OPERATIONS, ids=lambda function: function.__name__)
def test_operation_in_debug_mode(what: Operation, loop: Loop) -> None:
    loop.set_debug(True)
    assert_no_growth(lambda: what(loop), calls=50)


def test_a_loop_made_and_closed() -> None:
    assert_no_growth(lambda: pyasync_hw.new_event_loop().close(), calls=50)


def test_a_loop_closed_with_work_left() -> None:
    def leave_work() -> None:
        loop = pyasync_hw.new_event_loop()
        loop.call_soon(nothing, loop)
        loop.call_later(1000, nothing, loop)
        loop.call_soon_threadsafe(nothing, loop)
        loop.close()

    assert_no_growth(leave_work, calls=50)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_loop_that_is_dropped_and_not_closed() -> None:
    def drop() -> None:
        loop = pyasync_hw.new_event_loop()
        loop.call_soon(nothing, loop)
        loop.call_later(1000, nothing, loop)
        del loop
        gc.collect()

    assert_no_growth(drop, calls=20)


def test_run() -> None:
    async def main() -> None:
        await asyncio.sleep(1)

    assert_no_growth(lambda: pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock()), calls=50)
