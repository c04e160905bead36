"""MicroPython's `Event`, and `ThreadSafeFlag`, which other threads and callbacks set."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Generator
from typing import Any

__all__ = ["Event", "ThreadSafeFlag"]


class Event:
    """A flag that tasks wait for.  It belongs to no loop, so it survives new_event_loop()."""

    def __init__(self) -> None:
        self.state = False
        self._waiting: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        """Whether it is set."""
        return self.state

    def set(self) -> None:
        """Set it, and let all go on that wait for it."""
        self.state = True
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def clear(self) -> None:
        """Clear it."""
        self.state = False

    @types.coroutine
    def wait(self) -> Generator[Any, Any, bool]:
        """Wait until it is set; True."""
        if not self.state:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            try:
                yield from future
            finally:
                if future in self._waiting:
                    self._waiting.remove(future)
        return True


class ThreadSafeFlag:
    """A flag that any thread, or callback of a pin or timer, sets for one task that waits."""

    def __init__(self) -> None:
        self.state = False
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    def set(self) -> None:
        """Set it, and let the task go on that waits for it."""
        self.state = True
        waiting = self._waiting
        if waiting is not None:
            waiting[0].call_soon_threadsafe(self._wake, waiting[1])

    @staticmethod
    def _wake(future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)

    def clear(self) -> None:
        """Clear it."""
        self.state = False

    @types.coroutine
    def wait(self) -> Generator[Any, Any, None]:
        """Wait until it is set, and clear it."""
        loop = asyncio.get_running_loop()
        while True:
            future = loop.create_future()
            # First this, then the look at the flag: set() does it the other way round.
            self._waiting = (loop, future)
            try:
                if not self.state:
                    yield from future
            finally:
                self._waiting = None
            if self.state:
                self.state = False
                return
