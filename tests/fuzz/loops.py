"""Verbs on loops, handles, tasks, futures, descriptors and signals."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from typing import Any

import pyasync_hw
from pyasync_hw import insight

from . import hostile, values
from .world import World, verb


def loop_of(world: World) -> Any:
    loop = world.pick("loop")
    return loop if loop is not None else make_loop(world)


@verb(2)
def make_loop(world: World) -> Any:
    kind = hostile.loop_class(world) if world.chance(0.3) else pyasync_hw.EventLoop
    clock = None
    if world.chance(0.6):
        clock = world.pick("clock") if world.chance(0.5) else pyasync_hw.VirtualClock()
    elif world.chance(0.02):
        clock = values.value(world)
    loop = kind(clock=clock)
    world.remember("loop", loop)
    if world.chance(0.2):
        loop.set_debug(True)
    return loop


@verb(0.1)
def make_a_loop_in_parts(world: World) -> None:
    loop = world.rng.choice((pyasync_hw.EventLoop, pyasync_hw._core.Loop)).__new__(
        pyasync_hw.EventLoop
    )
    world.keep("half", loop)
    if world.chance(0.5):
        loop.call_soon(values.callback(world))
    if world.chance(0.3):
        loop.__init__()
        world.remember("loop", loop)


@verb(0.5)
def close_loop(world: World) -> None:
    loop_of(world).close()


@verb(0.5)
def drop_loop(world: World) -> None:
    kept = world.objects.get("loop")
    if kept:
        kept.pop(world.rng.randrange(len(kept)))


@verb(12)
def run_loop(world: World) -> None:
    loop = loop_of(world)
    kind = world.rng.randrange(4)
    if kind == 0:
        loop.run_until_complete(values.coroutine(world))
    elif kind == 1:
        loop.call_later(world.rng.choice((0, 0.001, 0.004)), loop.stop)
        loop.run_forever()
    else:
        for _ in range(world.rng.randrange(1, 5)):
            loop.call_soon(loop.stop)
            loop.run_forever()


@verb(2, threads=True)
def stop_loop(world: World) -> None:
    loop_of(world).stop()


@verb(8, threads=True)
def call_soon_threadsafe(world: World) -> None:
    loop = world.pick("loop")
    if loop is not None:
        callback = values.callback(world)
        world.keep("handle", loop.call_soon_threadsafe(callback, **values.keywords(world)))


@verb(10)
def call_soon(world: World) -> None:
    arguments = [values.value(world) for _ in range(world.rng.choice((0, 0, 1, 2, 3, 9)))]
    handle = loop_of(world).call_soon(values.callback(world), *arguments, **values.keywords(world))
    world.keep("handle", handle)


@verb(10)
def call_later(world: World) -> None:
    arguments = [values.value(world) for _ in range(world.rng.choice((0, 0, 1, 5)))]
    handle = loop_of(world).call_later(
        values.seconds(world), values.callback(world), *arguments, **values.keywords(world)
    )
    world.keep("handle", handle)


@verb(5)
def call_at(world: World) -> None:
    loop = loop_of(world)
    when = loop.time() + world.rng.choice((-1, 0, 0.001)) if world.chance(0.8) else 0
    handle = loop.call_at(
        when or values.seconds(world), values.callback(world), **values.keywords(world)
    )
    world.keep("handle", handle)


@verb(1)
def burst_of_timers(world: World) -> None:
    loop = loop_of(world)
    handles = [loop.call_later(world.rng.random() * 0.002, int) for _ in range(200)]
    for handle in world.rng.sample(handles, 150):
        handle.cancel()


@verb(0.5)
def burst_of_callbacks(world: World) -> None:
    loop, callback = loop_of(world), values.callback(world)
    for _ in range(300):
        world.keep("handle", loop.call_soon(callback))


@verb(8, threads=True)
def cancel(world: World) -> None:
    handle = world.pick("handle")
    if handle is not None:
        handle.cancel()


@verb(5)
def use_handle(world: World) -> None:
    handle, other = world.pick("handle"), world.pick("handle")
    if handle is None:
        return
    kind = world.rng.randrange(9)
    if kind == 0:
        repr(handle)
    elif kind == 1:
        hash(handle)
    elif kind == 2:
        handle == other  # noqa: B015
        handle == hostile.hostile(world)  # noqa: B015
    elif kind == 3:
        sorted(one for one in world.objects["handle"] if isinstance(one, asyncio.TimerHandle))
    elif kind == 4:
        handle._run()
    elif kind == 5:
        handle.get_context().run(values.callback(world))
    elif kind == 6:
        handle._loop._add_callback(handle)
    elif kind == 7:
        loop_of(world)._add_callback(values.value(world))
    else:
        _ = handle._callback, handle._args, handle._source_traceback


@verb(4)
def make_sockets(world: World) -> None:
    for one in socket.socketpair():
        one.setblocking(False)
        world.remember("socket", one)


@verb(2)
def close_socket(world: World) -> None:
    one = world.pick("socket")
    if one is not None:
        if world.chance(0.2):
            world.remember("socket", one.dup())
        one.close()


@verb(4, threads=True)
def send(world: World) -> None:
    one = world.pick("socket")
    if one is not None:
        one.send(bytes(world.rng.choice((1, 5000))))


@verb(3)
def receive(world: World) -> None:
    one = world.pick("socket")
    if one is not None:
        one.recv(100_000)


@verb(10)
def watch_descriptor(world: World) -> None:
    loop = loop_of(world)
    how = world.rng.choice(("add_reader", "add_writer", "_add_reader", "_add_writer"))
    handle = getattr(loop, how)(values.descriptor(world), values.callback(world))
    world.keep("handle", handle)


@verb(6)
def unwatch_descriptor(world: World) -> None:
    how = world.rng.choice(
        ("remove_reader", "remove_writer", "_remove_reader", "_remove_writer", "_registered")
    )
    getattr(loop_of(world), how)(values.descriptor(world))


@verb(1)
def look_at_selector(world: World) -> None:
    selector = loop_of(world)._selector
    mapping = selector.get_map()
    _ = list(mapping), len(mapping), mapping.get(values.descriptor(world))
    if world.chance(0.3):
        selector.get_key(values.descriptor(world))


@verb(8)
def make_task(world: World) -> None:
    world.keep("task", loop_of(world).create_task(values.coroutine(world)))


@verb(4)
def cancel_task(world: World) -> None:
    task = world.pick("task")
    if task is not None:
        task.cancel()


@verb(4)
def make_future(world: World) -> None:
    future = loop_of(world).create_future()
    future.add_done_callback(values.callback(world))
    world.keep("future", future)


@verb(4)
def settle_future(world: World) -> None:
    future = world.pick("future")
    if future is not None:
        how = world.rng.randrange(3)
        if how == 0:
            future.set_result(values.value(world))
        elif how == 1:
            future.set_exception(world.rng.choice(hostile.EXCEPTIONS)())
        else:
            future.cancel()


@verb(2)
def set_hooks(world: World) -> None:
    loop = loop_of(world)
    kind = world.rng.randrange(7)
    if kind == 0:
        loop.set_exception_handler(world.rng.choice((None, values.callback(world))))
    elif kind == 1:
        loop.set_task_factory(None)
    elif kind == 2:
        loop.set_task_factory(values.callback(world))
    elif kind == 3:

        def factory(loop: Any, coro: Any, **keywords: Any) -> Any:
            hostile.behave(world, None)
            HostileTask = hostile.HostileTask
            task: Any = HostileTask.__new__(HostileTask)
            task._world = world
            task.__init__(coro, loop=loop, **keywords)
            return hostile.behave(world, task)

        loop.set_task_factory(factory)
    elif kind == 4:
        loop.set_debug(world.chance(0.5))
    elif kind == 5:
        loop.slow_callback_duration = values.seconds(world)
    elif sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)


@verb(1)
def call_exception_handler(world: World) -> None:
    context = {"message": values.value(world), "exception": ValueError("text")}
    loop_of(world).call_exception_handler(context)


@verb(2)
def add_signal_handler(world: World) -> None:
    number = world.rng.choice((signal.SIGUSR1, signal.SIGHUP, values.value(world)))
    if number in (signal.SIGALRM, signal.SIGABRT, signal.SIGSEGV):
        return
    loop_of(world).add_signal_handler(number, values.callback(world))


@verb(1)
def remove_signal_handler(world: World) -> None:
    loop_of(world).remove_signal_handler(signal.SIGUSR1)


@verb(2)
def raise_signal(world: World) -> None:
    for number in (signal.SIGUSR1, signal.SIGHUP):
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.raise_signal(number)


@verb(2, threads=True)
def ask(world: World) -> None:
    loop = world.pick("loop")
    if loop is not None:
        loop.stats(reset=world.chance(0.2))
        repr(loop)
        loop.is_running()


@verb(0.3)
def watch(world: World) -> None:
    world.remember("watch", insight.watch(loop_of(world), 0.001, values.callback(world)))


@verb(0.3)
def unwatch(world: World) -> None:
    watching = world.pick("watch")
    if watching is not None:
        watching.stop()


@verb(1)
def collect(world: World) -> None:
    gc.collect(world.rng.randrange(3))
    gc.set_threshold(world.rng.choice((700, 700, 5, 50)))


@verb(0.2)
def switch_often(world: World) -> None:
    sys.setswitchinterval(world.rng.choice((1e-6, 1e-4, 0.005)))


@verb(0.1)
def forget(world: World) -> None:
    kind = world.rng.choice(tuple(world.objects) or ("loop",))
    world.objects.pop(kind, None)


@verb(0.3)
def fork(world: World) -> None:
    """The child uses what it has inherited, and must not crash."""
    if world.forked:
        return
    pid = os.fork()
    if pid == 0:
        try:
            world.go_on_in_child(20)
        finally:
            os._exit(1 if world.faults else 0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        world.fail(f"the child of a fork ended with {status}")
