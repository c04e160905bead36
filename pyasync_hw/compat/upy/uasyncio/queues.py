"""`uasyncio.queues`: asyncio's queue, in which generators can wait, too."""

from __future__ import annotations

import asyncio
import types
from asyncio import QueueEmpty, QueueFull
from collections.abc import Generator
from typing import Any

__all__ = ["Queue", "QueueEmpty", "QueueFull"]


class Queue(asyncio.Queue[Any]):
    """A queue of at most `maxsize` items; 0: as many as there are."""

    @types.coroutine
    def put(self, item: Any) -> Generator[Any, Any, None]:
        """Add `item`; waits while it is full."""
        yield from super().put(item)

    @types.coroutine
    def get(self) -> Generator[Any, Any, Any]:
        """Take the oldest item; waits while there is none."""
        return (yield from super().get())
