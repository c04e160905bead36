"""Timers: to set many, to cancel most of them, and how late a short sleep is."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import time

from ..helpers import helper
from .case import Loop, Sample, Stopwatch, case, limit, nothing, turn

DELAY_NS = 100_000


def insert_and_cancel(loop: Loop, count: int) -> Sample:
    """Insert at random times, cancel 90 % in random order, and one turn of the loop.

    asyncio clears its heap of what was cancelled in that turn.
    """
    source = random.Random(count)
    delays = [source.uniform(5.0, 60.0) for _ in range(count)]
    doomed = list(range(count))
    source.shuffle(doomed)
    del doomed[count * 9 // 10 :]
    with Stopwatch() as insert:
        handles = [loop.call_later(delay, nothing) for delay in delays]
    with Stopwatch() as cancel:
        for i in doomed:
            handles[i].cancel()
        turn(loop)
    for handle in handles:
        handle.cancel()
    return {"insert": insert.cpu / count, "cancel": cancel.cpu / len(doomed)}


@case(30_000)
def timers(loop: Loop, count: int) -> Sample:
    return insert_and_cancel(loop, count)


@case(100_000)
def many_timers(loop: Loop, count: int) -> Sample:
    return insert_and_cancel(loop, count)


@case(60)
def sleep_100us(loop: Loop, count: int) -> Sample:
    """How much longer than asked sleep(100 µs) takes, and how often less."""

    async def main() -> Sample:
        over = []
        with Stopwatch() as watch:
            for _ in range(count):
                start = time.perf_counter_ns()
                await asyncio.sleep(DELAY_NS / 1e9)
                over.append(time.perf_counter_ns() - start - DELAY_NS)
        early = sum(1 for each in over if each < 0)
        return {"over": statistics.median(over), "early": early, "cpu": watch.cpu / count}

    return loop.run_until_complete(main())


@limit("sleep_100us")
def bare_sleep(count: int) -> Sample:
    command = [helper("sleeper"), str(count), str(DELAY_NS)]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    sample: Sample = json.loads(answer)
    return sample
