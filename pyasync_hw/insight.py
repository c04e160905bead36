"""What blocks the loop: slow callbacks and slow iterations, with the line that blocked.

`watch(loop)` reports them without debug mode, and debug mode does so as asyncio does,
with the stack of the blocking code after the message.  Who looks at it is in loop/sampler.py.

There is no lock here, for whoever ends a watch may be anywhere: in the callback that is
looked at, in another thread, in a signal handler, in a finalizer.  Who changes what is
wanted settles what is so, one indivisible step after another until they agree.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
import weakref
from asyncio import base_events
from collections.abc import Callable
from traceback import FrameSummary, StackSummary
from typing import Any, Literal

from ._core import Watchdog
from .loop import EventLoop
from .loop.sampler import Findings, Frame, Sampler, Seen

__all__ = ["Report", "Watch", "watch"]

REPR_MAX = 4096

_Listener = Callable[["Report"], object] | None


class Report:
    """One slow callback, or one slow iteration of callbacks none of which was slow.

    kind        "callback" or "iteration"
    handle      repr of the callback's handle or task, 4 KiB at most; of an
                iteration, of the slowest callback
    duration    seconds, of the callback or of the iteration
    callbacks   how many the iteration ran; 1 for a callback
    slowest     seconds of the slowest callback
    stack       list of FrameSummary, the innermost last, as it was sampled while
                `line` ran; empty if there is no line
    line        the FrameSummary that blocked: where most of the time went, in the
                innermost function outside of the standard library; None if nothing
                was sampled, or if more time is unseen
    samples     how many samples were taken
    share       the part of the time, sampled and unseen, that `line` ran, 0.0 to 1.0
    unseen      seconds of which nothing is known, as when C code keeps the GIL
    until       the FrameSummary where it was after the longest such time, or None
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
        "unseen",
        "until",
    )

    def __init__(
        self,
        kind: Literal["callback", "iteration"],
        handle: str,
        duration: float,
        callbacks: int,
        slowest: float,
        seen: Seen | None,
    ) -> None:
        self.kind = kind
        self.handle = handle
        self.duration = duration
        self.callbacks = callbacks
        self.slowest = slowest
        self.thread = threading.current_thread().name
        self.time = time.time()
        samples = tuple(seen.samples) if seen is not None else ()
        findings = Findings(samples, duration if seen is not None else 0.0)
        self.stack = [_summary(frame) for frame in reversed(findings.stack)]
        self.line = self.stack[-1 - findings.blamed] if self.stack else None
        self.samples = len(samples)
        self.share = findings.share
        self.unseen = findings.unseen
        self.until = _summary(findings.until) if findings.until is not None else None
        self.call_graph = seen.call_graph if seen is not None else ""

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
        text = []
        if self.line is not None:
            share = f"{self.share:.0%} of {self.samples} samples"
            text.append(f"Blocked at {_place(self.line)} ({share})\n")
        if self.unseen:
            until = f", until {_place(self.until)}" if self.until is not None else ""
            text.append(f"Unseen: {self.unseen:.3f} seconds, as when C code keeps the GIL{until}\n")
        if self.stack:
            text.append("Stack (most recent call last):\n")
            text += StackSummary.from_list(self.stack).format()
        if text and self.call_graph:
            text.append(f"Awaited by:\n{self.call_graph}\n")
        return "".join(text).rstrip("\n")

    def log(self) -> None:
        """Log it as a warning of asyncio's logger: that one's call, for who patches it."""
        message, arguments = self._message()
        where = self.where()
        if where:
            message, arguments = message + "\n%s", (*arguments, where)
        base_events.logger.warning(message, *arguments)  # type: ignore[attr-defined]


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
        active = loop is not None and self in loop._watches
        state = "active" if active else "stopped"
        return f"<Watch {state} threshold={self.threshold}>"

    def stop(self) -> None:
        """Watch no more; from any thread, and as often as you like."""
        loop = self._loop()
        if loop is not None:
            _remove(loop, self)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *exc_info: object) -> None:
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
    loop._watches.append(new)
    settle(loop)
    return new


# -- called by the loop ------------------------------------------------------


def settle(loop: EventLoop) -> None:
    """Have somebody look exactly while a loop runs that is watched, or in debug mode.

    Called after each change of that, by whoever made it.
    """
    while True:
        there = loop._watchdog
        limit = min((watch.threshold for watch in tuple(loop._watches)), default=math.inf)
        wanted = bool(loop.is_running() and (limit < math.inf or loop.get_debug()))
        if not wanted:
            limit = math.inf
        if wanted is (there is not None) and limit == loop._watch_limit:
            return
        after = None
        if wanted:
            after = there if there is not None else Sampler(loop, _RUN_FOREVER)
        if loop._set_watchdog(there, after, limit) and after is not there:
            _relieve(there, after)


def slow_callback(loop: EventLoop, handle: Any, stamp: int, seconds: float) -> None:
    seen = _seen(loop._watchdog, stamp)
    _tell(loop, _listeners(loop, seconds), "callback", handle, seconds, seen=seen)


def slow_iteration(
    loop: EventLoop, count: int, seconds: float, text: str | None, slowest: float
) -> None:
    """text: the slowest callback; None when none took a hundredth of the limit."""
    listeners = _listeners(loop, seconds)
    _tell(loop, listeners, "iteration", text or "all of them short", seconds, count, slowest)


# -- the rest is private -----------------------------------------------------


def _relieve(before: Watchdog | None, after: Watchdog | None) -> None:
    if isinstance(after, Sampler):
        try:
            after.start()
        except RuntimeError as exc:
            text = "slow callbacks will be reported without their line: %s"
            base_events.logger.warning(text, exc)  # type: ignore[attr-defined]
    if isinstance(before, Sampler):
        before.join()


def _remove(loop: EventLoop, watch: Watch) -> None:
    try:
        loop._watches.remove(watch)
    except ValueError:
        return  # it is stopped
    stamp, seconds = 0, 0.0
    there = loop._watchdog
    if there is not None and loop._thread_id == threading.get_ident():
        stamp, seconds = there.now()
    settle(loop)
    if seconds >= watch.threshold:
        # The callback that stops it, as a coroutine that leaves the `with` block
        # does, is the slow one: it is reported as long as it has run.
        logged = watch.callback is None and None in _listeners(loop, seconds)
        if not logged:
            handle, seen = loop._current_handle, _seen(there, stamp)
            listeners = [watch.callback]
            _tell(loop, listeners, "callback", handle, seconds, seen=seen)


def _seen(sampler: Watchdog | None, stamp: int) -> Seen | None:
    """None: nobody looked; empty: who was to look could not."""
    if not isinstance(sampler, Sampler):
        return None
    seen = sampler.seen
    return seen if seen is not None and seen.stamp == stamp else Seen(stamp, "")


def _listeners(loop: EventLoop, seconds: float) -> list[_Listener]:
    """Whom to tell of what took so long; None: the log."""
    watches = tuple(loop._watches)
    listeners = [watch.callback for watch in watches if seconds >= watch.threshold]
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
    seen: Seen | None = None,
) -> None:
    if not listeners:
        return
    try:
        text = handle if isinstance(handle, str) else format_handle(handle)
        slowest = seconds if slowest is None else slowest
        report = Report(kind, text, seconds, count, slowest, seen)
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


def _failed(loop: EventLoop, message: str, exc: Exception) -> None:
    loop.call_exception_handler({"message": message, "exception": exc})


def _summary(frame: Frame) -> FrameSummary:
    return FrameSummary(*frame, lookup_line=False)


def _place(frame: FrameSummary) -> str:
    place = f"{frame.filename}:{frame.lineno} in {frame.name}"
    return f"{place}: {frame.line}" if frame.line else place


def format_handle(handle: Any) -> str:
    if isinstance(handle, asyncio.Handle):
        text: str = base_events._format_handle(handle)  # type: ignore[attr-defined]
    else:
        text = repr(handle)
    return text if len(text) <= REPR_MAX else text[: REPR_MAX - 3] + "..."


_RUN_FOREVER = EventLoop.run_forever.__code__
