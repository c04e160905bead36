"""Which hardware the devices of this package open on: the state behind hardware.py.

Innermost `with board:` first (a context variable: tasks inherit it), then the
default of the process, which other threads see too.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

_entered: ContextVar[tuple[Any, ...]] = ContextVar("pyasync_hw.entered", default=())
_default: list[Any] = []  # at most one


def enter(backend: Any) -> None:
    """`backend` is the innermost one from now on, in this context."""
    _entered.set((*_entered.get(), backend))


def leave(backend: Any) -> None:
    """Undo enter(); also when others were entered meanwhile, or in another context."""
    stack = list(_entered.get())
    if backend in stack:
        del stack[len(stack) - 1 - stack[::-1].index(backend)]
        _entered.set(tuple(stack))


def current() -> Any | None:
    """The innermost backend, or the default, or None."""
    stack = _entered.get()
    if stack:
        return stack[-1]
    return _default[0] if _default else None


def set_default(backend: Any | None) -> None:
    """The backend of whoever is in no `with board:`, in every thread; None: no such."""
    _default[:] = [] if backend is None else [backend]
