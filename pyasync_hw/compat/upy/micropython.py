"""MicroPython's module micropython."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..hints import no_such_name
from .board.callbacks import call_soon
from .interpreter import memory

__all__ = [
    "alloc_emergency_exception_buf",
    "asm_pio",
    "asm_thumb",
    "const",
    "heap_lock",
    "heap_unlock",
    "kbd_intr",
    "mem_info",
    "native",
    "opt_level",
    "qstr_info",
    "schedule",
    "stack_use",
    "viper",
]

_state = {"opt_level": 0}


def const(value: Any) -> Any:
    """The value."""
    return value


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function: Python's own code."""
    return function


viper = native


def asm_thumb(function: Callable[..., Any]) -> Callable[..., Any]:
    """For a function that gives an object's address: id().  No other is run."""
    if function.__name__ == "addressof":
        return id
    raise NotImplementedError(f"{function.__name__}() is in the assembly language of another CPU")


def asm_pio(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Raises NotImplementedError: a Raspberry Pi has no such state machines."""
    raise NotImplementedError("a PIO program runs on an RP2040 only")


def schedule(function: Callable[[Any], object], argument: Any) -> None:
    """Have `function(argument)` called soon, where callbacks of pins are."""
    call_soon(function, argument)


def alloc_emergency_exception_buf(size: int) -> None:
    """CPython has memory for exceptions."""


def opt_level(level: int | None = None) -> int | None:
    """What it was set to; it changes nothing."""
    if level is None:
        return _state["opt_level"]
    _state["opt_level"] = level
    return None


def mem_info(verbose: Any = None) -> None:
    """Print what memory this process has in use."""
    used, free = memory()
    print(f"mem: total={used + free}, current={used}, free={free}")


def qstr_info(verbose: Any = None) -> None:
    """Print how many objects the interpreter has; it counts no interned strings."""
    print(f"objects: {sys.getallocatedblocks()}")


def stack_use() -> int:
    """How many calls deep the program is; the bytes that they take are not known."""
    frame, depth = sys._getframe(1), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def heap_lock() -> int:
    """The heap cannot be locked, so nothing fails."""
    return 0


def heap_unlock() -> int:
    """As heap_lock()."""
    return 0


def kbd_intr(chr: int) -> None:
    """-1: Ctrl+C does nothing from now on; 3: it interrupts, as at first."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN if chr == -1 else signal.default_int_handler)


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
