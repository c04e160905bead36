"""What a run in virtual time still waits for, when it must end: the text of the error."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from .._core import Loop, VirtualClock
from ..errors import SleepForeverError, TimeLimitError

__all__ = ["error"]

SHOWN = 10  # of each kind
_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_OWN = (_PACKAGE + os.sep, os.path.dirname(asyncio.__file__) + os.sep)


def _position(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}"


def _frames_of(awaited: Any) -> Iterator[FrameType]:
    """Of a coroutine that is suspended, from the outermost on."""
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                break
        else:
            return
        awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)


def _line(frames: list[FrameType]) -> str:
    """The innermost line that is neither asyncio's nor ours."""
    theirs = [frame for frame in frames if not frame.f_code.co_filename.startswith(_OWN)]
    found = (theirs or frames)[-1:]
    return _position(found[0]) if found else "(no line)"


def _some(kind: str, lines: list[str]) -> Iterator[str]:
    for line in lines[:SHOWN]:
        yield f"  {kind} {line}"
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more"


def _of_loop(loop: Loop) -> Iterator[str]:
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())  # type: ignore[arg-type]
    yield from _some(
        "task",
        [f"{task.get_name()}: {_line(list(_frames_of(task.get_coro())))}" for task in tasks],
    )
    timers = sorted(loop._scheduled)  # type: ignore[attr-defined]
    yield from _some("timer", [f"at {timer.when():.9g} s: {timer!r}" for timer in timers])


def _of_threads(idents: list[int]) -> Iterator[str]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    current = sys._current_frames()
    lines = []
    for ident in idents:
        frame = current.get(ident)
        frames: list[FrameType] = []
        while frame is not None:
            frames.insert(0, frame)
            frame = frame.f_back
        lines.append(f"{names.get(ident, ident)}: {_line(frames)}")
    yield from _some("thread", lines)


def error(clock: VirtualClock, what: str | None, over_limit: bool) -> SleepForeverError:
    """Called by the C half: a wait on `clock` was ended; `what`: in a thread."""
    loop, idents = clock._ended()
    kind: type[SleepForeverError]
    if over_limit:
        kind = TimeLimitError
        text = f"nothing is due before the limit of the virtual clock, {clock.limit:.9g} s"
    else:
        kind = SleepForeverError
        text = "nothing is ready and nothing is due, ever, on this virtual clock"
    if what is not None:
        text = f"{what}: {text}"
    waiting = [*(_of_loop(loop) if loop is not None else ()), *_of_threads(idents)]
    if waiting:
        text = "\n".join([f"{text}; at {clock.time():.9g} s these wait:", *waiting])
    return kind(text)
