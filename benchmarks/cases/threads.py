"""The executor, and call_soon_threadsafe()."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time

from .case import Loop, Sample, Stopwatch, case


def job() -> int:
    return 1


@case(100, repeats=3)
def executor(loop: Loop, count: int) -> Sample:
    """One job after the other on the default executor."""

    async def main() -> Sample:
        for _ in range(20):
            await loop.run_in_executor(None, job)
        waits = []
        with Stopwatch() as watch:
            for _ in range(count):
                start = time.perf_counter_ns()
                await loop.run_in_executor(None, job)
                waits.append(time.perf_counter_ns() - start)
        return {"p50": statistics.median(waits)} | watch.per(count)

    return loop.run_until_complete(main())


@case(2_000)
def executor_100(loop: Loop, count: int) -> Sample:
    """100 jobs in flight on the default executor."""
    callers = min(100, count)

    async def call(times: int) -> None:
        for _ in range(times):
            await loop.run_in_executor(None, job)

    async def main() -> Sample:
        await asyncio.gather(*[call(1) for _ in range(callers)])  # all threads are there
        with Stopwatch() as watch:
            await asyncio.gather(*[call(count // callers) for _ in range(callers)])
        return watch.per(count // callers * callers)

    return loop.run_until_complete(main())


@case(10_000)
def threadsafe_burst(loop: Loop, count: int) -> Sample:
    """One thread sends as fast as it can."""
    left = count

    def arrive() -> None:
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    def send() -> None:
        for _ in range(count):
            loop.call_soon_threadsafe(arrive)

    thread = threading.Thread(target=send)
    with Stopwatch() as watch:
        thread.start()
        loop.run_forever()
    thread.join()
    return watch.per(count)


@case(100, repeats=3)
def threadsafe_latency(loop: Loop, count: int) -> Sample:
    """To a loop that has gone to sleep."""
    waits: list[int] = []

    def arrive(sent: int) -> None:
        waits.append(time.perf_counter_ns() - sent)
        if len(waits) == count:
            loop.stop()

    def send() -> None:
        for _ in range(count):
            time.sleep(0.0002)
            loop.call_soon_threadsafe(arrive, time.perf_counter_ns())

    thread = threading.Thread(target=send)
    with Stopwatch() as watch:
        thread.start()
        loop.run_forever()
    thread.join()
    return {"p50": statistics.median(waits)} | watch.per(count)
