"""MicroPython's module dht: a DHT11 or DHT22, whose pulses the kernel's driver reads.

`dtoverlay=dht11,gpiopin=4` in config.txt starts it, for both kinds; a simulated board has
a sim.DHT.
"""

from __future__ import annotations

import errno
import glob
import os
from typing import Any, NoReturn

from ... import hardware, sim
from ..hints import no_such_name
from .board.default_parts import wire_default_parts

__all__ = ["DHT11", "DHT22", "DHTBase"]

_DEVICES = "/sys/bus/iio/devices/iio:device*"


def _simulated(board: sim.Board) -> tuple[float, float]:
    wire_default_parts(board)
    for part in board.parts:
        if isinstance(part, sim.DHT):
            return part.celsius, part.humidity
    raise OSError(
        errno.ENODEV, f'{board.name} has no DHT; in board.toml, of run --board: kind = "dht"'
    )


def _read(*path: str) -> str:
    with open(os.path.join(*path)) as file:
        return file.read()


def _of_the_kernel(gpio: Any) -> tuple[float, float]:
    for device in sorted(glob.glob(_DEVICES)):
        if _read(device, "name").startswith("dht11"):
            milli = [_read(device, f"in_{what}_input") for what in ("temp", "humidityrelative")]
            return int(milli[0]) / 1000, int(milli[1]) / 1000
    raise OSError(
        errno.ENODEV,
        "the kernel reads no DHT; in config.txt, before the next start: "
        f"dtoverlay=dht11,gpiopin={gpio}",
    )


class DHTBase:
    """DHTBase(pin): the sensor at a machine.Pin."""

    def __init__(self, pin: Any) -> None:
        self.pin = pin
        self._measured = (0.0, 0.0)

    def measure(self) -> None:
        """Read the sensor.  Raises OSError: ENODEV if there is none, and the kernel's."""
        board = hardware.current()
        if isinstance(board, sim.Board):
            self._measured = _simulated(board)
        else:
            self._measured = _of_the_kernel(getattr(self.pin, "gpio", self.pin))


class DHT11(DHTBase):
    """Whole degrees and percents."""

    def temperature(self) -> int:
        """In degrees Celsius, at the last measure()."""
        return int(self._measured[0])

    def humidity(self) -> int:
        """Relative, in percent, at the last measure()."""
        return int(self._measured[1])


class DHT22(DHTBase):
    """Tenths of them; an AM2302 is one, too."""

    def temperature(self) -> float:
        """In degrees Celsius, at the last measure()."""
        return round(self._measured[0], 1)

    def humidity(self) -> float:
        """Relative, in percent, at the last measure()."""
        return round(self._measured[1], 1)


def __getattr__(name: str) -> NoReturn:
    raise no_such_name(__name__, name)
