"""Verbs on executors, jobs, tokens, clocks, threads and child processes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import Any

import pyasync_hw
from pyasync_hw import executor as executors

from . import hostile, values
from .loops import loop_of
from .world import World, verb


@verb(1)
def make_executor(world: World) -> Any:
    kind = hostile.executor_class(world) if world.chance(0.3) else executors.ThreadPoolExecutor
    executor = kind(
        world.rng.choice((1, 2, 3)),
        initializer=values.callback(world) if world.chance(0.1) else None,
        idle_timeout=world.rng.choice((None, 0.001, 0.0)),
    )
    return world.remember("executor", executor)


@verb(6)
def run_in_executor(world: World) -> None:
    executor = world.rng.choice((None, None, world.pick("executor")))
    if world.chance(0.05):
        executor = values.value(world)
    function = values.job(world) if world.chance(0.9) else values.value(world)
    future = loop_of(world).run_in_executor(executor, function)
    world.keep("future", future)


@verb(2, threads=True)
def submit(world: World) -> None:
    executor = world.pick("executor")
    if executor is not None:
        future = executor.submit(values.job(world), values.value(world))
        future.add_done_callback(values.callback(world))
        world.keep("call", future)
        world.remember("token", future.token)


@verb(1)
def foreign_executor(world: World) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        world.keep("future", loop_of(world).run_in_executor(executor, values.job(world)))


@verb(2, threads=True)
def cancel_call(world: World) -> None:
    call = world.pick("call")
    if call is not None:
        call.cancel()


@verb(0.3)
def set_default_executor(world: World) -> None:
    executor = world.pick("executor")
    if executor is not None:
        loop_of(world).set_default_executor(executor)


@verb(0.3)
def shut_down(world: World) -> None:
    executor = world.pick("executor")
    if executor is not None:
        executor.shutdown(wait=world.chance(0.3), cancel_futures=world.chance(0.5))


@verb(0.5)
def shut_down_default(world: World) -> None:
    loop = loop_of(world)
    loop.run_until_complete(loop.shutdown_default_executor())


@verb(1, threads=True)
def use_token(world: World) -> None:
    token = world.pick("token") or world.remember("token", pyasync_hw.CancelToken())
    if world.chance(0.5):
        token.cancel()
    token.wait(values.seconds(world) if world.chance(0.1) else 0.0005, world.pick("token"))


@verb(1)
def make_clock(world: World) -> None:
    clock = pyasync_hw.VirtualClock(values.seconds(world) if world.chance(0.1) else 0.0)
    world.remember("clock", clock)


@verb(2, threads=True)
def use_clock(world: World) -> None:
    clock = world.pick("clock")
    if clock is not None:
        kind = world.rng.randrange(6)
        if kind == 0:
            clock.hold()
        elif kind < 3:
            clock.release()
        elif kind == 3:
            clock.advance(values.seconds(world))
        else:
            clock.time()


@verb(2)
def sleep(world: World) -> None:
    executors.sleep(world.rng.choice((0, 0.0001)))


@verb(0.7)
def start_thread(world: World) -> None:
    def run() -> None:
        for _ in range(world.rng.randrange(1, 20)):
            try:
                world.act()
            except BaseException as error:
                world.judge(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    world.threads.append(thread)


@verb(0.7)
def start_child(world: World) -> None:
    """Its exit comes while the loop runs, later, or when all is closed."""
    loop, act = loop_of(world), values.callback(world)

    async def run() -> None:
        program = world.rng.choice(("true", "cat", "/no/such/program", hostile.hostile(world)))
        pipe = world.rng.choice((None, asyncio.subprocess.PIPE))
        process = await asyncio.create_subprocess_exec(program, stdin=pipe, stdout=pipe)
        world.keep("process", process)
        kind = world.rng.randrange(5)
        if kind == 0:
            process.kill()
        elif kind == 1:
            process._transport.close()
        elif kind == 2:
            await asyncio.sleep(0.001)
        if kind != 3:
            await asyncio.wait_for(process.communicate(), 0.05)
        if callable(act):
            act()

    task = world.keep("task", loop.create_task(run()))
    if world.chance(0.7):
        loop.run_until_complete(task)
