"""An analog-to-digital converter as microcontrollers have them: not on a bus, but inside."""

from __future__ import annotations

from .part import Part
from .values import in_range

__all__ = ["ADC"]


class ADC(Part):
    """What `machine.ADC` reads on this board: a voltage for each channel, and for all others.

    `vref`: the voltage at which a converter is at its end.
    """

    options = {"volts": float, "vref": float}  # noqa: RUF012
    actions = ("set",)

    def __init__(self, *, volts: float = 0.0, vref: float = 3.3, name: str = "") -> None:
        super().__init__(name=name)
        self.vref = in_range("vref", vref, 0.1, 10, "V")
        self._channels: dict[int, float] = {}
        self.set(volts)

    def set(self, volts: float, channel: int | None = None) -> None:
        """Put a voltage on a channel, by its number or that of its pin; without: on all."""
        volts = in_range("volts", volts, -100, 100, "V")
        if channel is not None:
            self._channels[channel] = volts
        else:
            self._channels.clear()
            self._others = volts

    def volts(self, channel: int) -> float:
        """What is on a channel."""
        return self._channels.get(channel, self._others)
