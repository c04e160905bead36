"""asyncio as programs of Python 3.4 to 3.9 know it, on today's Python.

One module per idea; each has an `install(patches)`, and docs/legacy-asyncio.md says
for each change of asyncio since 3.4 what is given back, and what is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..patches import Patches

__all__ = ["install"]


def install(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[], None]:
    """Give asyncio its old names, and loops of `loop_factory`; returns what undoes it."""
    # Some take a while to import, and who only wants a class of `cancelled` needs none.
    from . import (
        cancelled,
        executors,
        generators,
        locks,
        loop_argument,
        names,
        policy,
        servers,
        sockets,
        tasks,
        toy_loops,
        waiting,
    )

    patches = Patches()
    for part in (cancelled, generators, toy_loops, tasks, loop_argument, waiting, locks):
        part.install(patches)
    for part in (servers, sockets, executors):
        part.install(patches)
    policy.install(patches, loop_factory)
    names.install(patches)  # lists what the others have added
    return patches.undo
