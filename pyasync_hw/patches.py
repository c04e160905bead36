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
from asyncio import selector_events
from types import FunctionType
from typing import TYPE_CHECKING, Any

from . import _core

if TYPE_CHECKING:
    from .loop import EventLoop

__all__ = ["Patches", "notice"]

_ASYNCIO = [(cls, vars(cls)) for cls in asyncio.SelectorEventLoop.__mro__[:-1]]

# What a turn is made of; and who of ours goes around what asyncio's own method calls.
_TURN = ("_run_once", "time", "_process_events", "_add_callback")
_GOES_AROUND = {"call_at": {"call_later"}, "_call_soon": {"call_soon", "call_soon_threadsafe"}}
HOOKS = frozenset((*_TURN, "call_at"))

# Where our poller is another than theirs.
_POLLER = {"_add_reader", "_add_writer", "_remove_reader", "_remove_writer", "_write_to_self"}


class Patches:
    """What somebody has put over asyncio's own methods: it comes before ours."""

    __slots__ = ()


def _in_asyncio(name: str) -> tuple[type, Any]:
    for cls, namespace in _ASYNCIO:
        if name in namespace:
            return cls, namespace[name]
    return object, None


def _is_asyncios_own(cls: type, value: Any) -> bool:
    if value is None:
        return True
    module = sys.modules[cls.__module__]
    return isinstance(value, FunctionType) and value.__globals__ is vars(module)


_REPLACED = [
    name
    for name in (*vars(_core.Loop), "_call_soon", "run_forever")
    if not name.startswith("__") and callable(_in_asyncio(name)[1]) and name not in _POLLER
]


def _look_at_asyncio() -> None:
    """Put before ours what is patched now, and take away what no longer is."""
    current = {name: _in_asyncio(name) for name in _REPLACED}
    patched = {name for name, found in current.items() if not _is_asyncios_own(*found)}
    around = set().union(*(_GOES_AROUND.get(name, set()) for name in patched))
    for name, (_, value) in current.items():
        before = vars(Patches).get(name)
        if name not in patched | around:
            if before is not None:
                with contextlib.suppress(AttributeError):  # another thread's loop was first
                    delattr(Patches, name)
        elif getattr(before, "__wrapped_patch__", before) is not value:
            setattr(Patches, name, _through_our_executor(value) if "executor" in name else value)


def _through_our_executor(patched: Any) -> Any:
    """run_in_executor(): asyncio's would make a pool of its own, and let a virtual clock run."""

    @functools.wraps(patched)
    def run_in_executor(self: EventLoop, executor: Any, func: Any, *args: Any) -> Any:
        none_yet = self._default_executor is None and not self._executor_shutdown_called
        if executor is None and none_yet:
            self._new_default_executor()
        call = patched.__get__(self, type(self))
        clock = self.clock
        if clock is None:
            return call(executor, func, *args)
        clock.hold()
        future = None
        try:
            future = call(executor, func, *args)
        finally:
            if asyncio.isfuture(future):
                future.add_done_callback(lambda _: clock.release())
            else:
                clock.release()
        return future

    run_in_executor.__wrapped_patch__ = patched  # type: ignore[attr-defined]
    return run_in_executor


def _is_overridden(kind: type, name: str) -> bool:
    if name in vars(_core.Loop):
        return getattr(kind, name) is not vars(_core.Loop)[name]
    return not _is_asyncios_own(selector_events.BaseSelectorEventLoop, getattr(kind, name))


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
