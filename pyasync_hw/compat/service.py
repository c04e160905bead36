"""One lazy thread with a loop of ours, for programs that run no loop themselves.

It serves GPIO callbacks to programs that sit in time.sleep() or signal.pause():
one after the other, as RPi.GPIO's own helper thread does.  The loop stands still
meanwhile, so a callback may run one of its own: asyncio.run() works in it.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from ..loop import new_event_loop

__all__ = ["Service", "report", "service"]


def _end_program(code: object) -> NoReturn:
    """As sys.exit() in the main thread would, but for what only that thread can do."""
    status = code if isinstance(code, int) else code is not None
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # None, or closed
            stream.flush()
    os._exit(status & 0xFF)


def report(exc: BaseException) -> None:
    """What a callback raised, from the one who called it, as for calls out of C code.

    sys.excepthook sees it; SystemExit ends the program, whatever its other threads do.
    """
    if isinstance(exc, SystemExit):
        _end_program(exc.code)
    trace = exc.__traceback__ and exc.__traceback__.tb_next
    try:
        sys.excepthook(type(exc), exc.with_traceback(trace), trace)
    except BaseException:
        traceback.print_exc()  # the hook's, and why it was called


# A callback that never returns must not keep its program from ending.
_EXIT_WAIT_S = 1.0


class _Run:
    """A loop in a daemon thread, until it is stopped."""

    def __init__(self) -> None:
        self.loop = new_event_loop()
        self.thread = threading.Thread(target=self._run, name="pyasync_hw-service", daemon=True)
        self.tasks: set[asyncio.Task[None]] = set()
        self.calls: deque[Callable[[], None]] = deque()
        self.is_ending = False

    def _run(self) -> None:
        try:
            while not self.is_ending:
                self.loop.run_forever()
                while self.calls and not self.is_ending:
                    self.calls.popleft()()
            ending = self.loop.create_task(self._end_tasks())
            ending.add_done_callback(lambda _: self.loop.stop())
            while not ending.done():  # the stop of a call, or of stop(), may still come
                self.loop.run_forever()
        finally:
            self.loop.close()

    async def _end_tasks(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Service:
    """The thread and its loop, started by the first job and stopped by stop().

    There is no lock, which a signal handler that comes back here would wait for: one
    dict has the run, and whoever puts it in or takes it out starts or stops it.
    """

    def __init__(self) -> None:
        self._current: dict[str, _Run] = {}

    def _ensure_running(self) -> _Run:
        run = self._current.get("run")
        if run is None:
            new = _Run()
            run = self._current.setdefault("run", new)
            if run is not new:
                new.loop.close()
                return run
            run.thread.start()
            # Registered anew at each start: stop() may have run before.
            atexit.register(self.stop, _EXIT_WAIT_S)
        return run

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller runs in the service thread (a callback, say)."""
        run = self._current.get("run")
        return run is not None and threading.current_thread() is run.thread

    def spawn(self, coro: Coroutine[Any, Any, None]) -> Callable[[], threading.Event]:
        """Start `coro` as a task of the service loop.

        Returns a function that cancels it, from any thread; the event that it
        gives is set when the task has ended.
        """
        ended = threading.Event()
        # Empty again in the end: up to Python 3.11 the collector does not see what a
        # cancelled task keeps, all that its coroutine had.
        running: list[asyncio.Task[None]] = []

        def start(run: _Run) -> None:
            task = run.loop.create_task(coro)
            running.append(task)
            run.tasks.add(task)
            task.add_done_callback(end)

        def end(task: asyncio.Task[None]) -> None:
            run.tasks.discard(task)
            running.clear()
            ended.set()

        def cancel_running() -> None:
            for task in running:
                task.cancel()

        def cancel() -> threading.Event:
            if not ended.is_set():
                run.loop.call_soon_threadsafe(cancel_running)
            return ended

        run = self._ensure_running()
        run.loop.call_soon_threadsafe(start, run)
        return cancel

    def call(self, function: Callable[[], None]) -> None:
        """Call it in the service thread, in turn, while no loop runs there; any thread.

        After stop() nothing is called.
        """
        run = self._current.get("run")
        if run is None:
            return
        run.calls.append(function)
        run.loop.call_soon_threadsafe(run.loop.stop)

    def stop(self, seconds: float | None = None) -> None:
        """Cancel all tasks, and join the thread; the next spawn() starts a new one.

        After `seconds` the thread is left to what it is in.
        """
        run = self._current.pop("run", None)
        if run is None:
            return
        atexit.unregister(self.stop)
        run.is_ending = True
        run.loop.call_soon_threadsafe(run.loop.stop)  # also before it runs
        if run.thread.ident is not None and run.thread is not threading.current_thread():
            run.thread.join(seconds)

    def _after_fork(self) -> None:
        """In the child there is no such thread; the next spawn() starts one."""
        self.__init__()  # type: ignore[misc]
        atexit.unregister(self.stop)


service = Service()
os.register_at_fork(after_in_child=service._after_fork)
