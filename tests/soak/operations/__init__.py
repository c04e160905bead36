"""The operations, by what they use; importing this fills the table."""

from . import (
    cancels,
    children,
    descriptors,
    devices,
    executors,
    forks,
    loops,
    signals,
    streams,
    threads,
    timers,
)

__all__ = [
    "cancels",
    "children",
    "descriptors",
    "devices",
    "executors",
    "forks",
    "loops",
    "signals",
    "streams",
    "threads",
    "timers",
]
