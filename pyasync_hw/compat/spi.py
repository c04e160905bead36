"""SPI-Py's names (`import spi`), which copies of MFRC522.py use, over spidev's.

Up to 2015 it had one device, which was no argument; both forms are here.
"""

from __future__ import annotations

from typing import Any

from .hints import no_such_name
from .spidev import SpiDev

__all__ = ["closeSPI", "openSPI", "transfer"]

# The one that openSPI() gave last, for calls without a device.
_last: _Device | None = None


class _Device(dict[bytes, int]):
    """What openSPI() returns: its settings, by names that are bytes as in Python 3."""

    spi: SpiDev


def openSPI(
    device: str = "/dev/spidev0.0",
    mode: int = 0,
    bits: int = 8,
    speed: int = 500_000,
    delay: int = 0,
) -> dict[bytes, int]:
    """Open an SPI device, for transfer().  Raises OSError (there the program is aborted)."""
    global _last
    opened = _Device({b"mode": mode, b"bits": bits, b"speed": speed, b"delay": delay})
    opened.spi = SpiDev()
    opened.spi.open_path(device)
    opened.spi.mode = mode
    opened.spi.bits_per_word = bits
    opened.spi.max_speed_hz = speed
    _last = opened
    return opened


def _device(given: tuple[Any, ...]) -> _Device:
    device = given[0] if given else _last
    if not isinstance(device, _Device):
        raise TypeError("openSPI() comes first")
    return device


def transfer(*args: Any) -> tuple[int, ...]:
    """transfer([device,] values): what came back."""
    device = _device(args[:-1])
    return tuple(device.spi.xfer2(list(args[-1]), device[b"speed"], device[b"delay"]))


def closeSPI(*device: Any) -> None:
    """closeSPI([device]): give it back."""
    _device(device).spi.close()


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
