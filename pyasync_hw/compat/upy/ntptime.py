"""MicroPython's module ntptime: the time is that of this machine, whose own NTP keeps it."""

from __future__ import annotations

import time as _time

from .board.timers import RTC

__all__ = ["host", "settime", "time", "timeout"]

host = "pool.ntp.org"
timeout = 1


def time() -> int:
    """Seconds since 1970, as on this machine."""
    return int(_time.time())


def settime() -> None:
    """The RTC says the machine's time again; nobody is asked."""
    RTC().deinit()
