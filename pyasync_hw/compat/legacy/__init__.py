"""asyncio as programs of Python 3.4 to 3.9 know it, on today's Python.

One module per idea; each has an `install(patches)`, and docs/legacy-asyncio.md says
for each change of asyncio since 3.4 what is given back, and what is not.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable

from ..patches import Patches

__all__ = ["install"]

# In this order: names() lists what the others have added.
_PARTS = (
    "cancelled",
    "generators",
    "tasks",
    "loop_argument",
    "waiting",
    "locks",
    "servers",
    "policy",
    "names",
)


def install(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[], None]:
    """Give asyncio its old names, and loops of `loop_factory`; returns what undoes it."""
    patches = Patches()
    for part in _PARTS:
        importlib.import_module(f"{__name__}.{part}").install(patches)
    policy = importlib.import_module(f"{__name__}.policy")
    policy.use(loop_factory)

    def uninstall() -> None:
        policy.leave()
        patches.undo()

    return uninstall
