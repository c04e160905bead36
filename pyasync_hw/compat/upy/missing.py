"""Names that MicroPython's time and asyncio have and Python's have not.

They are looked up when a program first asks for them; a name that Python has stays Python's.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..patches import Patches

__all__ = ["install"]

_HERE = __name__.rpartition(".")[0]

# Module -> the module of ours that has the names.
_NAMES = {
    "asyncio": (f"{_HERE}.uasyncio", ("ThreadSafeFlag", "sleep_ms", "wait_for_ms")),
    "time": (
        f"{_HERE}.utime",
        ("sleep_ms", "sleep_us", "ticks_add", "ticks_cpu", "ticks_diff", "ticks_ms", "ticks_us"),
    ),
}


def _lookup(module: ModuleType, ours: str, names: tuple[str, ...]) -> Callable[[str], Any]:
    before = vars(module).get("__getattr__")

    def __getattr__(name: str) -> Any:
        if name in names:
            return getattr(importlib.import_module(ours), name)
        if before is not None:
            return before(name)
        raise AttributeError(
            f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module
        )

    return __getattr__


def install() -> Callable[[], None]:
    """Add the names; returns what undoes it."""
    patches = Patches()
    for name, (ours, names) in _NAMES.items():
        module = importlib.import_module(name)
        patches.set(module, "__getattr__", _lookup(module, ours, names))
    return patches.undo
