"""One run of the fuzzer, in this process: python -m tests.fuzz.run SEED VERBS [FAULT]

Exits with 1 when it has found something; a crash ends it as crashes do.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections import Counter
from typing import NoReturn

import pyasync_hw
from pyasync_hw import _core, hardware

from ..recorder import Recorder
from ..soak.census import descriptors
from . import devices as devices  # fills the table
from . import loops as loops
from . import poke as poke
from . import workers as workers
from .planted import PLANTED
from .world import World

PATIENCE = 4.0  # seconds


def _usage() -> tuple[Counter[str], Counter[str], int]:
    return Counter(_core._live()), descriptors(), threading.active_count()


def _left(before: tuple[Counter[str], Counter[str], int]) -> list[str]:
    live, files, threads = _usage()
    found = [f"live {name}: +{n}" for name, n in (live - before[0]).items()]
    found += [f"descriptors {kind}: +{n}" for kind, n in (files - before[1]).items()]
    if threads > before[2]:
        found.append(f"threads: {[thread.name for thread in threading.enumerate()]}")
    return found


def main() -> NoReturn:
    seed, verbs = int(sys.argv[1]), int(sys.argv[2])
    if len(sys.argv) > 3:
        PLANTED[sys.argv[3]]()
    _warm_up()
    recorder = Recorder()
    before = _usage()
    world = World(seed, verbs, recorder)
    world.run()
    world.finish()
    until = time.monotonic() + PATIENCE
    while (left := _left(before)) and not world.nudged and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    if left and not world.nudged:
        world.fail(f"left: {left}")
    for fault in world.faults:
        print(fault)
    sys.stdout.flush()
    os._exit(1 if world.faults else 0)


def _warm_up() -> None:
    """What is made once, when it is first needed."""
    pyasync_hw.run(asyncio.to_thread(int))
    hardware.chosen(None)
    gc.collect()


if __name__ == "__main__":
    main()
