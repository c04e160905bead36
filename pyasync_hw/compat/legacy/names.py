"""Names that moved or went, where they were; and `from asyncio import *` with them."""

from __future__ import annotations

import asyncio

from ..patches import Patches

__all__ = ["install"]


def install(patches: Patches) -> None:
    """Last of all: `__all__` lists what the others have added."""
    patches.add(asyncio, "JoinableQueue", asyncio.Queue)
    patches.add(asyncio, "async", asyncio.ensure_future)
    added = [name for name in ("async", "coroutine", "JoinableQueue") if name in vars(asyncio)]
    patches.set(asyncio, "__all__", (*asyncio.__all__, *added))
