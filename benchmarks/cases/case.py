"""A case is a function (loop, count) -> sample, registered with its usual count.

It prepares its input first and measures only the operations in its name.  A sample
is a dict of numbers, the less the better: "cpu" and "wall" are ns per operation,
"p50" is the median of single waits in ns.  CPU is that of the whole process, all
threads, user and system, so time in which another process has the core is not in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

Loop = asyncio.AbstractEventLoop
Sample = dict[str, float]


@dataclass(frozen=True)
class Case:
    run: Callable[[Loop, int], Sample]
    count: int  # operations in one sample
    repeats: int  # samples in each round
    fresh: bool  # each sample in a process of its own
    kernel: bool  # in a process on kernel.c


CASES: dict[str, Case] = {}
LIMITS: dict[str, Callable[[int], Sample]] = {}  # by case: the same in bare C, without a loop


def case(
    count: int, *, repeats: int = 1, fresh: bool = False, kernel: bool = False
) -> Callable[[Callable[[Loop, int], Sample]], Callable[[Loop, int], Sample]]:
    def register(function: Callable[[Loop, int], Sample]) -> Callable[[Loop, int], Sample]:
        CASES[function.__name__] = Case(function, count, repeats, fresh, kernel)
        return function

    return register


def limit(name: str) -> Callable[[Callable[[int], Sample]], Callable[[int], Sample]]:
    def register(function: Callable[[int], Sample]) -> Callable[[int], Sample]:
        LIMITS[name] = function
        return function

    return register


class Stopwatch:
    """CPU and wall time of a block, in ns."""

    cpu: int
    wall: int

    def __enter__(self) -> Stopwatch:
        self.wall = time.perf_counter_ns()
        self.cpu = time.process_time_ns()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.cpu = time.process_time_ns() - self.cpu
        self.wall = time.perf_counter_ns() - self.wall

    def per(self, count: int) -> Sample:
        return {"cpu": self.cpu / count, "wall": self.wall / count}


def nothing() -> None:
    pass


def turn(loop: Loop) -> None:
    """Run what is ready, and what asyncio does once a turn."""
    loop.call_soon(loop.stop)
    loop.run_forever()
