"""`exit_report.py FILE ARGS`: python -m pyasync_hw ARGS, then write to FILE what is left.

Its handler is registered before all others, so it runs after all others.  The simulated
board is still there, for the program's last objects.
"""

import asyncio
import atexit
import gc
import json
import os
import sys
import threading
import time


def descriptors():
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found


BEFORE = descriptors()
FILE = sys.argv[1]  # run() gives the program an argv of its own


def names_of_native_threads():
    names = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as file:
                names.append(file.read().strip())
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return names


def native_threads():
    """How many the kernel has besides this one and the board's own.

    Before Python 3.13, join() returns when a thread has left Python; the kernel
    takes a moment more to end it.
    """
    deadline = time.monotonic() + 1
    while True:
        count = sum(name != "simulated-board" for name in names_of_native_threads()) - 1
        if not count or time.monotonic() > deadline:
            return count
        os.sched_yield()


def descriptors_left():
    """Those besides the one that the board's own thread sleeps on."""
    left = [v for k, v in descriptors().items() if BEFORE.get(k) != v]
    if "simulated-board" in names_of_native_threads() and "anon_inode:[timerfd]" in left:
        left.remove("anon_inode:[timerfd]")
    return left


def report():
    left = {
        "threads": [t.name for t in threading.enumerate() if t is not threading.main_thread()],
        "native threads": native_threads(),
        "descriptors": descriptors_left(),
        "tasks": [repr(o) for o in gc.get_objects() if type(o).__name__ == "Task" and not o.done()],
        "loops": [
            repr(o)
            for o in gc.get_objects()
            if isinstance(o, asyncio.AbstractEventLoop) and not o.is_closed()
        ],
    }
    with open(FILE, "w") as file:
        json.dump({key: value for key, value in left.items() if value}, file)


if __name__ == "__main__":
    atexit.register(report)
    from pyasync_hw.cli import main

    sys.exit(main(sys.argv[2:]))
