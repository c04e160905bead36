"""run_in_executor() of the module, and any executor as a loop's default one."""

from __future__ import annotations

import asyncio
import concurrent.futures
from asyncio import base_events
from collections.abc import Callable
from typing import Any

from ..patches import Patches

__all__ = ["install", "run_in_executor"]

_standard_set_default_executor: Any = base_events.BaseEventLoop.set_default_executor


def run_in_executor(
    executor: concurrent.futures.Executor | None, func: Callable[..., Any], *args: Any
) -> asyncio.Future[Any]:
    """loop.run_in_executor() of the current loop: never asyncio's, but written in tutorials."""
    return asyncio.get_event_loop().run_in_executor(executor, func, *args)


def set_default_executor(self: Any, executor: Any) -> None:
    if isinstance(executor, concurrent.futures.Executor):  # since 3.11 only a thread pool
        self._default_executor = executor
    else:
        _standard_set_default_executor(self, executor)


def install(patches: Patches) -> None:
    """On asyncio's base loop, from which others inherit it."""
    set_default_executor.__doc__ = _standard_set_default_executor.__doc__
    patches.set(base_events.BaseEventLoop, "set_default_executor", set_default_executor)
    patches.add(asyncio, "run_in_executor", run_in_executor)
