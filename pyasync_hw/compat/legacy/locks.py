"""Locks and queues that take loop= (gone in 3.10), and `with (yield from lock)` (gone in 3.9).

The classes themselves get them: there is no second kind of lock.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator
from typing import Any

from ..patches import Patches
from .loop_argument import with_loop

__all__ = ["Held", "install"]

_TAKE_LOOP = (
    asyncio.Lock,
    asyncio.Event,
    asyncio.Condition,
    asyncio.Semaphore,
    asyncio.BoundedSemaphore,
    asyncio.Queue,
)
_CONTEXT_MANAGERS: tuple[Any, ...] = (asyncio.Lock, asyncio.Condition, asyncio.Semaphore)


class Held:
    """What `yield from lock` gives: the lock is let go at the end of `with`."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        # As up to Python 3.8: nothing to bind by `as`.
        return None

    def __exit__(self, *exc: object) -> None:
        self._lock.release()


def _acquire(self: Any) -> Generator[Any, Any, Held]:
    acquiring = self.acquire()  # a generator, where a subclass has its own
    yield from acquiring.__await__() if hasattr(acquiring, "__await__") else acquiring
    return Held(self)


def _enter(self: Any) -> None:
    raise RuntimeError('"yield from" should be used as context manager expression')


def _exit(self: Any, *exc: object) -> None:
    """There must be one for `with` to call __enter__()."""


def _taking_loop(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(
        self: Any, *args: Any, loop: asyncio.AbstractEventLoop | None = None, **options: Any
    ) -> None:
        original(self, *args, **options)
        if loop is not None:
            self._loop = loop

    __init__.__qualname__ = original.__qualname__
    __init__.__signature__ = with_loop(inspect.signature(original))  # type: ignore[attr-defined]
    return __init__


def install(patches: Patches) -> None:
    """A lock without loop= belongs, as today, to the loop that first waits for it."""
    for owner in _TAKE_LOOP:
        if "__init__" in vars(owner):
            patches.set(owner, "__init__", _taking_loop(vars(owner)["__init__"]))
    for owner in _CONTEXT_MANAGERS:
        patches.add(owner, "__iter__", _acquire)
        patches.add(owner, "__await__", _acquire)
        patches.add(owner, "__enter__", _enter)
        patches.add(owner, "__exit__", _exit)
