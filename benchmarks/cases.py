"""What is measured: each case is one function (loop, count) -> Sample.

A case prepares its input first and measures only the operations in its name.  CPU
is that of the whole process, all threads, user and system, so time in which another
process has the core does not enter it.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

Loop = asyncio.AbstractEventLoop


@dataclass
class Sample:
    cpu: float  # ns per operation
    wall: float  # ns per operation


@dataclass
class Case:
    run: Callable[[Loop, int], Sample]
    count: int
    title: str


CASES: dict[str, Case] = {}


def case(title: str, count: int) -> Callable[[Callable[[Loop, int], Sample]], None]:
    def register(function: Callable[[Loop, int], Sample]) -> None:
        CASES[function.__name__] = Case(function, count, title)

    return register


class Stopwatch:
    def __enter__(self) -> Stopwatch:
        self.wall = time.perf_counter_ns()
        self.cpu = time.process_time_ns()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.cpu = time.process_time_ns() - self.cpu
        self.wall = time.perf_counter_ns() - self.wall

    def per(self, count: int) -> Sample:
        return Sample(self.cpu / count, self.wall / count)


def nothing() -> None:
    pass


@case("call_soon, chain: each callback schedules the next", 20_000)
def call_soon_chain(loop: Loop, count: int) -> Sample:
    left = count

    def link() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(link)
        else:
            loop.stop()

    loop.call_soon(link)
    with Stopwatch() as watch:
        loop.run_forever()
    return watch.per(count)


@case("call_soon, burst: many, then run them", 50_000)
def call_soon_burst(loop: Loop, count: int) -> Sample:
    with Stopwatch() as watch:
        for _ in range(count):
            loop.call_soon(nothing)
        loop.call_soon(loop.stop)
        loop.run_forever()
    return watch.per(count)


def delays(count: int) -> list[float]:
    source = random.Random(count)
    return [source.uniform(60.0, 120.0) for _ in range(count)]


@case("call_later: insert among as many", 50_000)
def timer_insert(loop: Loop, count: int) -> Sample:
    times = delays(count)
    handles = []
    with Stopwatch() as watch:
        for delay in times:
            handles.append(loop.call_later(delay, nothing))
    drop(loop, handles)
    return watch.per(count)


@case("call_later: cancel, in random order, and one turn of the loop", 50_000)
def timer_cancel(loop: Loop, count: int) -> Sample:
    handles = [loop.call_later(delay, nothing) for delay in delays(count)]
    random.Random(count).shuffle(handles)
    with Stopwatch() as watch:
        for handle in handles:
            handle.cancel()
        loop.call_soon(loop.stop)
        loop.run_forever()  # where asyncio clears its heap
    return watch.per(count)


def drop(loop: Loop, handles: list[asyncio.TimerHandle]) -> None:
    for handle in handles:
        handle.cancel()
    loop.call_soon(loop.stop)
    loop.run_forever()


@case("task switch: 1,000 tasks in sleep(0)", 40_000)
def task_switch(loop: Loop, count: int) -> Sample:
    tasks = 1000
    turns = count // tasks

    async def spin() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def main() -> Sample:
        spinners = [loop.create_task(spin()) for _ in range(tasks)]
        await asyncio.sleep(0)  # all have started
        with Stopwatch() as watch:
            await asyncio.wait(spinners)
        return watch.per(tasks * turns)

    return loop.run_until_complete(main())


@case("call_soon_threadsafe, burst from one thread", 20_000)
def threadsafe_burst(loop: Loop, count: int) -> Sample:
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


@case("call_soon_threadsafe, one at a time to a sleeping loop (wall: median latency)", 300)
def threadsafe_latency(loop: Loop, count: int) -> Sample:
    latencies: list[int] = []
    arrived = threading.Event()

    def arrive(sent: int) -> None:
        latencies.append(time.perf_counter_ns() - sent)
        arrived.set()

    def send() -> None:
        for _ in range(count):
            time.sleep(0.0003)  # the loop has gone to sleep
            arrived.clear()
            loop.call_soon_threadsafe(arrive, time.perf_counter_ns())
            arrived.wait()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=send)
    with Stopwatch() as watch:
        thread.start()
        loop.run_forever()
        thread.join()
    return Sample(watch.cpu / count, statistics.median(latencies))
