"""What blocks the loop: slow callbacks and slow iterations, with the line that blocked.

`watch(loop)` reports them without debug mode, and debug mode does so as asyncio does,
with the stack of the blocking code beside the message.  The stack is sampled while the
callback blocks, by a thread that runs as long as a watched loop runs: it sleeps until a
callback has taken its time (base/watchdog.h), and does not wake at all while the loop
sleeps.  It cannot look into code that keeps the GIL.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import math
import os
import sys
import threading
import time
import weakref
from asyncio import base_events
from asyncio.log import logger
from collections.abc import Callable
from traceback import FrameSummary, StackSummary
from types import FrameType, TracebackType
from typing import Any, Literal

from ._core import Watchdog
from .loop import EventLoop

__all__ = ["Report", "Watch", "watch"]

REPR_MAX = 4096
STACK_MAX = 24

_Stack = tuple[tuple[str, int, str], ...]  # file, line, function; the innermost last

_Listener = Callable[["Report"], object] | None

_STDLIB = os.path.dirname(os.__file__) + os.sep
_SITE_PACKAGES = ("site-packages", "dist-packages")
_PACKAGE = os.path.dirname(__file__) + os.sep


class Report:
    """One slow callback, or one slow iteration of callbacks none of which was slow.

    kind        "callback" or "iteration"
    handle      repr of the callback's handle or task, 4 KiB at most; of an
                iteration, of the slowest callback
    duration    seconds, of the callback or of the iteration
    callbacks   how many the iteration ran; 1 for a callback
    slowest     seconds of the slowest callback
    stack       list of FrameSummary, the innermost last, as it was sampled while
                `line` ran; empty if nothing could be sampled
    line        the FrameSummary that blocked: where most of the time went, in the
                innermost function outside of the standard library; or None
    samples     how many samples were taken
    share       the part of the sampled time that `line` ran, 0.0 to 1.0
    call_graph  who awaits the task that blocked, as text (Python 3.14), or ""
    thread      name of the loop's thread
    time        time.time() at the end

    str() of it is the warning that is logged by default.
    """

    __slots__ = (
        "call_graph",
        "callbacks",
        "duration",
        "handle",
        "kind",
        "line",
        "samples",
        "share",
        "slowest",
        "stack",
        "thread",
        "time",
    )

    def __init__(
        self,
        kind: Literal["callback", "iteration"],
        handle: str,
        duration: float,
        callbacks: int,
        slowest: float,
        samples: _Samples | None,
    ) -> None:
        self.kind = kind
        self.handle = handle
        self.duration = duration
        self.callbacks = callbacks
        self.slowest = slowest
        self.thread = threading.current_thread().name
        self.time = time.time()
        self.stack: list[FrameSummary] = []
        self.line: FrameSummary | None = None
        self.samples = 0
        self.share = 0.0
        self.call_graph = ""
        if samples is not None:
            stack, self.share = samples.most_frequent()
            self.stack = [FrameSummary(*frame, lookup_line=False) for frame in stack]
            self.line = self.stack[_line_of(stack)]
            self.samples = samples.count
            self.call_graph = samples.call_graph

    def __repr__(self) -> str:
        return f"<Report {self.kind} {self.duration:.3f} s {self.line}>"

    def __str__(self) -> str:
        message, arguments = self._message()
        where = self.where()
        return message % arguments + ("\n" + where if where else "")

    def _message(self) -> tuple[str, tuple[object, ...]]:
        if self.kind == "callback":
            return "Executing %s took %.3f seconds", (self.handle, self.duration)
        return (
            "Executing %d callbacks in one iteration took %.3f seconds, "
            "the slowest %.3f seconds: %s",
            (self.callbacks, self.duration, self.slowest, self.handle),
        )

    def where(self) -> str:
        """The line, the stack and the call graph, as text."""
        if self.line is None:
            return ""
        share = f"{self.share:.0%} of {self.samples} samples"
        text = [f"Blocked at {_place(self.line)} ({share})\n"]
        text.append("Stack (most recent call last):\n")
        text += StackSummary.from_list(self.stack).format()
        if self.call_graph:
            text.append(f"Awaited by:\n{self.call_graph}\n")
        return "".join(text).rstrip("\n")

    def log(self) -> None:
        """Log it as a warning of asyncio's logger."""
        if not logger.isEnabledFor(logging.WARNING):
            return
        message, arguments = self._message()
        # The stack goes where logging prints stacks, so the message stays asyncio's.
        place = self.line or FrameSummary(__file__, 0, "log", lookup_line=False)
        record = logger.makeRecord(
            logger.name,
            logging.WARNING,
            place.filename,
            place.lineno or 0,
            message,
            arguments,
            None,
            place.name,
            None,
            self.where() or None,
        )
        logger.handle(record)


class Watch:
    """Somebody watches a loop; ends with stop(), with its `with` block, or the loop."""

    def __init__(
        self, loop: EventLoop, threshold: float, callback: Callable[[Report], object] | None
    ) -> None:
        self._loop = weakref.ref(loop)
        self.threshold = threshold
        self.callback = callback

    def __repr__(self) -> str:
        loop = self._loop()
        active = loop is not None and loop._monitor is not None and self in loop._monitor.watches
        state = "active" if active else "stopped"
        return f"<Watch {state} threshold={self.threshold}>"

    def stop(self) -> None:
        """Watch no more; from any thread, and as often as you like."""
        loop = self._loop()
        if loop is not None and loop._monitor is not None:
            loop._monitor.remove(loop, self)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def watch(
    loop: asyncio.AbstractEventLoop,
    threshold: float = 0.1,
    callback: Callable[[Report], object] | None = None,
) -> Watch:
    """Report callbacks and iterations of this loop that take `threshold` seconds.

    callback(report) is called in the loop's thread, after the slow callback; None
    logs a warning.  From any thread; also before the loop runs, and for several
    thresholds at once.
    """
    if not isinstance(loop, EventLoop):
        raise TypeError(f"loop must be a pyasync_hw.EventLoop, not {type(loop).__name__}")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise TypeError(f"threshold must be a number of seconds, not {type(threshold).__name__}")
    if not 0.001 <= threshold < math.inf:
        raise ValueError(f"threshold must be 0.001 seconds or more, not {threshold}")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, not {type(callback).__name__}")
    loop._check_closed()
    new = Watch(loop, float(threshold), callback)
    _monitor_of(loop).add(loop, new)
    return new


# -- called by the loop ------------------------------------------------------


def update(loop: EventLoop) -> None:
    """The loop starts or stops, or its debug mode was switched."""
    _monitor_of(loop).update(loop)


def slow_callback(loop: EventLoop, handle: Any, seconds: float) -> None:
    monitor = _monitor_of(loop)
    samples = monitor.take_samples()
    _tell(loop, monitor.listeners(loop, seconds), "callback", handle, seconds, samples=samples)


def slow_iteration(
    loop: EventLoop, count: int, seconds: float, text: str | None, slowest: float
) -> None:
    """text: the slowest callback; None when none took a hundredth of the limit."""
    listeners = _monitor_of(loop).listeners(loop, seconds)
    _tell(loop, listeners, "iteration", text or "all of them short", seconds, count, slowest)


# -- the rest is private -----------------------------------------------------


class _Samples:
    """What was seen of one slow callback: a stack for each line, and how long it ran."""

    def __init__(self, stamp: int) -> None:
        self.stamp = stamp
        self.count = 0
        self.call_graph = ""
        self._last = time.monotonic()
        self._by_line: dict[tuple[str, int, str], tuple[float, _Stack]] = {}

    def add(self, stack: _Stack) -> None:
        # A sample stands for the time since the last; the first for the least of them.
        now = time.monotonic()
        weight = max(now - self._last, 0.001)
        self._last = now
        self.count += 1
        line = stack[_line_of(stack)]
        before, first = self._by_line.get(line, (0.0, stack))
        self._by_line[line] = (before + weight, first)

    def copy(self) -> _Samples:
        other = copy.copy(self)
        other._by_line = dict(self._by_line)
        return other

    def most_frequent(self) -> tuple[_Stack, float]:
        total = sum(weight for weight, _ in self._by_line.values())
        weight, stack = max(self._by_line.values(), key=lambda item: item[0])
        return stack, weight / total


class _Monitor:
    """Who watches a loop, and the thread that looks at it; belongs to the loop."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may come back here
        self._dog: Watchdog | None = None
        self._thread: threading.Thread | None = None
        self._loop: weakref.ref[EventLoop] | None = None
        self._samples: _Samples | None = None

    def _locked(self) -> threading.RLock:
        if self._pid != os.getpid():
            self._begin_anew()  # a forked child: the thread, which may hold it, is not here
        return self._lock

    def add(self, loop: EventLoop, new: Watch) -> None:
        with self._locked():
            self.watches = [*self.watches, new]
            self.update(loop)

    def remove(self, loop: EventLoop, old: Watch) -> None:
        with self._locked():
            if old not in self.watches:
                return
            self.watches = [watch for watch in self.watches if watch is not old]
            seconds = 0.0
            if self._dog is not None and loop._thread_id == threading.get_ident():
                seconds = self._dog.elapsed()
            samples = self._samples.copy() if self._samples is not None else None
            self.update(loop)
        if seconds >= old.threshold:
            # The callback that stops it, as a coroutine that leaves the `with` block
            # does, is the slow one: it is reported as long as it has run.
            logged = old.callback is None and None in self.listeners(loop, seconds)
            if not logged:
                handle = loop._current_handle
                _tell(loop, [old.callback], "callback", handle, seconds, samples=samples)

    def update(self, loop: EventLoop) -> None:
        """Have a thread exactly while a loop runs that somebody watches."""
        with self._locked():
            wanted = loop.is_running() and (bool(self.watches) or loop.get_debug())
            if wanted:
                if self._dog is None:
                    self._loop = weakref.ref(loop)
                    self._start_thread()
                limit = min((watch.threshold for watch in self.watches), default=math.inf)
                loop._set_watchdog(self._dog, limit)
                return
            thread = self._thread
            # In this order, a KeyboardInterrupt in between leaves no thread behind.
            if self._dog is not None:
                self._dog.stop()
            self._dog = self._thread = self._samples = None
            loop._set_watchdog(None, math.inf)
        if thread is not None:
            thread.join()

    def _start_thread(self) -> None:
        dog = Watchdog()
        arguments = (weakref.ref(self), dog)
        name = "pyasync_hw watchdog"
        try:
            self._dog = dog
            try:
                # A loop in a daemon thread must not keep the interpreter from its end.
                thread = threading.Thread(
                    target=_watch_loop, args=arguments, name=name, daemon=True
                )
            except RuntimeError:  # a subinterpreter without daemon threads
                thread = threading.Thread(
                    target=_watch_loop, args=arguments, name=name, daemon=False
                )
            thread.start()
            self._thread = thread
        except BaseException as exc:
            dog.stop()
            self._dog = self._thread = None
            if not isinstance(exc, RuntimeError):
                raise
            # No thread any more, as at the interpreter's exit.
            logger.warning("slow callbacks will be reported without their line: %s", exc)

    def sample(self, dog: Watchdog, stamp: int) -> None:
        """In the watching thread: what does the loop's thread do just now?"""
        loop = self._loop() if self._loop is not None else None
        if loop is None:
            return
        stack = _stack_of(loop._running_frame())
        new = self._samples is None or self._samples.stamp != stamp
        call_graph = _call_graph(loop._current_handle) if new else ""
        with self._lock:
            if not stack or dog.now() != stamp:
                return  # it has ended meanwhile
            if self._samples is None or self._samples.stamp != stamp:
                self._samples = _Samples(stamp)
                self._samples.call_graph = call_graph
            self._samples.add(stack)

    def take_samples(self) -> _Samples | None:
        with self._locked():
            samples, self._samples = self._samples, None
        return samples

    def listeners(self, loop: EventLoop, seconds: float) -> list[_Listener]:
        """Whom to tell of what took so long; None: the log."""
        listeners = [watch.callback for watch in self.watches if seconds >= watch.threshold]
        if loop.get_debug() and seconds >= loop.slow_callback_duration:
            listeners.append(None)
        return listeners


def _tell(
    loop: EventLoop,
    listeners: list[_Listener],
    kind: Literal["callback", "iteration"],
    handle: Any,
    seconds: float,
    count: int = 1,
    slowest: float | None = None,
    samples: _Samples | None = None,
) -> None:
    if not listeners:
        return
    try:
        text = handle if isinstance(handle, str) else format_handle(handle)
        report = Report(
            kind, text, seconds, count, seconds if slowest is None else slowest, samples
        )
        if None in listeners:
            report.log()  # once, however many ask for it
    except Exception as exc:
        _failed(loop, "Exception while a slow callback was reported", exc)
        return
    for listener in listeners:
        if listener is not None:
            try:
                listener(report)
            except Exception as exc:
                _failed(loop, f"Exception in {listener!r}, which watches the loop", exc)


def _monitor_of(loop: EventLoop) -> _Monitor:
    if loop._monitor is None:
        loop._monitor = _Monitor()
    return loop._monitor


def _failed(loop: EventLoop, message: str, exc: Exception) -> None:
    loop.call_exception_handler({"message": message, "exception": exc})


def _watch_loop(monitor_ref: weakref.ref[_Monitor], dog: Watchdog) -> None:
    stamp = 0
    while stamp := dog.wait(stamp):
        monitor = monitor_ref()
        if monitor is None:
            return
        monitor.sample(dog, stamp)
        del monitor


def _stack_of(frame: FrameType | None) -> _Stack:
    """What the callback has called: from the innermost frame out to the loop."""
    stack: list[tuple[str, int, str]] = []
    while frame is not None and frame.f_code is not _RUN_FOREVER and len(stack) < STACK_MAX:
        code = frame.f_code
        stack.append((code.co_filename, frame.f_lineno or code.co_firstlineno, code.co_name))
        frame = frame.f_back
    return tuple(reversed(stack))


def _line_of(stack: _Stack) -> int:
    """Which frame is to blame: the innermost that is not the standard library's."""
    for index in range(len(stack) - 1, -1, -1):
        filename = stack[index][0]
        installed = any(name in filename for name in _SITE_PACKAGES)
        standard = filename.startswith((_STDLIB, "<frozen ")) and not installed
        if not standard and not filename.startswith(_PACKAGE):
            return index
    return len(stack) - 1


def _place(frame: FrameSummary) -> str:
    place = f"{frame.filename}:{frame.lineno} in {frame.name}"
    return f"{place}: {frame.line}" if frame.line else place


def format_handle(handle: Any) -> str:
    if isinstance(handle, asyncio.Handle):
        text: str = base_events._format_handle(handle)  # type: ignore[attr-defined]
    else:
        text = repr(handle)
    return text if len(text) <= REPR_MAX else text[: REPR_MAX - 3] + "..."


def _call_graph(handle: Any) -> str:
    if sys.version_info >= (3, 14):
        task = getattr(getattr(handle, "_callback", None), "__self__", None)
        if isinstance(task, asyncio.Task):
            graph = asyncio.capture_call_graph(task)
            if graph is not None and graph.awaited_by:
                return asyncio.format_call_graph(task)
    return ""


_RUN_FOREVER = EventLoop.run_forever.__code__
