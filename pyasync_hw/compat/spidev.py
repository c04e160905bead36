"""py-spidev 3.8's SpiDev over pyasync_hw's SPI devices.

Its quirks are kept: a list argument is overwritten in place and returned, a
tuple gives a tuple, values are taken modulo 256.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .. import _core, hardware
from ..pins import parse_spi

__version__ = "3.8"
__all__ = ["SpiDev"]

_MAX_BYTES = 4096
_DEFAULT_HZ = 1_000_000

# Bits of the mode (linux/spi/spi.h).
_CPHA_CPOL = 0x03
_CS_HIGH = 0x04
_LSB_FIRST = 0x08
_3WIRE = 0x10
_LOOP = 0x20
_NO_CS = 0x40


def _to_bytes(values: Any, limit: int | None = _MAX_BYTES) -> bytes:
    """The bytes of a sequence of integers, with py-spidev's errors."""
    if isinstance(values, (bytes, bytearray, memoryview)):
        data = bytes(values)
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            if not isinstance(value, int):
                raise TypeError(f"Non-Int/Long value in arguments: {value!r}.")
        data = bytes(value & 0xFF for value in values)
    else:
        raise TypeError("expected a sequence")
    if not data:
        raise TypeError("Empty argument list.")
    if limit is not None and len(data) > limit:
        raise OverflowError(f"Argument list size exceeds {limit} bytes.")
    return data


def _like(values: Any, data: bytes) -> Any:
    """`data` in the shape of the argument `values`; a list is changed in place."""
    if isinstance(values, list):
        values[:] = data
        return values
    if isinstance(values, tuple):
        return tuple(data)
    return list(data)


class _ModeFlag:
    """A bit of the SPI mode as a boolean attribute."""

    def __init__(self, bit: int) -> None:
        self._bit = bit
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, device: SpiDev, owner: type | None = None) -> bool:
        return bool(device._device().mode & self._bit)

    def __set__(self, device: SpiDev, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"The {self._name} attribute must be boolean")
        core = device._device()
        core.mode = core.mode | self._bit if value else core.mode & ~self._bit


class SpiDev:
    """SpiDev([bus, device]): an SPI device, opened now or by open()."""

    cshigh = _ModeFlag(_CS_HIGH)
    lsbfirst = _ModeFlag(_LSB_FIRST)
    threewire = _ModeFlag(_3WIRE)
    loop = _ModeFlag(_LOOP)
    no_cs = _ModeFlag(_NO_CS)

    def __init__(self, bus: int | None = None, client: int | None = None) -> None:
        self._core: _core.SPIDevice | None = None
        self._read0 = False
        if bus is not None and client is not None:
            self.open(bus, client)

    @classmethod
    def of_device(cls, device: _core.SPIDevice) -> SpiDev:
        """A SpiDev over a device that is open already."""
        self = cls()
        self._core = device
        return self

    def _device(self) -> _core.SPIDevice:
        if self._core is None:
            raise OSError(9, os.strerror(9))
        return self._core

    def open(self, bus: int, device: int) -> None:
        """Open /dev/spidev<bus>.<device>."""
        self.close()
        self._core = hardware.current().open_spi(bus, device, _DEFAULT_HZ, 0)

    def open_path(self, path: str) -> None:
        """Open an SPI device by its path, following symbolic links."""
        self.open(*parse_spi(os.path.realpath(path)))

    def close(self) -> None:
        """Give the device back; idempotent."""
        core, self._core = self._core, None
        if core is not None:
            core.close()

    def __enter__(self) -> SpiDev:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- settings ------------------------------------------------------------

    @property
    def mode(self) -> int:
        """SPI mode, 0 to 3."""
        return self._device().mode & _CPHA_CPOL

    @mode.setter
    def mode(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("The mode attribute must be an integer")
        if not 0 <= value <= 3:
            raise TypeError("The mode attribute must be an integerbetween 0 and 3.")
        core = self._device()
        core.mode = core.mode & ~_CPHA_CPOL | value

    @property
    def max_speed_hz(self) -> int:
        """SPI clock."""
        return self._device().speed_hz

    @max_speed_hz.setter
    def max_speed_hz(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("The max_speed_hz attribute must be an integer")
        self._device().speed_hz = value

    @property
    def bits_per_word(self) -> int:
        """Bits of a word, 8 to 32."""
        return self._device().bits_per_word or 8

    @bits_per_word.setter
    def bits_per_word(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("The bits_per_word attribute must be an integer")
        if not 8 <= value <= 32:
            raise TypeError("invalid bits_per_word (8 to 32)")
        self._device().bits_per_word = value

    @property
    def read0(self) -> bool:
        """Kept for programs that set it; chip select always falls after a message."""
        return self._read0

    @read0.setter
    def read0(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("The read0 attribute must be boolean")
        self._read0 = value

    # -- transfers -----------------------------------------------------------

    def _transfer(
        self, data: bytes, speed_hz: int = 0, delay_usec: int = 0, bits_per_word: int = 0
    ) -> bytes:
        transfer = (data, speed_hz, delay_usec, False, bits_per_word)
        return self._device().message([transfer])[0]

    def xfer2(
        self,
        values: Any,
        speed_hz: int = 0,
        delay_usec: int = 0,
        bits_per_word: int = 0,
        /,
    ) -> Any:
        """One transfer, chip select held; what came back, in the shape of `values`."""
        return _like(values, self._transfer(_to_bytes(values), speed_hz, delay_usec, bits_per_word))

    xfer = xfer2

    def xfer3(
        self,
        values: Any,
        speed_hz: int = 0,
        delay_usec: int = 0,
        bits_per_word: int = 0,
        /,
    ) -> tuple[int, ...]:
        """As many transfers of 4096 bytes as it takes; what came back, as a tuple."""
        data = _to_bytes(values, None)
        got = b""
        for start in range(0, len(data), _MAX_BYTES):
            block = data[start : start + _MAX_BYTES]
            got += self._transfer(block, speed_hz, delay_usec, bits_per_word)
        return tuple(got)

    def readbytes(self, count: int, /) -> list[int]:
        """Read up to 4096 bytes, sending zeros."""
        return list(self._transfer(_to_bytes(bytes(count))))

    def writebytes(self, values: Any, /) -> None:
        """Write up to 4096 bytes."""
        self._transfer(_to_bytes(values))

    def writebytes2(self, values: Any, /) -> None:
        """Write any number of bytes."""
        self.xfer3(values)
