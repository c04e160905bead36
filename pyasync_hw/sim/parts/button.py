"""A push button, which bounces."""

from __future__ import annotations

import random

from .part import Part
from .values import in_range

__all__ = ["Button"]

BOUNCES = range(2, 9)  # Ganssle, A Guide to Debouncing: most switches, some ms


class Button(Part):
    """A button between a line and ground, or (`to_3v3`) 3.3 V; the line needs a pull.

    `bounce`: seconds for which its contact opens and closes again, in a pattern that is
    the same for the same `seed`.
    """

    pins = ("pin",)
    options = {"to_3v3": bool, "bounce": float, "seed": int}  # noqa: RUF012
    actions = ("press", "release", "click")

    def __init__(
        self,
        pin: int | str,
        *,
        to_3v3: bool = False,
        bounce: float = 0.0,
        seed: int = 0,
        name: str = "",
    ) -> None:
        super().__init__(pin=pin, name=name)
        self.to_3v3 = to_3v3
        self.bounce = in_range("bounce", bounce, 0, 1, "s")
        self._random = random.Random(seed)
        self._rests_at = 0.0  # a finger waits for the contact

    def press(self) -> None:
        """Press it now."""
        self.run(self._move, True, 0.0)

    def release(self) -> None:
        """Let it go now."""
        self.run(self._move, False, 0.0)

    def click(self, hold: float = 0.1) -> None:
        """Press it now, and let it go after `hold` seconds."""
        self.run(self._click, in_range("hold", hold, 0, 1e6, "s"))

    def _click(self, hold: float) -> None:
        self._move(True, 0.0)
        self._move(False, hold)

    def _move(self, closed: bool, later: float) -> None:
        line = self.lines["pin"]
        when = max(self.board.time() + later, self._rests_at)
        times = [when]
        if self.bounce > 0:
            pairs = self._random.choice(BOUNCES)
            steps = sorted(self._random.uniform(0, self.bounce) for _ in range(2 * pairs))
            times += [when + step for step in steps]
        self._rests_at = times[-1] + 1e-6
        for number, time in enumerate(times):
            if closed == (number % 2 == 0):
                line.drive(self.to_3v3, at=time)
            else:
                line.release(at=time)
