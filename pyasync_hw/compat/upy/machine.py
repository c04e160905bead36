"""MicroPython's module machine, on our devices.  docs/run.md has what is different."""

from __future__ import annotations

import errno
import os
import sys
import time
from typing import Any, NoReturn

from ... import _core
from ..hints import no_such_name
from .board.buses import I2C, SPI, SoftI2C, SoftSPI
from .board.callbacks import irq_lock
from .board.converters import ADC, PWM
from .board.pins import Pin, Signal
from .board.restart import cause, restart
from .board.timers import RTC, WDT, Timer

__all__ = [
    "ADC",
    "DEEPSLEEP_RESET",
    "HARD_RESET",
    "I2C",
    "PWM",
    "PWRON_RESET",
    "RTC",
    "SOFT_RESET",
    "SPI",
    "WDT",
    "WDT_RESET",
    "Pin",
    "Signal",
    "SoftI2C",
    "SoftSPI",
    "Timer",
    "deepsleep",
    "disable_irq",
    "enable_irq",
    "freq",
    "idle",
    "lightsleep",
    "reset",
    "reset_cause",
    "sleep",
    "soft_reset",
    "time_pulse_us",
    "unique_id",
    "wake_reason",
]

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(5)
_state = {"freq": 80_000_000}


def reset() -> NoReturn:
    """The program begins anew."""
    restart("hard")


def soft_reset() -> NoReturn:
    """The program begins anew."""
    restart("soft")


def reset_cause() -> int:
    """Why the program began: PWRON_RESET, HARD_RESET, ..."""
    return cause()


def wake_reason() -> int:
    """Why it woke: 0, nothing in particular."""
    return 0


def freq(hz: int | None = None) -> int | None:
    """The CPU's frequency as it was last set, which no real one follows; 80 MHz at first."""
    if hz is None:
        return _state["freq"]
    _state["freq"] = hz
    return None


def unique_id() -> bytes:
    """6 bytes of this machine: of /etc/machine-id, which all its users may know."""
    try:
        with open("/etc/machine-id") as file:
            return bytes.fromhex(file.read(12))
    except (OSError, ValueError):
        return b"\x02" + os.uname().nodename.encode().ljust(5, b"\0")[:5]


def idle() -> None:
    """Let others run."""
    time.sleep(0)


def lightsleep(time_ms: int | None = None) -> None:
    """Sleep; without a time, until a signal comes."""
    if time_ms is None:
        import signal

        signal.pause()
    else:
        time.sleep(time_ms / 1000)


sleep = lightsleep


def deepsleep(time_ms: int | None = None) -> NoReturn:
    """Sleep, and begin anew."""
    sys.stdout.flush()
    lightsleep(time_ms)
    restart("deepsleep")


def disable_irq() -> bool:
    """No callback of a pin or timer begins until enable_irq(); what that takes."""
    irq_lock.acquire()
    return True


def enable_irq(state: bool = True) -> None:
    """Callbacks may begin again."""
    irq_lock.release()


def time_pulse_us(pin: Pin, pulse_level: int, timeout_us: int = 1_000_000) -> int:
    """How long a pulse is, by the time stamps of its edges.

    -2: it does not begin within `timeout_us`, -1: or does not end so.
    """
    line, level = pin.line, "rising" if pulse_level else "falling"
    if not line.is_input:
        raise OSError(errno.EINVAL, f"{pin!r} is no input")
    reader = line.another_user()
    token = _core.CancelToken()
    try:
        begin = reader.now_ns()
        waits = [level] if reader.value != pulse_level else []
        for edge in (*waits, "falling" if pulse_level else "rising"):
            end = reader.now_ns() + timeout_us * 1000
            while True:
                try:
                    event = reader.block_for_edge(max(0, end - reader.now_ns()) / 1e9, token)
                except TimeoutError:
                    return -2 if edge == level else -1
                if event.event_type == edge:
                    break
            if edge == level:
                begin = event.timestamp_ns
        return int((event.timestamp_ns - begin) // 1000)
    finally:
        reader.close()


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
