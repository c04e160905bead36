"""What children leave behind: zombies, children, descriptors, threads."""

import contextlib
import gc
import os
import pathlib
import threading


def children() -> dict[int, str]:
    """State by pid of every child of this process."""
    states = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, fields = stat.read_text().rpartition(")")
            state, parent = fields.split()[:2]
            if int(parent) == os.getpid():
                states[int(name.split()[0])] = state
    return states


@contextlib.contextmanager
def nothing_left():
    """No child, zombie, descriptor or thread more after the block than before."""
    gc.collect()
    before = set(os.listdir("/proc/self/fd")), set(children()), set(threading.enumerate())
    yield
    gc.collect()
    for thread in set(threading.enumerate()) - before[2]:
        thread.join(10)
    after = set(os.listdir("/proc/self/fd")), set(children()), set(threading.enumerate())
    assert after[0] <= before[0], "descriptors left open"
    assert after[1] <= before[1], f"children left: {children()}"
    assert after[2] <= before[2], "threads left"
