"""Whose turn it is on a bus: tasks, of any loop, in the order in which they came."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

__all__ = ["Turns"]


class _Waiter:
    """A task that waits, and when it is the first has its turn."""

    def __init__(self) -> None:
        self.task = asyncio.current_task()
        self.loop = asyncio.get_running_loop()
        self.called = self.loop.create_future()

    def call(self) -> None:
        """Idempotent.  Raises RuntimeError when its loop is closed."""
        self.loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if not self.called.done():
            self.called.set_result(None)


class Turns:
    """First come, first served; a task that has its turn may take it again.

    There is no lock: each step is one operation of a deque, and to call the first one
    twice does no harm.
    """

    def __init__(self) -> None:
        self._waiters: deque[_Waiter] = deque()

    def _first(self) -> _Waiter | None:
        try:
            return self._waiters[0]
        except IndexError:
            return None

    def _leave(self, waiter: _Waiter) -> None:
        with contextlib.suppress(ValueError):  # it was given up, with its loop
            self._waiters.remove(waiter)
        while (first := self._first()) is not None:
            try:
                first.call()
            except RuntimeError:  # its loop is closed: it never leaves
                with contextlib.suppress(ValueError):
                    self._waiters.remove(first)
            else:
                return

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn, and have it in the block."""
        first = self._first()
        if first is not None and first.task is asyncio.current_task():
            yield
            return
        mine = _Waiter()
        self._waiters.append(mine)
        try:
            if self._first() is not mine:
                await mine.called
            yield
        finally:
            self._leave(mine)
