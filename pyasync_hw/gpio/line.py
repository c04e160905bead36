"""The words and values of line settings under gpiod's names: gpiod.line, for who knows it.

Each is equal to the word (or to 0 and 1) that stands for it everywhere in this package;
members of gpiod's own enums are taken, too, but are equal to nothing here.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

__all__ = ["Bias", "Clock", "Direction", "Drive", "Edge", "Value"]


class Value(IntEnum):
    """Logical, after active_low."""

    INACTIVE = 0
    ACTIVE = 1


class Direction(StrEnum):
    """Of a line."""

    AS_IS = "as_is"
    INPUT = "input"
    OUTPUT = "output"


class Bias(StrEnum):
    """What pulls a line that nobody drives; "unknown" is what LineInfo may say."""

    AS_IS = "as_is"
    UNKNOWN = "unknown"
    DISABLED = "disabled"
    PULL_UP = "pull_up"
    PULL_DOWN = "pull_down"


class Drive(StrEnum):
    """How an output drives."""

    PUSH_PULL = "push_pull"
    OPEN_DRAIN = "open_drain"
    OPEN_SOURCE = "open_source"


class Edge(StrEnum):
    """Which edges a line reports."""

    NONE = "none"
    RISING = "rising"
    FALLING = "falling"
    BOTH = "both"


class Clock(StrEnum):
    """Of the edges' time stamps."""

    MONOTONIC = "monotonic"
    REALTIME = "realtime"
    HTE = "hte"
