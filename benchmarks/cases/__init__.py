"""What is measured: one file for each theme, `CASES` has them all by name."""

from . import children, descriptors, edges, memory, scheduling, threads, timers
from .case import CASES, LIMITS

__all__ = [
    "CASES",
    "LIMITS",
    "children",
    "descriptors",
    "edges",
    "memory",
    "scheduling",
    "threads",
    "timers",
]
