"""MicroPython's `wait_for()`, `wait_for_ms()` and `gather()`."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Generator
from typing import Any

from .core import promote

__all__ = ["gather", "wait_for", "wait_for_ms"]


@types.coroutine
def wait_for(aw: Any, timeout: float | None, sleep: Any = None) -> Generator[Any, Any, Any]:
    """The result of `aw`, which is cancelled after `timeout` seconds: TimeoutError."""
    return (yield from asyncio.wait_for(promote(aw), timeout))


@types.coroutine
def wait_for_ms(aw: Any, timeout: float | None) -> Generator[Any, Any, Any]:
    """The result of `aw`, which is cancelled after `timeout` milliseconds: TimeoutError."""
    seconds = None if timeout is None else timeout / 1000
    return (yield from asyncio.wait_for(promote(aw), seconds))


@types.coroutine
def gather(*aws: Any, return_exceptions: bool = False) -> Generator[Any, Any, list[Any]]:
    """The results of all, which run at the same time."""
    if not aws:
        return []
    tasks = [promote(aw) for aw in aws]
    return (yield from asyncio.gather(*tasks, return_exceptions=return_exceptions))
