"""What is measured: one file for each theme, `CASES` has them all by name."""

from . import buses, children, descriptors, edges, memory, scheduling, threads, timers
from .case import CASES, LIMITS

__all__ = [
    "CASES",
    "LIMITS",
    "buses",
    "children",
    "descriptors",
    "edges",
    "memory",
    "scheduling",
    "threads",
    "timers",
]
