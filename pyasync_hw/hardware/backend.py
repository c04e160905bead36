"""What devices need of the hardware, and the settings of a line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from .. import _core
from .wiring import ReaderWiring

if TYPE_CHECKING:
    from ..sim import SimReader

__all__ = ["Backend", "ChipBackend", "LineSettings", "level", "number"]


@runtime_checkable
class Duration(Protocol):
    """A timedelta.  Several interpreters at once do not survive module datetime in 3.13."""

    def total_seconds(self) -> float:
        """How long it is, in seconds."""


def _word(value: object) -> Any:
    """The word for a member of an enum that is no word itself, as gpiod's are."""
    if isinstance(value, Enum) and not isinstance(value, (str, int)):
        return value.name.lower()
    return value


def number(name: str, value: float, least: float, most: float) -> float:
    """A setting that is a number, in its range.  Raises TypeError, ValueError."""
    try:
        given = math.ldexp(value, 0)  # float(), but not of a str
    except TypeError:
        raise TypeError(f"{name} must be a number, not {value!r}") from None
    except OverflowError:
        given = math.inf
    if not least <= given <= most:  # NaN is neither
        raise ValueError(f"{name} must be {least:g} to {most:g}, not {value!r}")
    return given


def level(value: object, what: str = "value") -> bool:
    """A logical value; 0, 1, False, True and gpiod's ACTIVE and INACTIVE are all there are."""
    word = _word(value)
    if word not in (0, 1, "active", "inactive") or isinstance(value, str):
        raise ValueError(f"{what} must be 0 or 1, not {value!r}")
    return word in (1, "active")


@dataclass(frozen=True)
class LineSettings:
    """Settings of one GPIO line (linux/gpio.h, GPIO_V2_LINE_FLAG_*), in gpiod's names.

    Members of gpiod's enums and of those in gpio.line stand for the words, too.
    `debounce_period`: seconds, or a timedelta; `output_value`: logical (after active_low).
    """

    direction: Literal["as_is", "input", "output"] = "as_is"
    edge_detection: Literal["none", "rising", "falling", "both"] = "none"
    bias: Literal["as_is", "disabled", "pull_up", "pull_down"] = "as_is"
    drive: Literal["push_pull", "open_drain", "open_source"] = "push_pull"
    event_clock: Literal["monotonic", "realtime", "hte"] = "monotonic"
    active_low: bool = False
    output_value: bool = False
    debounce_period: float | Duration = 0.0

    def __post_init__(self) -> None:
        for name in ("direction", "edge_detection", "bias", "drive", "event_clock"):
            value = getattr(self, name)
            if type(value) is not str:  # as a rule it is one
                object.__setattr__(self, name, _word(value))
        if isinstance(self.output_value, Enum):
            object.__setattr__(self, "output_value", level(self.output_value, "output_value"))
        if not isinstance(self.debounce_period, (int, float)) and isinstance(
            self.debounce_period, Duration
        ):
            object.__setattr__(self, "debounce_period", self.debounce_period.total_seconds())

    @classmethod
    def like(cls, settings: object) -> LineSettings:
        """Those settings, which may be gpiod's.  Raises TypeError."""
        if isinstance(settings, cls):
            return settings
        try:
            return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})
        except AttributeError:
            raise TypeError(f"settings of a line are LineSettings, not {settings!r}") from None


@runtime_checkable
class Backend(Protocol):
    """What devices need of the hardware: KernelBackend and sim.Board have it."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def readers(self) -> Sequence[ReaderWiring | SimReader]:
        """The RC522 readers that are known to be wired."""

    def find_line(self, spec: int | str, chip: str | None = None) -> tuple[str, int]:
        """(chip, offset) of a line.

        Without `chip`, spec is a header pin (17, "GPIO17", "BOARD11").  With it,
        spec is an offset or a line name on that chip; chip is a path, name or label.
        """

    def request_lines(
        self,
        lines: Mapping[int | str, LineSettings],
        consumer: str = "pyasync_hw",
        *,
        chip: str | None = None,
        event_buffer_size: int = 0,
    ) -> _core.LineRequest:
        """Request lines of one chip, in the order given.  OSError EBUSY: in use.

        `event_buffer_size`: edges that the kernel keeps, 0: its default.
        """

    def open_spi(
        self, bus: int, cs: int, speed_hz: int = 4_000_000, mode: int = 0
    ) -> _core.SPIDevice:
        """Open an SPI device.  Raises OSError with a remedy."""

    def open_i2c(self, bus: int) -> _core.I2CBus:
        """Open an I2C bus.  Raises OSError with a remedy."""


@runtime_checkable
class ChipBackend(Backend, Protocol):
    """A backend whose chips can be looked at, too."""

    def open_chip(self, chip: str) -> _core.GPIOChip:
        """Open a GPIO chip, by path, name or label, to look at its lines."""
