"""A DHT11 or DHT22 by what it measures: its pulses, of 26 and 70 us, nobody here reads."""

from __future__ import annotations

from .part import Part
from .values import in_range

__all__ = ["DHT"]


class DHT(Part):
    """What MicroPython's `dht` reads on this board, at whatever pin."""

    options = {"celsius": float, "humidity": float}  # noqa: RUF012
    actions = ("set",)

    def __init__(self, *, celsius: float = 21.5, humidity: float = 45.0, name: str = "") -> None:
        super().__init__(name=name)
        self.set(celsius, humidity)

    def set(self, celsius: float, humidity: float) -> None:
        """What it measures from now on: -40 to 80 degrees, 0 to 100 % relative humidity."""
        celsius = in_range("celsius", celsius, -40, 80, "degrees")
        self.humidity = in_range("humidity", humidity, 0, 100, "%")
        self.celsius = celsius
