"""Counts what a repeated operation leaves behind, in four ways.

Live objects of our C types and descriptors must be back exactly.  Python's blocks
and the C heap may grow by caches, which fill up once, so an operation leaks only if
every one of several rounds grows by about one block, or some bytes, a call.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from pyasync_hw import _core

CALLS = 200
ROUNDS = 10


class _MallInfo2(ctypes.Structure):
    # fmt: off
    _fields_ = tuple((name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
    ))
    # fmt: on


def heap_bytes() -> int:
    """In use of the C library's heap; 0 where it doesn't tell (sanitizers, musl)."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2  # glibc 2.33
    except AttributeError:
        return 0
    mallinfo2.restype = _MallInfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


@dataclass
class Usage:
    live: dict[str, int]
    descriptors: dict[str, str]  # what each is, by number
    blocks: int
    heap: int

    @classmethod
    def now(cls) -> Usage:
        for _ in range(3):
            gc.collect()
        descriptors = {}
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # that of the listing itself
                descriptors[number] = os.readlink(f"/proc/self/fd/{number}")
        return cls(_core._live(), descriptors, sys.getallocatedblocks(), heap_bytes())


def assert_no_growth(operation: Callable[[], object], calls: int = CALLS) -> None:
    gc.collect()
    gc.freeze()  # the collections below look only at what the operation makes
    try:
        _assert_no_growth(operation, calls)
    finally:
        gc.unfreeze()


def _assert_no_growth(operation: Callable[[], object], calls: int) -> None:
    for _ in range(calls):  # caches, lazy imports and free lists fill up
        operation()
    blocks, heap = [], []
    for _ in range(ROUNDS):
        before = Usage.now()
        for _ in range(calls):
            operation()
        after = Usage.now()
        lives = {name: (n, after.live[name]) for name, n in before.live.items()}
        changed_lives = {name: pair for name, pair in lives.items() if pair[0] != pair[1]}
        assert not changed_lives, f"objects alive (before, after): {changed_lives}"
        changed = dict(before.descriptors.items() ^ after.descriptors.items())
        assert not changed, f"descriptors that came or went: {changed}"
        blocks.append(after.blocks - before.blocks)
        heap.append(after.heap - before.heap)
        if blocks[-1] < calls / 2 and heap[-1] < calls * 8:
            return
    assert min(blocks) < calls / 2, f"Python blocks grow by {blocks} in {calls} calls"
    raise AssertionError(f"the C heap grows by {heap} bytes in {calls} calls")
