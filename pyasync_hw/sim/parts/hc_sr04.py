"""An HC-SR04: it answers a pulse on `trigger` by one on `echo`, as long as sound takes."""

from __future__ import annotations

from .part import Part, PartLine
from .values import in_range

__all__ = ["HCSR04"]

SPEED_OF_SOUND = 343.0  # m/s at 20 degrees C
TRIGGER_S = 9.9e-6  # data sheet: at least 10 us
BURST_S = 450e-6  # from the trigger to the echo's rise, 8 cycles of 40 kHz in it
NOTHING_S = 0.038  # data sheet: no obstacle


class HCSR04(Part):
    """An ultrasonic sensor; `distance` in metres, None: nothing is there."""

    pins = ("trigger", "echo")
    options = {"distance": float}  # noqa: RUF012
    actions = ("move",)

    def __init__(
        self,
        trigger: int | str,
        echo: int | str,
        *,
        distance: float | None = 1.0,
        name: str = "",
    ) -> None:
        super().__init__(trigger=trigger, echo=echo, name=name)
        self._rose_at: float | None = None
        self._ready_at = 0.0
        self.move(distance)

    def move(self, distance: float | None = None) -> None:
        """Something stands there from now on; without a distance, nothing does."""
        self.distance = None if distance is None else in_range("distance", distance, 0.02, 4, "m")

    def on_attach(self) -> None:
        self.lines["echo"].drive(0)

    def on_level(self, line: PartLine, level: int, time: float) -> None:
        if line.pin != "trigger" or time < self._ready_at:
            return
        if level:
            self._rose_at = time
        elif self._rose_at is not None and time - self._rose_at >= TRIGGER_S:
            length = NOTHING_S
            if self.distance is not None:
                length = 2 * self.distance / SPEED_OF_SOUND
            self.lines["echo"].drive(1, at=time + BURST_S)
            self.lines["echo"].drive(0, at=time + BURST_S + length)
            self._ready_at = time + BURST_S + length
