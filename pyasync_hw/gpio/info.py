"""What is known of chips and their lines, in gpiod's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ChipInfo", "InfoEvent", "LineInfo", "info_event", "line_info"]

# linux/gpio.h, GPIO_V2_LINE_FLAG_*
_USED, _ACTIVE_LOW, _OUTPUT = 1 << 0, 1 << 1, 1 << 3
_EDGES = {0: "none", 1 << 4: "rising", 1 << 5: "falling", 1 << 4 | 1 << 5: "both"}
_DRIVES = {0: "push_pull", 1 << 6: "open_drain", 1 << 7: "open_source"}
_BIASES = {0: "unknown", 1 << 8: "pull_up", 1 << 9: "pull_down", 1 << 10: "disabled"}
_CLOCKS = {0: "monotonic", 1 << 11: "realtime", 1 << 12: "hte"}
_EVENTS: dict[int, Literal["requested", "released", "config"]] = {
    1: "requested",
    2: "released",
    3: "config",
}


@dataclass(frozen=True)
class ChipInfo:
    """A GPIO chip: "gpiochip0", "pinctrl-bcm2835", 54."""

    name: str
    label: str
    num_lines: int


@dataclass(frozen=True)
class LineInfo:
    """A line, and how whoever has it (`consumer`, "" is nobody or unknown) has set it up.

    `debounce_period` is in seconds.
    """

    offset: int
    name: str
    used: bool
    consumer: str
    direction: str
    active_low: bool
    bias: str
    drive: str
    edge_detection: str
    event_clock: str
    debounced: bool
    debounce_period: float


@dataclass(frozen=True)
class InfoEvent:
    """A watched line was requested, released, or set up anew."""

    event_type: Literal["requested", "released", "config"]
    timestamp_ns: int
    line_info: LineInfo


def _word(words: dict[int, str], flags: int) -> str:
    mask = 0
    for bits in words:
        mask |= bits
    return words[flags & mask]


def line_info(raw: tuple[int, str, str, int, int | None]) -> LineInfo:
    """What _core.GPIOChip tells of a line."""
    offset, name, consumer, flags, debounce_us = raw
    return LineInfo(
        offset=offset,
        name=name,
        used=bool(flags & _USED),
        consumer=consumer,
        direction="output" if flags & _OUTPUT else "input",
        active_low=bool(flags & _ACTIVE_LOW),
        bias=_word(_BIASES, flags),
        drive=_word(_DRIVES, flags),
        edge_detection=_word(_EDGES, flags),
        event_clock=_word(_CLOCKS, flags),
        debounced=debounce_us is not None,
        debounce_period=(debounce_us or 0) / 1e6,
    )


def info_event(raw: tuple[int, int, tuple[int, str, str, int, int | None]]) -> InfoEvent:
    """What _core.GPIOChip tells of a change."""
    event_type, timestamp_ns, info = raw
    return InfoEvent(_EVENTS[event_type], timestamp_ns, line_info(info))
