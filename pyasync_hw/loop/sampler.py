"""What a callback does while it blocks: a thread that looks, and what follows from it.

The thread runs as long as a watched loop runs.  It sleeps until a callback has run for
a part of its limit (csrc/base/watchdog.h), and does not wake at all while the loop sleeps.
To look, it needs a CPU and the GIL.  While C code keeps one of them, nothing can be seen,
and what is seen right after it is some later line, which is not to blame: such time is
`unseen`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .._core import Watchdog

if TYPE_CHECKING:
    from types import CodeType

    from . import EventLoop

__all__ = ["Findings", "Sample", "Sampler", "Seen", "Stack", "is_program"]

STACK_MAX = 24
JOIN_MAX = 1.0
SLACK = 0.005  # for a thread to wake
BUSY_MAX = 0.1  # for it to get a CPU
SPACING = 1 / 16  # from one look to the next, of the time so far (csrc/base/watchdog.h)

Frame = tuple[str, int, str]  # file, line, function
Stack = list[Frame]  # the innermost first

_STDLIB = os.path.dirname(os.__file__) + os.sep
_SITE_PACKAGES = ("site-packages", "dist-packages")
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


class Sample(NamedTuple):
    """One look at the loop's thread; times are seconds since the callback began."""

    watched: float  # from when on somebody waited for the time to look
    looked: float  # when the stack was read
    waited: float  # by how much that was late: a CPU, and the GIL, were waited for
    worked: float  # how much CPU time the process had while the GIL was
    stack: Stack


class Seen:
    """What was seen of one callback."""

    def __init__(self, stamp: int, call_graph: str) -> None:
        self.stamp = stamp
        self.call_graph = call_graph
        self.samples: list[Sample] = []  # grows, while others read


class Sampler(Watchdog):
    """The thread that looks.  Who replaces it in the loop ends it (loop._set_watchdog)."""

    def __init__(self, loop: EventLoop, outer: CodeType) -> None:
        self._loop = weakref.ref(loop)
        self._outer = outer  # the stack of a callback ends where the loop's begins
        self._thread: threading.Thread | None = None
        self.seen: Seen | None = None

    def start(self) -> None:
        """RuntimeError: no thread any more, as at the interpreter's exit."""
        name = "pyasync_hw watchdog"
        try:
            # A loop in a daemon thread must not keep the interpreter from its end.
            thread = threading.Thread(target=self._run, name=name, daemon=True)
        except RuntimeError:  # a subinterpreter without daemon threads
            thread = threading.Thread(target=self._run, name=name, daemon=False)
        thread.start()
        self._thread = thread

    def join(self) -> None:
        """After its end, so that it is not seen any more.

        Not for ever: the collector may run somebody's finalizer in it, which waits for
        a lock that our caller has.  It ends by itself.
        """
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_MAX)

    def _run(self) -> None:
        stamp = 0
        while found := self.wait(stamp, self._outer, STACK_MAX):
            stamp = found[0]
            seen = self.seen
            if seen is None or seen.stamp != stamp:
                self.seen = seen = Seen(stamp, self._call_graph(stamp))
            seen.samples.append(Sample(*found[1:]))

    def _call_graph(self, stamp: int) -> str:
        """Who awaits the task that blocks."""
        loop = self._loop()
        if sys.version_info >= (3, 14) and loop is not None:
            handle = loop._current_handle
            task = getattr(getattr(handle, "_callback", None), "__self__", None)
            if isinstance(task, asyncio.Task):
                graph = asyncio.capture_call_graph(task)
                if graph is not None and graph.awaited_by and self.now()[0] == stamp:
                    return asyncio.format_call_graph(task)
        return ""


class Findings:
    """Where the time of a callback went, as far as it was seen.

    stack    while the line that took the most of it ran; empty if none is known to
    blamed   the index of that line's frame in it
    share    the part of the time, seen and unseen, that this line took
    unseen   seconds of which nothing is known
    until    where it was after the longest of these, or None
    """

    def __init__(self, samples: Sequence[Sample], seconds: float) -> None:
        self.stack: Stack = []
        self.blamed = 0
        self.share = self.unseen = 0.0
        self.until: Frame | None = None
        seen: dict[Frame, tuple[float, Stack]] = {}
        longest = last = 0.0
        for sample in samples:
            line = sample.stack[blame(sample.stack)]
            hole = _hole(sample, last)
            if hole > longest:
                longest, self.until = hole, line
            self.unseen += hole
            # It stands for the time since the last.
            so_far, stack = seen.get(line, (0.0, sample.stack))
            seen[line] = so_far + max(sample.looked - last - hole, 0.0), stack
            last = sample.looked
        late = seconds - last * (1 + SPACING) - _patience()
        if late > 0.0:  # somebody would have looked
            self.unseen += late
            self.until = self.until if longest > late else None
        most, stack = max(seen.values(), key=lambda item: item[0], default=(0.0, []))
        if most > self.unseen:
            self.stack = stack
            self.blamed = blame(stack)
            self.share = most / (sum(time for time, _ in seen.values()) + self.unseen)


def _patience() -> float:
    """Who waits for the GIL gets it from bytecode at the end of the interval."""
    return sys.getswitchinterval() + SLACK


def _hole(sample: Sample, last: float) -> float:
    """How much of the time since the last sample this one says nothing of."""
    hole = sample.watched - last  # the thread had not come to wait again, or begun
    patience = _patience()
    if hole <= patience:
        hole = 0.0
    # C code has kept what it needs; or it only took long on a busy machine, without much work.
    if sample.waited > patience and (sample.worked > patience or sample.waited > BUSY_MAX):
        hole += sample.waited
    return hole


def blame(stack: Stack) -> int:
    """Which frame is to blame: the innermost that is not the standard library's."""
    for index, (filename, _, _) in enumerate(stack):
        if not _is_standard(filename):
            return index
    return 0


def is_program(filename: str) -> bool:
    """Whether it is the program's own file: neither installed nor the standard library's."""
    return not _is_standard(filename) and not _is_installed(filename)


def _is_installed(filename: str) -> bool:
    return any(name in filename for name in _SITE_PACKAGES)


def _is_standard(filename: str) -> bool:
    """The standard library's, or this package's."""
    standard = filename.startswith((_STDLIB, "<frozen ")) and not _is_installed(filename)
    return standard or filename.startswith(_PACKAGE)
