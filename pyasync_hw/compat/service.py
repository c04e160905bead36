"""One lazy thread with a loop of ours, for programs that run no loop themselves.

It serves GPIO callbacks to programs that sit in time.sleep() or signal.pause():
one after the other, as RPi.GPIO's own helper thread does.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from ..loop import new_event_loop

__all__ = ["Service", "service"]


class Service:
    """A loop in a daemon thread, started by the first job and stopped by stop()."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def _run(self, loop: asyncio.AbstractEventLoop, started: threading.Event) -> None:
        loop.call_soon(started.set)
        try:
            loop.run_forever()
            loop.run_until_complete(self._end_tasks())
        finally:
            loop.close()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ensure_running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop, started = new_event_loop(), threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(loop, started), name="pyasync_hw-service", daemon=True
                )
                self._thread.start()
                started.wait()
                self._loop = loop
                # Registered anew at each start: stop() may have run before.
                atexit.register(self.stop)
            return self._loop

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller runs in the service thread (a callback, say)."""
        return threading.current_thread() is self._thread

    def spawn(self, coro: Coroutine[Any, Any, None]) -> Callable[[], threading.Event]:
        """Start `coro` as a task of the service loop.

        Returns a function that cancels it, from any thread; the event that it
        gives is set when the task has ended.
        """
        loop = self._ensure_running()
        ended = threading.Event()
        box: list[asyncio.Task[None]] = []

        def start() -> None:
            task = loop.create_task(coro)
            box.append(task)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: ended.set())

        def cancel() -> threading.Event:
            if not ended.is_set():
                loop.call_soon_threadsafe(lambda: box[0].cancel())
            return ended

        loop.call_soon_threadsafe(start)
        return cancel

    def stop(self) -> None:
        """Cancel all tasks, and join the thread; the next spawn() starts a new one."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
            if loop is None or thread is None:
                return
            atexit.unregister(self.stop)
            loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join()

    def _after_fork(self) -> None:
        """In the child there is no such thread; the next spawn() starts one."""
        self.__init__()  # type: ignore[misc]
        atexit.unregister(self.stop)


service = Service()
os.register_at_fork(after_in_child=service._after_fork)
