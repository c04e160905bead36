"""What `run --trace` keeps of a program: its loops, its threads, and the lines that blocked.

What devices and executors do is counted in C, always (csrc/uses.h); here is what is
watched only when somebody asked for it.  The report comes once, from the process that was
started, after the program's own exit handlers.
"""

from __future__ import annotations

import atexit
import itertools
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from traceback import FrameSummary
from typing import TYPE_CHECKING, Any

from .. import insight
from .. import loop as loops
from .._core import _uses
from ..loop.sampler import is_program
from . import trace_report

if TYPE_CHECKING:
    from ..loop import EventLoop

__all__ = ["Blocked", "Trace", "start"]

BLOCKED_S = 0.05  # from when on a line is said to block the loop

_SERVICE = "pyasync_hw.compat.service"  # its loop serves callbacks, and is not the program's
_SUMS = ("iterations", "callbacks", "polls", "timers_fired", "idle_ns", "busy_ns")


class Blocked:
    """A line that kept a loop, and how often.

    line       the program's own, or as near to it as was seen; None: it is not known
    innermost  what it called, if that is another file's or function's; or None
    unseen     C code kept the GIL, until `line`
    handle     repr of the first callback: all of which no line is known are one
    """

    def __init__(self, report: insight.Report) -> None:
        self.times = 0
        self.total = self.longest = 0.0
        self.handle = report.handle
        self.kind = report.kind
        self.callbacks = report.callbacks
        self.unseen = report.line is None and report.until is not None
        self.line, self.innermost = _lines(report)

    @property
    def key(self) -> object:
        place = self.line and (self.line.filename, self.line.lineno)
        return self.kind, self.unseen, place

    def add(self, seconds: float) -> None:
        self.times += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)


def _lines(report: insight.Report) -> tuple[FrameSummary | None, FrameSummary | None]:
    """The program's line that blocked, and the innermost one if that is another."""
    if report.line is None:
        return report.until, None
    line = report.line
    for frame in reversed(report.stack):
        if is_program(frame.filename):
            line = frame
            break
    innermost = report.stack[-1]
    return line, None if innermost is line else innermost


class _Threads:
    """Threads that are started, by who wants them."""

    def __init__(self) -> None:
        self._counts = {kind: itertools.count() for kind in ("program", "executor", "own")}
        self._alive: list[weakref.ref[threading.Thread]] = []
        self.most = 0  # of the program's, at once

    def watch(self) -> None:
        original = threading.Thread.start

        def start(self: threading.Thread) -> None:
            kind = _kind(sys._getframe(1).f_globals.get("__name__") or "")
            original(self)
            next(threads._counts[kind])
            if kind == "program":
                threads._note(self)

        threads = self
        threading.Thread.start = start  # type: ignore[method-assign]

    def _note(self, new: threading.Thread) -> None:
        """`new` was there at the same time as those that still are."""
        others = [one for one in self._alive if (thread := one()) is not None and thread.is_alive()]
        self._alive = [*others, weakref.ref(new)]
        self.most = max(self.most, len(self._alive))

    def counts(self) -> Iterator[tuple[str, int]]:
        """How many there were; to be asked once."""
        for kind, count in self._counts.items():
            yield kind, next(count)


def _kind(module: str) -> str:
    """Of a thread that is started there."""
    if module == "pyasync_hw.executor":
        return "executor"
    return "own" if module.startswith(("pyasync_hw.", "asyncio.")) else "program"


class Trace:
    """All that is kept; an observer of this package's loops."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.blocked: dict[object, Blocked] = {}
        self._process = os.getpid()
        self._began = time.monotonic()
        self._cpu = time.process_time()
        self._threads = _Threads()
        self._uses = _uses()
        self._open: dict[int, weakref.ref[EventLoop]] = {}
        self._closed: list[Any] = []  # what loops did that are closed

    def watch(self) -> None:
        """From now on."""
        self._threads.watch()
        loops.observers.append(self)

    # -- what loops tell ---------------------------------------------------------

    def loop_made(self, loop: EventLoop) -> None:
        if _is_for_callbacks():
            return
        self._open[id(loop)] = weakref.ref(loop)
        insight.watch(loop, BLOCKED_S, self._note)

    def loop_closes(self, loop: EventLoop) -> None:
        if self._open.pop(id(loop), None) is not None:
            self._closed.append(_figures(loop))

    def _note(self, report: insight.Report) -> None:
        if os.getpid() != self._process:
            return
        new = Blocked(report)
        blocked = self.blocked.setdefault(new.key, new)
        blocked.add(report.duration)
        if blocked is new:
            _say(trace_report.live_line(new))

    # -- at the end --------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """What it comes to; see trace_report.text().  To be asked once."""
        stats = [*self._closed]
        for reference in list(self._open.values()):
            loop = reference()
            if loop is not None:
                stats.append(_figures(loop))
        ran = [of_one for of_one in stats if of_one["iterations"]]
        times = os.times()
        now = _uses()
        return {
            "program": self.program,
            "seconds": time.monotonic() - self._began,
            "cpu_seconds": time.process_time() - self._cpu,
            "children_cpu_seconds": times.children_user + times.children_system,
            "loops": len(ran),
            "loops_patched": sum(of_one["patched"] for of_one in stats),
            **{name: sum(of_one[name] for of_one in ran) for name in _SUMS},
            "lag_max_ns": max((of_one["lag_max_ns"] for of_one in ran), default=0),
            "threads": {**dict(self._threads.counts()), "most": self._threads.most},
            "uses": {name: now[name] - self._uses[name] for name in now},
            "blocked_from_seconds": BLOCKED_S,
            "blocked": sorted(self.blocked.values(), key=lambda one: -one.total),
        }

    def end(self, file: str) -> None:
        """Print the report, once; `file`: it is written there as JSON, too."""
        if os.getpid() != self._process:
            return  # a fork's child, which ends as its parent
        loops.observers.remove(self)
        result = self.result()
        _say(trace_report.text(result))
        if file:
            try:
                with open(file, "w", encoding="utf-8") as stream:
                    stream.write(trace_report.json(result))
            except OSError as exc:
                _say(f"pyasync_hw: --trace={file}: {exc}")


def _figures(loop: EventLoop) -> dict[str, Any]:
    return {**loop.stats(), "patched": loop._turns_patched}


def _is_for_callbacks() -> bool:
    """Whether the loop that is made now is that of the thread that serves callbacks."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "") == loops.__name__:
        frame = frame.f_back
    return frame.f_globals.get("__name__") == _SERVICE


def _say(text: str) -> None:
    stream: Any = sys.__stderr__  # what the program puts in its place is for its own words
    try:
        stream.write(text + "\n")
        stream.flush()
    except (AttributeError, OSError, ValueError):  # None, or closed: nobody reads it
        return


def start(program: str, file: str) -> Callable[[], None]:
    """Watch from now on, and report when the program ends; what the report is done by."""
    trace = Trace(program)
    trace.watch()

    def end() -> None:
        atexit.unregister(end)
        trace.end(file)

    atexit.register(end)
    return end
