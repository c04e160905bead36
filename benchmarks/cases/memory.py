"""What it costs to have a timer, and to import the package: in fresh processes."""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys

from .case import Loop, Sample, case, nothing, turn

IMPORT = """
import asyncio, sys, time
start = time.process_time_ns()
__import__(sys.argv[1])
print(time.process_time_ns() - start)
"""


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


@case(100_000, fresh=True)
def timer_memory(loop: Loop, count: int) -> Sample:
    """Growth of the resident set per pending timer, its delay and place in a list not counted."""
    turn(loop)
    handles: list[object] = [None] * count
    gc.collect()
    before = resident()
    for i in range(count):
        handles[i] = loop.call_later(3600, nothing)
    grown = resident() - before
    return {"bytes": grown / count}


@case(3)
def import_package(loop: Loop, count: int) -> Sample:
    """CPU of importing the loop's package once asyncio is there; 0 for asyncio itself."""
    package = type(loop).__module__.partition(".")[0]
    command = [sys.executable, "-c", IMPORT, package]
    compiled = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    costs = [
        int(subprocess.check_output(command, env=compiled, timeout=30)) for _ in range(1 + count)
    ]
    return {"cpu": statistics.median(costs[1:])}  # the first one may have compiled it
