"""Names that MicroPython's gc, sys and built-in names have beyond Python's."""

from __future__ import annotations

import builtins
import gc
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from ..patches import Patches

__all__ = ["install", "memory"]

_state = {"threshold": -1}


def memory() -> tuple[int, int]:
    """Bytes that this process has in use, and that the machine has free."""
    page = os.sysconf("SC_PAGE_SIZE")
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[1]) * page
    return used, os.sysconf("SC_AVPHYS_PAGES") * page


def mem_alloc() -> int:
    """Bytes that this process has in use."""
    return memory()[0]


def mem_free() -> int:
    """Bytes that the machine has free."""
    return memory()[1]


def threshold(amount: int | None = None) -> int | None:
    """What it was set to; the collector has thresholds of its own, gc.get_threshold()."""
    if amount is None:
        return _state["threshold"]
    _state["threshold"] = amount
    return None


def print_exception(exc: BaseException, file: Any = None) -> None:
    """Print it with its traceback."""
    import traceback

    traceback.print_exception(exc, file=sys.stdout if file is None else file)


class _Micropython:
    """Module micropython, which is there without an import."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(f"{__package__}.micropython"), name)


def install() -> Callable[[], None]:
    """Add them where there are none such; returns what undoes it."""
    patches = Patches()
    for function in (mem_alloc, mem_free, threshold):
        patches.add(gc, function.__name__, function)
    patches.add(sys, "print_exception", print_exception)
    patches.add(sys.implementation, "_machine", f"{sys.platform} [pyasync_hw]")
    patches.add(builtins, "const", lambda value: value)
    patches.add(builtins, "micropython", _Micropython())
    return patches.undo
