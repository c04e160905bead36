"""MicroPython's `utime`, and what its `time` has beyond Python's.

Ticks are those of the running loop's clock, and do not wrap; where no loop runs, they are
those of time.monotonic(), which is the clock of our loops.
"""

from __future__ import annotations

import asyncio
import time as _time
from time import gmtime, sleep, time_ns

from . import forward

__all__ = [
    "gmtime",
    "localtime",
    "mktime",
    "sleep",
    "sleep_ms",
    "sleep_us",
    "ticks_add",
    "ticks_cpu",
    "ticks_diff",
    "ticks_ms",
    "ticks_us",
    "time",
    "time_ns",
]


def _seconds() -> float:
    loop = asyncio._get_running_loop()
    return _time.monotonic() if loop is None else loop.time()


def to_ms(seconds: float) -> int:
    """Whole milliseconds; what a sum of floats lacks to one is forgiven."""
    return int(seconds * 1000 + 1e-3)


def ticks_ms() -> int:
    """Milliseconds since an arbitrary point."""
    return to_ms(_seconds())


def ticks_us() -> int:
    """Microseconds since the same point."""
    return int(_seconds() * 1_000_000)


def ticks_cpu() -> int:
    """The finest clock there is, in nanoseconds."""
    return _time.perf_counter_ns()


def ticks_add(ticks: int, delta: int) -> int:
    """The ticks that are `delta` after `ticks`."""
    return ticks + delta


def ticks_diff(new: int, old: int) -> int:
    """Ticks from `old` to `new`; negative if `new` is the earlier one."""
    return new - old


def sleep_ms(ms: float) -> None:
    """Block for `ms` milliseconds; not at all if that is negative."""
    if ms > 0:
        sleep(ms / 1000)


def sleep_us(us: float) -> None:
    """Block for `us` microseconds; not at all if that is negative."""
    if us > 0:
        sleep(us / 1_000_000)


def time() -> int:
    """Whole seconds since 1970."""
    return int(_time.time())


def localtime(secs: float | None = None) -> tuple[int, ...]:
    """(year, month, day, hour, minute, second, weekday, yearday) of `secs`, default now."""
    return tuple(_time.localtime(secs))[:8]


def mktime(date: tuple[int, ...]) -> int:
    """Seconds since 1970 of what localtime() gives."""
    return int(_time.mktime((*date[:8], -1)))  # type: ignore[arg-type]


__getattr__ = forward.to(_time)
