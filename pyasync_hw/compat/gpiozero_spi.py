"""gpiozero's SPI interface on the devices of pyasync_hw.spi."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gpiozero.exc import DeviceClosed, SPIInvalidClockMode
from gpiozero.mixins import SharedMixin
from gpiozero.pins import SPI
from gpiozero.pins.pi import spi_port_device

from .. import spi

__all__ = ["HardwareSPI", "SharedHardwareSPI"]

_RATE_HZ = 500_000  # that of gpiozero's other factories
# linux/spi/spi.h
_CLOCK_MODE = 0x03
_CS_HIGH = 0x04
_LSB_FIRST = 0x08


class HardwareSPI(SPI):
    """A chip select of a bus that the board has, with its pins reserved."""

    def __init__(
        self, clock_pin: Any, mosi_pin: Any, miso_pin: Any, select_pin: Any, pin_factory: Any
    ) -> None:
        self._spi: spi.Device | None = None
        self._where = spi_port_device(clock_pin, mosi_pin, miso_pin, select_pin)
        super().__init__(pin_factory=pin_factory)
        pins = {clock_pin, mosi_pin, miso_pin, select_pin} - {None}
        self.pin_factory.reserve_pins(self, *pins)
        bus, select = self._where
        try:
            self._spi = spi.Device(f"spi{bus}.{select}", speed_hz=_RATE_HZ)
        except BaseException:
            self.pin_factory.release_all(self)
            raise

    def _conflicts_with(self, other: Any) -> bool:
        return not isinstance(other, HardwareSPI) or self._where == other._where

    def close(self) -> None:
        """Give device and pins back; idempotent."""
        if self._spi is not None:
            self._spi.close()
            self._spi = None
            self.pin_factory.release_all(self)
        super().close()

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self._spi is None

    def __repr__(self) -> str:
        if self.closed:
            return "SPI(closed)"
        return f"SPI(port={self._where[0]}, device={self._where[1]})"

    @property
    def _core(self) -> Any:
        if self._spi is None:
            raise DeviceClosed("SPI is closed or uninitialized")
        return self._spi.core

    def transfer(self, data: Iterable[int]) -> list[int]:
        """Send words of up to 8 bits, with chip select held; as many that came back."""
        return list(self._core.transfer(bytes(data)))

    def _set_flags(self, mask: int, flags: int) -> None:
        self._core.mode = self._core.mode & ~mask | flags

    def _get_clock_mode(self) -> int:
        return int(self._core.mode & _CLOCK_MODE)

    def _set_clock_mode(self, value: int) -> None:
        if not 0 <= value <= _CLOCK_MODE:
            raise SPIInvalidClockMode(f"{value} is not a valid SPI clock mode")
        self._set_flags(_CLOCK_MODE, value)

    def _get_lsb_first(self) -> bool:
        return bool(self._core.mode & _LSB_FIRST)

    def _set_lsb_first(self, value: bool) -> None:
        self._set_flags(_LSB_FIRST, _LSB_FIRST if value else 0)

    def _get_select_high(self) -> bool:
        return bool(self._core.mode & _CS_HIGH)

    def _set_select_high(self, value: bool) -> None:
        self._set_flags(_CS_HIGH, _CS_HIGH if value else 0)

    def _get_bits_per_word(self) -> int:
        return int(self._core.bits_per_word)

    def _set_bits_per_word(self, value: int) -> None:
        self._core.bits_per_word = value

    def _get_rate(self) -> int:
        return int(self._core.speed_hz)

    def _set_rate(self, value: float) -> None:
        self._core.speed_hz = int(value)


class SharedHardwareSPI(SharedMixin, HardwareSPI):
    """One for several devices of a program that ask for it with shared=True."""

    @classmethod
    def _shared_key(
        cls, clock_pin: Any, mosi_pin: Any, miso_pin: Any, select_pin: Any, pin_factory: Any
    ) -> Any:
        return clock_pin, select_pin
