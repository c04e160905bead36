"""Patches of asyncio's classes, and overrides of a loop's turn, on a loop whose core is C.

A tracer patches `asyncio.BaseEventLoop.call_soon`, which ours comes before: what stands
there and is not asyncio's own is put before ours again, in Patches.  As a rule it wraps
asyncio's function, and what that does ends in our queues.

A test clock overrides `time()`, `_run_once()` or the selector's `select()`, in a subclass,
on the class or on one loop: turns are then asyncio's own Python ones, over our queues and
our poller, at asyncio's speed.

Both are looked for when a loop is made, when a run begins, and at a turn after the class
has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .. import _core

if TYPE_CHECKING:
    from . import EventLoop

__all__ = ["Patches", "notice"]

_ASYNCIO = {cls: vars(cls) for cls in asyncio.SelectorEventLoop.__mro__[:-1]}

# What a turn is made of; and who of ours goes around what asyncio's own method calls.
_TURN = ("_run_once", "time", "_process_events", "_add_callback")
_GOES_AROUND = {"call_at": {"call_later"}, "_call_soon": {"call_soon", "call_soon_threadsafe"}}
HOOKS = frozenset((*_TURN, "call_at"))

# Where our poller is another than theirs.
_POLLER = {"_add_reader", "_add_writer", "_remove_reader", "_remove_writer", "_write_to_self"}

_NOTHING = object()  # is in no class


class Patches:
    """What somebody has put over asyncio's own methods: it comes before ours."""

    __slots__ = ()


def _look_up(classes: Iterable[tuple[type, Mapping[str, Any]]], name: str) -> tuple[type, Any]:
    """What stands in which class, as it stands there: staticmethod, Mock and all."""
    for cls, namespace in classes:
        if name in namespace:
            return cls, namespace[name]
    return object, _NOTHING


def _is_asyncios_own(cls: type, value: Any) -> bool:
    if value is _NOTHING:
        return True
    module = sys.modules[cls.__module__]
    from_there = isinstance(value, FunctionType) and value.__globals__ is vars(module)
    return from_there and cls in _ASYNCIO


_REPLACED = [
    name
    for name in (*vars(_core.Loop), "_call_soon", "run_forever")
    if not name.startswith("__")
    and any(name in namespace for namespace in _ASYNCIO.values())
    and name not in _POLLER
]


def _look_at_asyncio() -> None:
    """Put before ours what is patched now, and take away what no longer is."""
    current = {name: _look_up(_ASYNCIO.items(), name) for name in _REPLACED}
    patched = {name for name, found in current.items() if not _is_asyncios_own(*found)}
    around = set().union(*(_GOES_AROUND.get(name, set()) for name in patched))
    for name, (_, value) in current.items():
        before = vars(Patches).get(name, _NOTHING)
        if isinstance(before, _ThroughOurExecutor):
            before = before.patched
        if name not in patched | around:
            if before is not _NOTHING:
                with contextlib.suppress(AttributeError):  # another thread's loop was first
                    delattr(Patches, name)
        elif before is not value:
            through = "executor" in name and hasattr(type(value), "__get__")
            setattr(Patches, name, _ThroughOurExecutor(value) if through else value)


class _ThroughOurExecutor:
    """run_in_executor(): asyncio's would make a pool of its own, and let a virtual clock run."""

    def __init__(self, patched: Any) -> None:
        self.patched = patched

    def __get__(self, loop: EventLoop | None, kind: type) -> Any:
        bound = type(self.patched).__get__(self.patched, loop, kind)
        return bound if loop is None else functools.partial(_run_in_executor, loop, bound)


def _run_in_executor(loop: EventLoop, patched: Any, *args: Any, **kwargs: Any) -> Any:
    executor = args[0] if args else kwargs.get("executor")
    none_yet = loop._default_executor is None and not loop._executor_shutdown_called
    if executor is None and none_yet:
        loop._new_default_executor()
    clock = loop.clock
    if clock is None:
        return patched(*args, **kwargs)
    clock.hold()
    future = None
    try:
        future = patched(*args, **kwargs)
    finally:
        if asyncio.isfuture(future):
            future.add_done_callback(lambda _: clock.release())
        else:
            clock.release()
    return future


def _is_overridden(kind: type, name: str) -> bool:
    cls, value = _look_up(((cls, vars(cls)) for cls in kind.__mro__), name)
    return cls is not _core.Loop and not _is_asyncios_own(cls, value)


def notice(loop: EventLoop) -> None:
    _look_at_asyncio()
    kind = type(loop)
    over = {name for name in _TURN if _is_overridden(kind, name)}
    over_here = HOOKS & vars(loop).keys() if loop._hooked else set()
    over |= over_here - {"call_at"}
    if loop._selector is not None and "select" in vars(loop._selector):
        over.add("select")
    loop._asyncio_turns = bool(over - {"_run_once"})
    loop._turns_patched = bool(over)
    call_at_is_ours = "call_at" not in over_here and not _is_overridden(kind, "call_at")
    loop._asyncio_later = loop._asyncio_turns or not call_at_is_ours
