"""A light sensor as gpiozero reads it: a light dependent resistor that charges a capacitor."""

from __future__ import annotations

from .part import Part, PartLine
from .values import in_range

__all__ = ["LightSensor"]


class LightSensor(Part):
    """While nobody drives its line, that goes high `charge_time` seconds after it was let go.

    Who drives the line low empties the capacitor.  None: it is dark, and never charged.
    """

    pins = ("pin",)
    options = {"charge_time": float}  # noqa: RUF012
    actions = ("set",)

    def __init__(
        self, pin: int | str, *, charge_time: float | None = 0.001, name: str = ""
    ) -> None:
        super().__init__(pin=pin, name=name)
        self._charging = 0  # the number of the charge that goes on
        self.set(charge_time)

    def set(self, charge_time: float | None = None) -> None:
        """From the next charge on."""
        self.charge_time = charge_time
        if charge_time is not None:
            self.charge_time = in_range("charge_time", charge_time, 0, 3600, "s")

    def on_attach(self) -> None:
        self._charge(self.board.time())

    def on_driven(self, line: PartLine, level: int | None, time: float) -> None:
        if level is None:
            self._charge(time)
        elif level == 0 or line.others is not None:
            self._charging += 1
            line.release()

    def _charge(self, time: float) -> None:
        self._charging += 1
        if self.charge_time is not None:
            due = time + self.charge_time
            self.call_at(due, self._charged, self._charging, due)

    def _charged(self, charge: int, time: float) -> None:
        if charge == self._charging:
            self.lines["pin"].drive(1, at=time)
