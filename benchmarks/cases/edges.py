"""A line's edges: awaited with gpio.Input, and with add_reader() and os.read().

Both read the same kind of descriptor (see descriptors.py), which kernel.c gives out as a
requested line.  Where the kernel runs writer and reader decides how long a wake-up takes,
so each is a case for both on one CPU, and one for a CPU each.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .case import Loop, Sample, Stopwatch, case, limit
from .descriptors import bare_edges, by_reader, edges

Listen = Callable[[Loop, int, int], tuple[list[int], Stopwatch]]
CPUS = sorted(os.sched_getaffinity(0))
PLACES = {"one_cpu": (CPUS[0], CPUS[0]), "two_cpus": (CPUS[0], CPUS[-1])}  # reader, writer
if len(CPUS) < 2:
    del PLACES["two_cpus"]
WAYS = ("reader", "gpio")


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [cpu])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def by_gpio(loop: Loop, fd: int, count: int) -> tuple[list[int], Stopwatch]:
    """The waits of a coroutine that awaits the edges of a gpio.Input."""
    from pyasync_hw import gpio
    from pyasync_hw.hardware.kernel import KernelBackend

    waits: list[int] = []
    now = time.monotonic_ns

    async def main() -> Stopwatch:
        ctypes.CDLL(None).kernel_next_line(fd)
        with (
            gpio.Input(17, chip="/dev/gpiochip0", board=KernelBackend()) as line,
            Stopwatch() as watch,
        ):
            while len(waits) < count:
                event = await line.wait_for_edge()
                waits.append(now() - event.timestamp_ns)
        return watch

    return waits, loop.run_until_complete(main())


def one(listen: Listen, reader: int, writer: int) -> Callable[[Loop, int], Sample]:
    def run(loop: Loop, count: int) -> Sample:
        with pinned(reader), edges(count, str(writer)) as fd:
            waits, watch = listen(loop, fd, count)
        waits.sort()
        tail = waits[(count - 1) * 99 // 100]
        return {"p50": statistics.median(waits), "p99": tail} | watch.per(count)

    return run


def bare(reader: int, writer: int) -> Callable[[int], Sample]:
    return lambda count: bare_edges(count, str(reader), str(writer))


for place, cpus in PLACES.items():
    for way, listen in zip(WAYS, (by_reader, by_gpio), strict=True):
        run = one(listen, *cpus)
        run.__name__ = f"edge_{way}_{place}"
        case(500, kernel=True)(run)
    limit(f"edge_reader_{place}")(bare(*cpus))
