"""MicroPython's module esp32, as far as it means something beside an ESP32."""

from __future__ import annotations

import errno
import os
from typing import Any, NoReturn

from ..hints import no_such_name

__all__ = [
    "WAKEUP_ALL_LOW",
    "WAKEUP_ANY_HIGH",
    "hall_sensor",
    "mcu_temperature",
    "raw_temperature",
    "wake_on_ext0",
    "wake_on_ext1",
    "wake_on_touch",
]

WAKEUP_ALL_LOW, WAKEUP_ANY_HIGH = False, True
_THERMAL = "/sys/class/thermal/thermal_zone0/temp"


def mcu_temperature() -> int:
    """Of the CPU, in degrees C.  Raises OSError (ENODEV) where Linux does not tell."""
    try:
        with open(_THERMAL) as file:
            return round(int(file.read()) / 1000)
    except FileNotFoundError:
        raise OSError(errno.ENODEV, "this machine has no thermometer", _THERMAL) from None


def raw_temperature() -> int:
    """As an ESP32's: in degrees F."""
    return round(mcu_temperature() * 1.8 + 32)


def hall_sensor() -> int:
    """Raises OSError (ENODEV): only an ESP32 has one."""
    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), "hall sensor")


def wake_on_ext0(pin: Any = None, level: bool = True) -> None:
    """deepsleep() wakes by its time only."""


def wake_on_ext1(pins: Any = None, level: bool = True) -> None:
    """As wake_on_ext0()."""


def wake_on_touch(wake: bool) -> None:
    """As wake_on_ext0()."""


def __getattr__(name: str) -> NoReturn:
    raise no_such_name(__name__, name)
