"""An LED, or whatever else a line switches: a relay, a buzzer."""

from __future__ import annotations

from .part import Part, PartLine

__all__ = ["LED"]


class LED(Part):
    """Lit while its line is high, or (`active_high` false) low.

    `history`: (time of Board.time(), lit) of each change.
    """

    pins = ("pin",)
    options = {"active_high": bool}  # noqa: RUF012

    def __init__(self, pin: int | str, *, active_high: bool = True, name: str = "") -> None:
        super().__init__(pin=pin, name=name)
        self.active_high = active_high
        self.history: list[tuple[float, bool]] = []

    @property
    def lit(self) -> bool:
        """Whether it is lit now."""
        return bool(self.line("pin").value) == self.active_high

    def on_level(self, line: PartLine, level: int, time: float) -> None:
        self.history.append((time, bool(level) == self.active_high))
