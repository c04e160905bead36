"""Faults to be found: each is an operation that does one thing wrong."""

from __future__ import annotations

import asyncio
import ctypes
import os
import threading
import time
from typing import Any

from .step import Operation, Step

_kept: list[Any] = []


async def lost(step: Step) -> None:
    expected = step.expect("planted callback")
    step.loop.call_later(0.01, expected.ran).cancel()


async def twice(step: Step) -> None:
    expected = step.expect("planted callback")
    step.loop.call_soon(expected.ran)
    step.loop.call_soon(expected.ran)
    await step.turns(2)


async def after_cancel(step: Step) -> None:
    expected = step.expect("planted callback")
    step.loop.call_soon(expected.ran)
    expected.cancelled()
    await step.turns(2)


async def exception(step: Step) -> None:
    step.loop.call_soon(int, "no number")
    await step.turns(2)


async def descriptor(step: Step) -> None:
    _kept.append(os.dup(0))


async def thread(step: Step) -> None:
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()


async def zombie(step: Step) -> None:
    os.posix_spawn("/bin/true", ["true"], {})


async def live_object(step: Step) -> None:
    _kept.append(step.loop.call_later(1000, int))


async def memory(step: Step) -> None:
    _kept.extend(object() for _ in range(1200))


async def heap(step: Step) -> None:
    if not ctypes.CDLL(None).malloc(400_000):
        raise MemoryError


async def hang(step: Step) -> None:
    await step.loop.create_future()


async def stuck(step: Step) -> None:
    time.sleep(1000)


async def operation_raises(step: Step) -> None:
    async def work() -> None:
        raise ValueError("planted")

    await asyncio.create_task(work())


PLANTED: dict[str, Operation] = {
    "after-cancel": after_cancel,
    "descriptor": descriptor,
    "exception": exception,
    "hang": hang,
    "heap": heap,
    "live-object": live_object,
    "lost": lost,
    "memory": memory,
    "operation-raises": operation_raises,
    "stuck": stuck,
    "thread": thread,
    "twice": twice,
    "zombie": zombie,
}
