"""Microchip's ADCs of 10 bits on SPI: MCP3008 (DS21295), MCP3004, MCP3002 (DS21294)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...hardware.pins import parse_spi
from .part import Part
from .values import in_range

__all__ = ["MCP3002", "MCP3004", "MCP3008"]

BITS = 10


class _ADC(Part):
    channels: ClassVar[int]
    options = {"spi": str, "vref": float, "volts": list}  # noqa: RUF012
    actions = ("set",)
    modes = (0, 3)
    max_speed_hz = 3_600_000

    def __init__(
        self,
        spi: str = "spi0.0",
        *,
        vref: float = 3.3,
        volts: list[float] | None = None,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self.spi = parse_spi(spi)
        self.vref = in_range("vref", vref, 0.25, 5.5, "V")
        self.volts = [0.0] * self.channels
        if volts is not None and not isinstance(volts, (list, tuple)):
            raise TypeError(f"volts must be a list, one for each channel, not {volts!r}")
        for channel, value in enumerate(volts or []):
            self.set(channel, value)

    def set(self, channel: int, volts: float) -> None:
        """Put a voltage on a channel."""
        if channel not in range(self.channels):
            raise ValueError(f"channel must be 0 to {self.channels - 1}, not {channel!r}")
        self.volts[channel] = in_range("volts", volts, -100, 100, "V")

    def claims(self) -> Mapping[str, str]:
        """See Part.claims()."""
        return {"spi": "spi{}.{}".format(*self.spi)}

    def on_attach(self) -> None:
        self.board.attach_spi(*self.spi, self)

    def _code(self, single: bool, channel: int) -> int:
        volts = self.volts[channel]
        if not single:  # against the other one of the pair
            volts -= self.volts[channel ^ 1]
        return max(0, min((1 << BITS) - 1, int(volts / self.vref * (1 << BITS))))

    def transfer(self, data: bytes) -> bytes:
        """A frame: a start bit, the channel, a null bit, the value, and it backwards."""
        size = 8 * len(data)
        asked = f"{int.from_bytes(data, 'big'):0{size}b}"
        start = asked.find("1")
        if start < 0:
            return bytes(len(data))
        bits = asked[start + 1 :].ljust(5, "0")
        code, begin = self._answer(bits)
        value = f"{code:0{BITS}b}"
        backwards = value[-2::-1] if self._repeats(bits) else ""
        answer = ("0" * (start + begin) + value + backwards).ljust(size, "0")[:size]
        return int(answer, 2).to_bytes(len(data), "big")

    def _answer(self, bits: str) -> tuple[int, int]:
        """The value for the bits after the start bit, and after how many it comes."""
        return self._code(bits[0] == "1", int(bits[1:4], 2) % self.channels), 7

    def _repeats(self, bits: str) -> bool:
        """Does the value come backwards after it?"""
        return True


class MCP3008(_ADC):
    """8 channels: set(channel, volts)."""

    channels = 8


class MCP3004(_ADC):
    """4 channels: set(channel, volts)."""

    channels = 4


class MCP3002(_ADC):
    """2 channels: set(channel, volts)."""

    channels = 2

    def _answer(self, bits: str) -> tuple[int, int]:
        return self._code(bits[0] == "1", int(bits[1])), 5

    def _repeats(self, bits: str) -> bool:
        return bits[2] == "0"  # MSBF
