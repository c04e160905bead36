"""`uasyncio.core`: MicroPython's event loop as a face of the current asyncio loop.

Its clock counts whole milliseconds and does not wrap; coroutine objects stand wherever a
callback does.  There is one, as in MicroPython: it outlives run_until_complete(), and so
do the tasks that are not done by then; what is left of them at the end is not mentioned.
"""

from __future__ import annotations

import asyncio
import inspect
import types
from asyncio import CancelledError, TimeoutError
from collections.abc import Callable
from functools import partial
from typing import Any

from ...patches import Patches
from ..utime import sleep_ms as _block_ms
from ..utime import ticks_add, ticks_diff, to_ms
from ..utime import ticks_ms as ticks
from .calls import (
    Driver,
    IORead,
    IOReadDone,
    IOWrite,
    IOWriteDone,
    Sleep,
    SleepMs,
    StopLoop,
    SysCall,
    SysCall1,
    resume,
    sleep,
    sleep_ms,
    uyield,
)
from .polling import readable, writable

__all__ = [
    "CancelledError",
    "EventLoop",
    "IORead",
    "IOReadDone",
    "IOWrite",
    "IOWriteDone",
    "Loop",
    "Sleep",
    "SleepMs",
    "StopLoop",
    "SysCall",
    "SysCall1",
    "Task",
    "TimeoutError",
    "cancel",
    "coroutine",
    "create_task",
    "current_task",
    "ensure_future",
    "get_event_loop",
    "new_event_loop",
    "run",
    "run_until_complete",
    "sleep",
    "sleep_ms",
    "ticks",
    "ticks_add",
    "ticks_diff",
    "uyield",
]


class Task(asyncio.Task[Any]):
    """A task of `coro`, a coroutine or generator, which may yield what calls.py tells.

    Raises TypeError for anything else.
    """

    def __init__(self, coro: Any, loop: Any = None, **options: Any) -> None:
        if not hasattr(coro, "send"):
            raise TypeError("coroutine expected")
        self.coro = coro
        native = loop if isinstance(loop, asyncio.AbstractEventLoop) else _native()
        super().__init__(Driver(coro), loop=native, **options)
        self._log_destroy_pending = False
        super().add_done_callback(_ended)

    def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
        """As asyncio's; who is called is trusted to look at what the task raised."""
        super().remove_done_callback(_ended)
        super().add_done_callback(fn, context=context)

    def cancel(self, msg: Any = None) -> bool:
        """As asyncio's, but a task cannot cancel itself: RuntimeError."""
        if self is asyncio.current_task(self.get_loop()):
            raise RuntimeError("can't cancel self")
        return super().cancel(msg)


def _ended(task: Any) -> None:
    if task._log_traceback:
        task.get_loop().call_soon(_report, task)  # after a task that awaits it


def _report(task: Any) -> None:
    """Tell at once what a task raised that nobody awaits, as MicroPython does."""
    if task._log_traceback:
        exc = task.exception()
        task.get_loop().call_exception_handler(
            {"message": "Task exception wasn't retrieved", "exception": exc, "future": task}
        )


def _native() -> asyncio.AbstractEventLoop:
    """The running loop, or the thread's current one."""
    running = asyncio._get_running_loop()
    if running is not None:
        return running
    try:
        return asyncio.get_event_loop()
    except RuntimeError:  # in another thread than the main one
        asyncio.set_event_loop(asyncio.new_event_loop())
        return asyncio.get_event_loop()


def _entry(callback: Any, args: Any) -> Any:
    """What asyncio calls for a callback or coroutine object."""
    return (callback, *args) if callable(callback) else (_go_on, callback)


def _go_on(coro: Any) -> None:
    """Run `coro`; if it is one that yielded False, it goes on."""
    if not resume(coro):
        Task(coro)


class EventLoop:
    """The one event loop.  Times are int milliseconds of time(), unless seconds are named."""

    def __init__(self) -> None:
        self._result: Any = None
        self._watches: dict[tuple[Any, Any], Task] = {}
        self._stopped: dict[Any, bool] = {}  # asyncio's loop -> its innermost run within a task

    def time(self) -> int:
        """Now."""
        return to_ms(_native().time())

    def create_task(self, coro: Any) -> Task:
        """Run `coro` as soon as possible."""
        return Task(coro)

    def call_soon(self, callback: Any, *args: Any) -> None:
        """Call `callback(*args)`, or run it if it is a coroutine object, as soon as possible."""
        _native().call_soon(*_entry(callback, args))

    def call_later(self, delay: float, callback: Any, *args: Any) -> None:
        """The same after `delay` seconds."""
        _native().call_later(delay, *_entry(callback, args))

    def call_later_ms(self, delay: int, callback: Any, args: Any = ()) -> None:
        """The same after `delay` milliseconds, with its arguments in a tuple."""
        _native().call_later(delay / 1000, *_entry(callback, args))

    call_later_ms_ = call_later_ms

    def call_at(self, time: int, callback: Any, *args: Any) -> None:
        """The same at `time`."""
        _native().call_at(time / 1000, *_entry(callback, args))

    def call_at_(self, time: int, callback: Any, args: Any = ()) -> None:
        """The same at `time`, with its arguments in a tuple."""
        self.call_at(time, callback, *args)

    def add_reader(self, sock: Any, callback: Any, *args: Any) -> None:
        """Call `callback(*args)` whenever `sock` can be read; a coroutine object runs once."""
        self._watch(readable, sock, callback, args)

    def remove_reader(self, sock: Any) -> bool:
        """Undo add_reader(); whether there was one."""
        return self._forget(readable, sock)

    def add_writer(self, sock: Any, callback: Any, *args: Any) -> None:
        """Call `callback(*args)` whenever `sock` can be written; a coroutine object runs once."""
        self._watch(writable, sock, callback, args)

    def remove_writer(self, sock: Any) -> bool:
        """Undo add_writer(); whether there was one."""
        return self._forget(writable, sock)

    def _watch(self, ready: Any, sock: Any, callback: Any, args: Any) -> None:
        async def watch() -> None:
            await ready(sock)
            while callable(callback):
                callback(*args)
                await ready(sock)
            Task(callback)

        self._forget(ready, sock)
        self._watches[ready, _key(sock)] = Task(watch())

    def _forget(self, ready: Any, sock: Any) -> bool:
        watch = self._watches.pop((ready, _key(sock)), None)
        if watch is None:
            return False
        if watch is not current_task_or_none():
            watch.cancel()
        return True

    def wait(self, delay: int) -> None:
        """Serve all that comes for `delay` milliseconds (-1: until stop()); in a task, block."""
        if asyncio._get_running_loop() is not None:
            _block_ms(delay)
        elif delay < 0:
            self.run_forever()
        else:
            self.run_until_complete(sleep_ms(delay))

    def stop(self, result: Any = None) -> None:
        """End the innermost run_forever(), which returns `result`."""
        self._result = result
        native = _native()
        if native in self._stopped:
            self._stopped[native] = True
        else:
            native.stop()

    def run_forever(self) -> Any:
        """Run until StopLoop or stop(); returns its argument."""
        self._result = None
        _native().run_forever()
        return self._result

    def _run_nested(self, native: Any, task: Any) -> Any:
        """Run until `task` is done or stop(), in a task that waits for it without `await`."""
        within = asyncio.current_task(native)
        if within is not None:
            asyncio.tasks._leave_task(native, within)
        patches = Patches()
        patches.set_item(self._stopped, native, False)
        try:
            while not (task.done() or self._stopped[native]):
                native._run_once()
        finally:
            patches.undo()
            if within is not None:
                asyncio.tasks._enter_task(native, within)
        return task.result() if task.done() else self._result

    def run_until_complete(self, coro: Any) -> Any:
        """Run until `coro` is done, or StopLoop; returns its result, or StopLoop's argument.

        Other tasks stay as they are, and go on in the next run.
        """
        task = coro if asyncio.isfuture(coro) else Task(coro)
        running = asyncio._get_running_loop()
        if running is not None:
            task.remove_done_callback(_ended)
            return self._run_nested(running, task)
        task.add_done_callback(self._stop)
        try:
            result = self.run_forever()
        except BaseException:
            if task.done() and not task.cancelled():
                task.exception()  # it is what is raised
            raise
        finally:
            task.remove_done_callback(self._stop)
        return task.result() if task.done() else result

    def _stop(self, task: Any) -> None:
        self._result = None
        task.get_loop().stop()

    def close(self) -> None:
        """Nothing: there is one loop, and it can be run again."""

    def set_exception_handler(self, handler: Callable[[Any, Any], Any] | None) -> None:
        """Call `handler(loop, context)` for what no task awaits; None: the default."""
        _native().set_exception_handler(
            None if handler is None else partial(_call_handler, handler)
        )

    def get_exception_handler(self) -> Any:
        """What set_exception_handler() was given."""
        handler = _native().get_exception_handler()
        return handler.args[0] if isinstance(handler, partial) else handler

    def default_exception_handler(self, loop: Any, context: Any) -> None:
        """Log what happened."""
        _native().default_exception_handler(context)

    def call_exception_handler(self, context: Any) -> None:
        """Give `context` to the handler."""
        _native().call_exception_handler(context)

    def __getattr__(self, name: str) -> Any:
        # What MicroPython's loop leaves out.
        return getattr(_native(), name)


def _call_handler(handler: Callable[[Any, Any], Any], loop: Any, context: Any) -> None:
    handler(_event_loop, context)


def _key(sock: Any) -> Any:
    """Objects by identity, descriptors by value."""
    return sock if isinstance(sock, int) else (id(sock),)


# MicroPython's get_event_loop() gives the class Loop, all of whose methods are static.
Loop = _event_loop = EventLoop()


def get_event_loop(runq_len: int = 16, waitq_len: int = 16, *more: Any) -> EventLoop:
    """The one event loop; lengths of queues are not limited here."""
    return _event_loop


def new_event_loop() -> EventLoop:
    """The one event loop, without the tasks and callbacks it had."""
    if asyncio._get_running_loop() is None:
        _native().close()
        asyncio.set_event_loop(asyncio.new_event_loop())
        _event_loop._watches.clear()
    return _event_loop


def create_task(coro: Any) -> Task:
    """Run `coro` as soon as possible."""
    return Task(coro)


def run_until_complete(main_task: Any = None) -> Any:
    """Run until `main_task` is done, or for ever."""
    if main_task is None:
        return _event_loop.run_forever()
    return _event_loop.run_until_complete(main_task)


def run(coro: Any) -> Any:
    """Run until `coro` is done; returns its result.  Other tasks stay as they are."""
    return _event_loop.run_until_complete(coro)


def current_task_or_none() -> asyncio.Task[Any] | None:
    loop = asyncio._get_running_loop()
    return None if loop is None else asyncio.current_task(loop)


def current_task() -> asyncio.Task[Any]:
    """The task that runs now.  Raises RuntimeError outside one."""
    task = current_task_or_none()
    if task is None:
        raise RuntimeError("no running event loop")
    return task


def ensure_future(coro: Any, loop: Any = None) -> Any:
    """Run `coro` as soon as possible; returns `coro`."""
    Task(coro)
    return coro


def cancel(coro: Any) -> None:
    """Raise CancelledError in a task, or in the one that runs the coroutine object `coro`."""
    for task in asyncio.all_tasks(_native()):
        if task is coro or getattr(task, "coro", None) is coro:
            task.cancel()
            return
    coro.close()


def coroutine(func: Callable[..., Any]) -> Callable[..., Any]:
    """A generator function whose generators can be awaited; others as they are."""
    return types.coroutine(func) if inspect.isgeneratorfunction(func) else func


class _IOQueue:
    """What is yielded to wait for a stream, by its name of today."""

    queue_read = IORead
    queue_write = IOWrite

    def remove(self, stream: Any) -> None:
        """Nobody waits for it any more; here, who waits is cancelled for itself."""


_io_queue = _IOQueue()


def promote(aw: Any) -> Any:
    """A task of `aw`, or `aw` if it is a task or future."""
    return aw if asyncio.isfuture(aw) else Task(aw)


def __getattr__(name: str) -> Any:
    if name == "cur_task":
        return current_task_or_none()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
