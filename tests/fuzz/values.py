"""Random arguments: what is right, what is nearly right, and what behaves badly."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import signal
from collections.abc import Callable
from typing import Any

from . import hostile
from .world import World

# No signal that the world itself needs (ABRT, SEGV, ALRM).
NUMBERS = (-1, 0, 1, 2, 3, 4, 7, 10, 100, 255, 256, 65535, 10**6, 2**31, 2**63, -(2**63), 2**64)
SECONDS = (0, 0.0, 1e-9, 1e-5, 0.001, 0.003, -1.0, 0.02, 1.0, 1e308)
NONSENSE = (float("nan"), float("inf"), float("-inf"), -(10**400), "0", None, b"", ())


def number(world: World) -> int:
    return world.rng.choice(NUMBERS)


def seconds(world: World) -> Any:
    if world.chance(0.05):
        return world.rng.choice(NONSENSE)
    if world.chance(0.05):
        return hostile.hostile(world)
    return world.rng.choice(SECONDS)


def descriptor(world: World) -> Any:
    """A number or an object with fileno(): open, closed, nonsense."""
    one = world.pick("socket")
    if one is not None and world.chance(0.8):
        return one if world.chance(0.5) else one.fileno()
    if world.chance(0.3):
        return hostile.hostile(world)
    return world.rng.choice((-1, 1, 2, 500, 10**6, 2**31, 2**40, "1", None, 1.5))


def context(world: World) -> Any:
    if world.chance(0.1):
        return value(world)
    return contextvars.copy_context() if world.chance(0.5) else None


def keywords(world: World) -> dict[str, Any]:
    return {"context": context(world)} if world.chance(0.2) else {}


def _acting(world: World) -> Callable[..., Any]:
    def act(*args: object, **kwargs: object) -> Any:
        return hostile.behave(world, None)

    return act


def callback(world: World) -> Any:
    kind = world.rng.randrange(12)
    if kind < 6:
        return _acting(world)
    if kind == 6:
        return hostile.hostile(world)
    if kind == 7:
        loop = world.pick("loop")
        return loop.stop if loop is not None else int
    if kind == 8:
        return functools.partial(_acting(world), value(world))
    if kind == 9:
        handle = world.pick("handle")
        return handle.cancel if handle is not None else int
    if kind == 10:
        return int
    return value(world)


async def _wait(world: World) -> Any:
    """What a coroutine awaits."""
    kind = world.rng.randrange(12)
    loop = asyncio.get_running_loop()
    if kind < 4:
        return await asyncio.sleep(world.rng.choice((0, 0, 0, 0.0005, 0.002)))
    if kind == 4:
        return await loop.run_in_executor(None, job(world))
    if kind == 5 and (future := world.pick("future")) is not None:
        return await future
    if kind == 6 and (line := world.pick("line")) is not None:
        return await line.wait_for_edge()
    if kind == 7 and (reader := world.pick("reader")) is not None:
        return await getattr(reader, world.rng.choice(("wait_for_tag", "request", "open")))()
    if kind == 8 and (one := world.pick("socket")) is not None:
        return await loop.sock_recv(one, 10)
    if kind == 9:
        return await hostile.hostile(world)
    if kind == 10:
        async with asyncio.timeout(0.002):
            await asyncio.Event().wait()
    return hostile.behave(world, None)


def coroutine(world: World) -> Any:
    steps, stubborn = world.rng.randrange(5), world.chance(0.2)

    async def run() -> Any:
        for _ in range(steps):
            hostile.behave(world, None)
            try:
                await _wait(world)
            except (asyncio.CancelledError, Exception) as error:
                world.judge(error)
                if not stubborn:
                    raise
        return value(world)

    async def generate() -> Any:
        for _ in range(steps):
            yield await _wait(world)

    async def iterate() -> Any:
        async for _ in generate():
            if world.chance(0.3):
                break

    return iterate() if world.chance(0.2) else run()


def job(world: World) -> Callable[[], Any]:
    """What a worker thread runs."""

    def run(*args: object, **kwargs: object) -> Any:
        from pyasync_hw import executor

        if world.chance(0.3):
            executor.sleep(world.rng.choice((0, 0.0001, 0.002)))
        token = executor.current_token()
        if token is not None and world.chance(0.2):
            token.wait(0.002)
        return hostile.behave(world, None)

    return run


def value(world: World) -> Any:
    """Anything."""
    kind = world.rng.randrange(16)
    if kind < 4:
        return hostile.hostile(world)
    if kind < 8:
        return world.pick(world.rng.choice(tuple(world.objects) or ("loop",)))
    if kind == 8:
        return world.rng.choice(NUMBERS)
    if kind == 9:
        return world.rng.choice(SECONDS + NONSENSE)
    if kind == 10:
        return world.rng.choice(("text", b"bytes", "GPIO17", "spi0.0", "both", "falling", "/dev"))
    if kind == 11:
        return [world.rng.choice(NUMBERS), hostile.hostile(world)]
    if kind == 12:
        return (world.rng.choice(NUMBERS), world.rng.choice(SECONDS))
    if kind == 13:
        return world.rng.choice((int, print, asyncio.sleep, object, BaseException, signal.SIGUSR1))
    if kind == 14:
        return world.rng.choice((True, False, None, ..., {}, set()))
    return _acting(world)
