"""MicroPython's `Lock`."""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Generator
from typing import Any

__all__ = ["Lock"]


class Lock:
    """Held by one task at a time; those that wait get it in their order."""

    def __init__(self) -> None:
        self.state = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def locked(self) -> bool:
        """Whether a task holds it."""
        return self.state == 1

    @types.coroutine
    def acquire(self) -> Generator[Any, Any, bool]:
        """Wait until it is free, and take it; True."""
        if self.state or self._waiting:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            try:
                yield from future  # release() leaves it locked for us
            except BaseException:
                if future.done() and not future.cancelled():
                    self.release()
                else:
                    self._waiting.remove(future)
                raise
        self.state = 1
        return True

    def release(self) -> None:
        """Give it to the task that waits longest.  Raises RuntimeError if it is free."""
        if not self.state:
            raise RuntimeError("Lock not acquired")
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        self.state = 0

    async def __aenter__(self) -> Any:
        return await self.acquire()

    async def __aexit__(self, *exc: object) -> None:
        self.release()
