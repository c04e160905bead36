"""What somebody is told whose program wants a name that is not here."""

from __future__ import annotations

import sys

__all__ = ["add_hint", "no_such_name"]

_PREFIX = "pyasync_hw.compat."
_MICROPYTHON = "it is MicroPython's; this runs programs for CPython on a Raspberry Pi"
_BLINKA = "CircuitPython's names are not replaced; on a Raspberry Pi: {pip} adafruit-blinka"
_KERNEL = "it is not replaced; on a Raspberry Pi: {pip} {name}. RPi.GPIO's names are here"
_MFRC522 = "it is a file of another program's folder, to be copied into yours; here is the package "
_MFRC522 += "mfrc522: from mfrc522 import {name}"
_SHIM = "--shims leaves it out; without that option it is here"

# By the first part of the module's name.
_HINTS = {
    "Adafruit_BBIO": "it is the BeagleBone's; RPi.GPIO's and spidev's names are here",
    "MFRC522": _MFRC522,
    "RPi": _SHIM,
    "SimpleMFRC522": _MFRC522,
    "board": _BLINKA,
    "busio": _BLINKA,
    "digitalio": _BLINKA,
    "gpiod": "it is not replaced; pyasync_hw.gpio has its names (docs/devices.md), and on a "
    "Raspberry Pi: {pip} gpiod",
    "gpiozero": "it runs on a pin factory that is here: {pip} gpiozero",
    "lgpio": _KERNEL,
    "machine": _MICROPYTHON,
    "mfrc522": _SHIM,
    "micropython": _MICROPYTHON,
    "periphery": "it is not replaced; on a Raspberry Pi: {pip} python-periphery. "
    "pyasync_hw.gpio, spi and i2c are here",
    "pigpio": "it talks to pigpiod, which is not simulated; RPi.GPIO's names are here, and "
    "gpiozero's pin factory",
    "pirc522": _SHIM,
    "rpi_ws281x": "it is not simulated; on a Raspberry Pi: {pip} rpi_ws281x",
    "serial": "serial lines are not simulated; on a Raspberry Pi: {pip} pyserial",
    "smbus": _SHIM,
    "smbus2": _SHIM,
    "spidev": _SHIM,
    "uasyncio": _MICROPYTHON,
    "utime": _MICROPYTHON,
    "wiringpi": "it is not replaced; RPi.GPIO's names are here",
}


def no_such_name(module: str, name: str) -> AttributeError:
    """For the module's __getattr__(): says what there is, by the name that programs import."""
    found = sys.modules[module]
    text = f"module {module.removeprefix(_PREFIX)!r} has no attribute {name!r}"
    if not name.startswith("__"):
        text += f"; in pyasync_hw it has {', '.join(sorted(found.__all__))}"
    return AttributeError(text, name=name, obj=found)


def add_hint(exc: BaseException) -> None:
    """A note to an import of what is not here, if we know what helps."""
    if not isinstance(exc, ImportError) or exc.name is None:
        return
    found = sys.modules.get(exc.name)
    if exc.name.startswith(_PREFIX) and found is not None:
        exc.add_note(f"In pyasync_hw it has {', '.join(sorted(found.__all__))}.")
    elif isinstance(exc, ModuleNotFoundError):
        package = exc.name.partition(".")[0]
        package_found = sys.modules.get(package)
        if package_found is not None and package_found.__name__.startswith(_PREFIX):
            exc.add_note(f"In pyasync_hw {package} has {', '.join(package_found.__all__)}.")
        elif package in _HINTS:
            pip = f"{sys.executable} -m pip install"
            exc.add_note(f"{package}: {_HINTS[package].format(pip=pip, name=package)}.")
