"""MicroPython's module esp, as far as it means something beside an ESP chip."""

from __future__ import annotations

from typing import NoReturn

from ..hints import no_such_name

__all__ = [
    "SLEEP_LIGHT",
    "SLEEP_MODEM",
    "SLEEP_NONE",
    "check_fw",
    "flash_id",
    "flash_size",
    "osdebug",
    "sleep_type",
]

SLEEP_NONE, SLEEP_LIGHT, SLEEP_MODEM = range(3)
_state = {"sleep_type": SLEEP_MODEM}


def osdebug(uart_no: int | None = None, level: int | None = None) -> None:
    """Where the vendor's system prints messages; there is none."""


def sleep_type(sleep_type: int | None = None) -> int | None:
    """What it was set to; Linux does as it likes."""
    if sleep_type is None:
        return _state["sleep_type"]
    _state["sleep_type"] = sleep_type
    return None


def flash_size() -> int:
    """Bytes of the file system that the program is on."""
    import os

    found = os.statvfs(".")
    return found.f_frsize * found.f_blocks


def flash_id() -> int:
    """0: there is no such chip."""
    return 0


def check_fw() -> bool:
    """There is no firmware that could be broken."""
    return True


def __getattr__(name: str) -> NoReturn:
    raise no_such_name(__name__, name)
