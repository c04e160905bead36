"""The report of `run --trace` as text, and as JSON.

What is counted stands there as it is.  What a program would have cost elsewhere is an
estimate, called so, with the rule by which it was made.
"""

from __future__ import annotations

import json as jsons
import os
from collections.abc import Iterator
from traceback import FrameSummary
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trace import Blocked

__all__ = ["json", "live_line", "text"]

# pi-rc522 2.3.0 and mfrc522 0.0.7 read ComIrqReg 2,001 times before they give up a request;
# tests/compat/test_trace.py counts it, with pi-rc522 itself on the simulator.
SILENT_REQUEST_MESSAGES = 2013

_LINES_MAX = 20  # that blocked, those first that took the longest


def _n(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _rate(count: int, seconds: float) -> str:
    return f" ({count / seconds:,.0f}/s)" if seconds > 0 and count else ""


def _place(frame: FrameSummary) -> str:
    place = f"{_short(frame.filename)}:{frame.lineno} in {frame.name}"
    return f"{place}: {frame.line}" if frame.line else place


def _short(filename: str) -> str:
    """Below the current folder, as one types it."""
    here = os.getcwd() + os.sep
    return filename.removeprefix(here)


def _what(blocked: Blocked) -> str:
    if blocked.kind == "iteration":
        many = f"{blocked.callbacks:,} callbacks in one iteration"
        return f"{many}, the slowest, at first: {blocked.handle}"
    if blocked.line is None:
        return f"no line was seen, at first: {blocked.handle}"
    if blocked.unseen:
        return f"C code that kept the GIL, until {_place(blocked.line)}"
    return _place(blocked.line)


def live_line(blocked: Blocked) -> str:
    """What is said at the first time."""
    text = f"pyasync_hw: the loop was blocked for {blocked.longest:.3f} s by {_what(blocked)}"
    if blocked.innermost is not None:
        text += f"\n  there in {_place(blocked.innermost)}"
    return text


def _loops(result: dict[str, Any]) -> Iterator[str]:
    patched = result["loops_patched"]
    if patched:
        yield f"neither counted nor watched: {patched:,} whose turns the program has patched"
    if not result["loops"]:
        if not patched:
            yield "none of this package's ran"
        return
    running = result["idle_ns"] + result["busy_ns"]
    asleep = result["idle_ns"] / running if running else 1.0
    yield (
        f"{result['loops']:,}: {_n(result['iterations'], 'iteration')}, "
        f"{_n(result['callbacks'], 'callback')}, {_n(result['timers_fired'], 'timer')}, "
        f"{_n(result['polls'], 'poll')} of the kernel"
    )
    yield f"asleep for {asleep:.1%} of the time; late by {result['lag_max_ns'] / 1e9:.3f} s at most"


def _blocked(result: dict[str, Any]) -> Iterator[str]:
    if not result["loops"]:
        return
    least = f"{result['blocked_from_seconds'] * 1000:.0f} ms"
    if not result["blocked"]:
        yield f"by no callback for {least} or more"
    for blocked in result["blocked"][:_LINES_MAX]:
        yield (
            f"{_n(blocked.times, 'time')}, {blocked.longest:.3f} s at most, "
            f"{blocked.total:.3f} s in all: {_what(blocked)}"
        )
        if blocked.innermost is not None:
            yield f"  there in {_place(blocked.innermost)}"
    if len(result["blocked"]) > _LINES_MAX:
        yield f"and by {len(result['blocked']) - _LINES_MAX:,} lines more"


def _threads(result: dict[str, Any]) -> Iterator[str]:
    threads, uses = result["threads"], result["uses"]
    yield (
        f"{_n(threads['program'], 'thread')} of the program's own"
        + (f", {threads['most']:,} at once at most" if threads["program"] else "")
    )
    jobs = uses["executor_jobs"]
    if jobs:
        yield (
            f"{_n(jobs, 'executor job')} took {_n(threads['executor'], 'thread')}, "
            f"{uses['executor_threads_most']:,} at once at most in one executor"
        )
        yield (
            f"  estimate: {uses['executor_seats']:,} with asyncio's executor (one for each job at "
            "once, none ends before its loop)"
        )


def _bus(result: dict[str, Any], bus: str) -> Iterator[str]:
    uses, seconds = result["uses"], result["seconds"]
    messages = uses[f"{bus}_messages"]
    if messages:
        sent = _n(uses[f"{bus}_bytes"], "byte")
        yield f"{_n(messages, 'message')}{_rate(messages, seconds)}, {sent}"


def _spi(result: dict[str, Any]) -> Iterator[str]:
    return _bus(result, "spi")


def _i2c(result: dict[str, Any]) -> Iterator[str]:
    return _bus(result, "i2c")


def _tags(result: dict[str, Any]) -> Iterator[str]:
    uses, seconds = result["uses"], result["seconds"]
    polls, requests, silences = uses["tag_polls"], uses["tag_requests"], uses["tag_silences"]
    if polls:
        yield f"{_n(polls, 'poll')}{_rate(polls, seconds)} while it was waited for tags"
    if requests:
        yield f"{_n(requests, 'request')}{_rate(requests, seconds)}, {silences:,} unanswered"
    if uses["tag_messages"]:
        yield f"{_n(uses['tag_messages'], 'SPI message')} for all that the reader did"
    if silences:
        yield (
            f"  estimate: {silences * SILENT_REQUEST_MESSAGES:,} for the unanswered requests with "
            f"a library that polls the chip (pi-rc522 2.3.0: {SILENT_REQUEST_MESSAGES:,} each)"
        )


def _gpio(result: dict[str, Any]) -> Iterator[str]:
    uses, seconds = result["uses"], result["seconds"]
    counts = [
        (uses["line_reads"], "read", _rate(uses["line_reads"], seconds)),
        (uses["line_writes"], "write", ""),
        (uses["edges"], "edge", ""),
        (uses["edge_waits"], "wait", ""),
    ]
    if any(count for count, _, _ in counts):
        yield ", ".join(_n(count, noun) + rate for count, noun, rate in counts) + " for edges"


_ROWS = (
    ("loops", _loops),
    ("blocked", _blocked),
    ("threads", _threads),
    ("SPI", _spi),
    ("RC522", _tags),
    ("I2C", _i2c),
    ("GPIO", _gpio),
)


def text(result: dict[str, Any]) -> str:
    """A table for people."""
    seconds, cpu = result["seconds"], result["cpu_seconds"]
    head = f"pyasync_hw: {result['program']} ran {seconds:.3f} s, on the CPU {cpu:.3f} s"
    if seconds > 0:
        head += f" ({cpu / seconds:.1%})"
    if result["children_cpu_seconds"]:
        head += f", its children {result['children_cpu_seconds']:.3f} s"
    lines = [head]
    for name, row in _ROWS:
        for number, line in enumerate(row(result)):
            lines.append(f"  {'' if number else name:9}{line}")
    return "\n".join(lines)


def _frame(frame: FrameSummary | None) -> dict[str, Any] | None:
    if frame is None:
        return None
    return {
        "file": frame.filename,
        "line": frame.lineno,
        "function": frame.name,
        "text": frame.line,
    }


def json(result: dict[str, Any]) -> str:
    """The same for machines; estimates are under "estimates"."""
    uses = result["uses"]
    blocked = [
        {
            "kind": one.kind,
            "times": one.times,
            "seconds": one.total,
            "longest_seconds": one.longest,
            "unseen": one.unseen,
            "line": _frame(one.line),
            "innermost": _frame(one.innermost),
            "handle": one.handle,
        }
        for one in result["blocked"]
    ]
    estimates = {
        "asyncio_executor_threads": uses["executor_seats"],
        "polling_rc522_spi_messages": uses["tag_silences"] * SILENT_REQUEST_MESSAGES,
    }
    return jsons.dumps({**result, "blocked": blocked, "estimates": estimates}, indent=1) + "\n"
