"""sleep, gather, wait, wait_for, shield and as_completed as they were.

They take loop= (gone in 3.10), and coroutines and generators wherever they take futures
(wait() refuses them since 3.11).
"""

from __future__ import annotations

import asyncio
from asyncio import tasks
from collections.abc import Iterable
from types import GeneratorType
from typing import Any

from ..patches import Patches
from .generators import as_coroutine, mark

__all__ = ["as_completed", "gather", "install", "shield", "sleep", "wait", "wait_for"]

_gather: Any = asyncio.gather
_wait: Any = asyncio.wait
_wait_for: Any = asyncio.wait_for
_shield: Any = asyncio.shield
_sleep: Any = asyncio.sleep
_as_completed: Any = asyncio.as_completed
_Loop = asyncio.AbstractEventLoop


def sleep(delay: float, result: Any = None, *, loop: _Loop | None = None) -> Any:
    return _sleep(delay, result)


def wait_for(fut: Any, timeout: float | None, *, loop: _Loop | None = None) -> Any:
    if isinstance(fut, GeneratorType):
        fut = as_coroutine(fut)
    return _wait_for(fut, timeout)


def gather(
    *coros_or_futures: Any, loop: _Loop | None = None, return_exceptions: bool = False
) -> Any:
    if loop is None:
        return _gather(*coros_or_futures, return_exceptions=return_exceptions)
    if not coros_or_futures:
        nothing = loop.create_future()
        nothing.set_result([])
        return nothing
    # One that is there twice is one task.
    futures = {arg: asyncio.ensure_future(arg, loop=loop) for arg in coros_or_futures}
    return _gather(*(futures[arg] for arg in coros_or_futures), return_exceptions=return_exceptions)


def shield(arg: Any, *, loop: _Loop | None = None) -> Any:
    return _shield(arg if loop is None else asyncio.ensure_future(arg, loop=loop))


async def wait(
    fs: Iterable[Any],
    *,
    loop: _Loop | None = None,
    timeout: float | None = None,
    return_when: str = asyncio.ALL_COMPLETED,
) -> Any:
    if not isinstance(fs, GeneratorType):
        if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
            raise TypeError(f"expect a list of futures, not {type(fs).__name__}")
        fs = set(fs)
    futures = {asyncio.ensure_future(future, loop=loop) for future in fs}
    return await _wait(futures, timeout=timeout, return_when=return_when)


def as_completed(
    fs: Iterable[Any], *, loop: _Loop | None = None, timeout: float | None = None
) -> Any:
    if loop is not None:
        if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
            raise TypeError(f"expect an iterable of futures, not {type(fs).__name__}")
        fs = {asyncio.ensure_future(future, loop=loop) for future in set(fs)}
    elif isinstance(fs, GeneratorType):  # it would be taken for a coroutine
        fs = list(fs)
    if asyncio._get_running_loop() is not None:
        return _as_completed(fs, timeout=timeout)
    # From 3.14 on it asks for the current task, and who runs no loop may not.
    asyncio._set_running_loop(loop or asyncio.get_event_loop())
    try:
        return _as_completed(fs, timeout=timeout)
    finally:
        asyncio._set_running_loop(None)


def install(patches: Patches) -> None:
    """In asyncio.tasks too, where asyncio itself looks for them."""
    for func in (sleep, wait_for, gather, shield, wait, as_completed):
        original = getattr(tasks, func.__name__)
        func.__module__, func.__doc__ = original.__module__, original.__doc__
        func.__annotations__ = {}  # as the original's
        for module in (asyncio, tasks):
            patches.set(module, func.__name__, func)


for _func in (sleep, wait_for):
    mark(_func)
