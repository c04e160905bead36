"""A delay that can be triggered again: on the loop's timers, without a device."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, Self

from .hardware.backend import number

__all__ = ["Delay"]

SECONDS_MAX = 1e9


class Delay:
    """A timer that each trigger() sets anew, and that calls `callback` when it has run out.

    callback: a function without arguments, or a coroutine function, which then runs as a
    task; None: nobody, for who awaits wait().  What it raises goes to the loop's exception
    handler.  At the end of a `with` block it is stopped.  A timer goes with its loop; the
    next trigger() is on the loop that runs then.
    """

    __slots__ = ("__weakref__", "_callback", "_loop", "_tasks", "_timer", "_waiters")

    def __init__(self, callback: Callable[[], Any] | None = None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable or None, not {callback!r}")
        self._callback = callback
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: set[asyncio.Future[bool]] = set()
        self._tasks: set[asyncio.Future[Any]] = set()

    @property
    def running(self) -> bool:
        """Whether it was triggered and has neither run out nor been stopped."""
        return self._timer is not None and self._loop is not None and not self._loop.is_closed()

    def trigger(self, seconds: float) -> None:
        """Run out in so many seconds from now, whatever was set before.

        Raises RuntimeError without a running loop, or while it runs on another one.
        """
        seconds = number("seconds", seconds, 0, SECONDS_MAX)
        loop = self._running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._loop = loop
        self._timer = loop.call_at(loop.time() + seconds, self._run_out)

    def stop(self) -> None:
        """Call nobody; who waits is told.  A coroutine that was begun goes on.  Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._end(False)

    async def wait(self) -> bool:
        """Until it has run out, however often it is triggered meanwhile.

        True: it has; False: it was stopped, or does not run.  May be cancelled; the delay
        goes on.
        """
        loop = self._running_loop()
        if not self.running:
            return False
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiters.add(waiter)
        try:
            return await waiter
        finally:
            self._waiters.discard(waiter)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop and self.running:
            raise RuntimeError(f"{self!r} on another loop")
        return loop

    def _run_out(self) -> None:
        self._end(True)
        if self._callback is None:
            return
        result = self._callback()
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(result)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _end(self, ran_out: bool) -> None:
        alive, self._timer = self.running, None
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters if alive else ():  # a closed loop wakes nobody
            if not waiter.done():
                waiter.set_result(ran_out)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'running' if self.running else 'stopped'}>"


Delay.__module__ = "pyasync_hw"  # as it is documented
