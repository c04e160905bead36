"""What the process holds: counted at quiet points, and compared.

Descriptors, threads, children and live objects of our C types must be back
exactly; memory may have caches, so there it is the trend over many quiet points
that tells.
"""

from __future__ import annotations

import contextlib
import gc
import linecache
import os
import re
import resource
import statistics
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pyasync_hw import _core

from ..leaks.growth import heap_bytes

SANITIZED = bool(os.environ.get("PYASYNC_HW_SANITIZE"))


def descriptors() -> Counter[str]:
    """The open descriptors by kind: "socket", "pipe", "anon_inode:[eventpoll]", a path."""
    kinds: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that listed the folder
            kinds[re.sub(r":\[\d+\]$", "", os.readlink(f"/proc/self/fd/{name}"))] += 1
    return kinds


def threads() -> int:
    """Threads of the process, Python's or not."""
    return len(os.listdir("/proc/self/task"))


def children() -> list[str]:
    """The process's children, as "pid name", and Z for a zombie."""
    found = []
    mine = str(os.getpid())
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", errors="replace") as file:
                stat = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name, rest = stat[stat.index("(") + 1 :].rsplit(")", 1)
        state, parent = rest.split()[:2]
        if parent == mine:
            found.append(f"{pid} {name}" + " Z" * (state == "Z"))
    return found


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@dataclass(frozen=True)
class Census:
    """What must be back exactly."""

    descriptors: Counter[str]
    threads: int  # but for the next
    workers: int  # of native executors: they come and go
    children: list[str]
    live: dict[str, int]

    @classmethod
    def now(cls) -> Census:
        gc.collect()
        live = _core._live()
        workers = live.pop("Worker")
        return cls(descriptors(), threads() - workers, workers, children(), live)

    def beyond(self, base: Census, workers: int = 0) -> list[str]:
        """In words, what is more or less than in `base`, but for idle worker threads."""
        found = []
        for kind in self.descriptors.keys() | base.descriptors.keys():
            if difference := self.descriptors[kind] - base.descriptors[kind]:
                found.append(f"descriptors {kind}: {difference:+}")
        if not 0 <= self.threads - base.threads <= workers:
            found.append(f"threads: {self.threads - base.threads:+} (workers: {workers})")
        if self.workers > workers:
            found.append(f"native workers: {self.workers} (allowed: {workers})")
        if self.children != base.children:
            found.append(f"children: {self.children}, were {base.children}")
        for name, count in self.live.items():
            if difference := count - base.live[name]:
                found.append(f"live {name}: {difference:+}")
        return found


class Trend:
    """One measure over the quiet points; it must not grow."""

    def __init__(self, allowance: int, share: float) -> None:
        self.allowance = allowance  # of caches that fill late
        self.share = share
        self.values = array("q")  # takes no block of Python per value

    def growth(self) -> tuple[int, int]:
        """(growth after warming up, what of it is allowed).

        A leak grows all the time, a cache once: twice the lesser growth of two halves.
        """
        warm = self.values[len(self.values) // 4 :]
        third = max(1, len(warm) // 3)
        early = _median(warm[:third])
        middle = _median(warm[third:-third] or warm)
        late = _median(warm[-third:])
        growth = 2 * min(middle - early, late - middle)
        return growth, self.allowance + int(early * self.share)


def _median(values: Sequence[int]) -> int:
    return int(statistics.median(values))


class Trends:
    """Tracked objects, blocks, C heap and resident memory at the quiet points."""

    FEWEST = 8  # quiet points, below which there is no trend

    def __init__(self) -> None:
        self.of = {
            "gc-tracked objects": Trend(300, 0.005),
            "Python blocks": Trend(1500, 0.005),
            "C heap bytes": Trend(400_000, 0.02),
            "resident bytes": Trend(6_000_000, 0.05),
        }

    @property
    def points(self) -> int:
        return len(next(iter(self.of.values())).values)

    def take(self) -> None:
        linecache.clearcache()  # debug mode reads one source file after another
        counts = (
            len(gc.get_objects()),
            sys.getallocatedblocks(),
            heap_bytes(),
            0 if SANITIZED else resident_bytes(),  # ASan keeps what was freed
        )
        for trend, count in zip(self.of.values(), counts, strict=True):
            trend.values.append(count)

    def growing(self) -> list[str]:
        found = []
        for name, trend in self.of.items():
            if len(trend.values) < self.FEWEST:
                continue
            growth, allowed = trend.growth()
            if growth > allowed:
                found.append(f"{name} grow by {growth} ({allowed} allowed): {list(trend.values)}")
        return found

    def report(self) -> list[str]:
        return [
            f"{name}: first {trend.values[0]}, last {trend.values[-1]},"
            f" growth {trend.growth()[0]:+} of {trend.growth()[1]} allowed"
            for name, trend in self.of.items()
            if trend.values
        ]
