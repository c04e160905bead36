"""Event loops of a program's own, written before there were contexts (3.7).

asyncio's futures and tasks, in C, say call_soon(callback, argument, context=...).  Where a
loop's call_soon() does not take that, its class gets one that does: the callback then runs
in the context, and with the loop as the running one, which such loops don't say either.
What newer asyncio asks of a loop besides, and this one has not, it gets, too.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from asyncio import events
from asyncio.log import logger
from collections.abc import Callable
from contextvars import Context
from types import FunctionType
from typing import Any

from ..patches import Patches

__all__ = ["adapt", "install"]

_known: set[type] = {type(None)}
# Method -> where its callback is among the arguments.
_SCHEDULING = {"call_soon": 0, "call_soon_threadsafe": 0, "call_later": 1, "call_at": 1}


def _run(loop: Any, context: Context | None, callback: Callable[..., object], *args: Any) -> None:
    before = events._get_running_loop()
    if before is not loop:
        events._set_running_loop(loop)
    try:
        if context is None:
            callback(*args)
        else:
            context.run(callback, *args)
    finally:
        if before is not loop:
            events._set_running_loop(before)


def _takes_context(func: FunctionType) -> bool:
    code = func.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return "context" in names or bool(code.co_flags & inspect.CO_VARKEYWORDS)


def _taking_context(original: Any, place: int) -> Any:
    @functools.wraps(original)
    def schedule(self: Any, *args: Any, context: Context | None = None) -> Any:
        if context is None:
            return original(self, *args)
        callback = functools.partial(_run, self, context, args[place])
        return original(self, *args[:place], callback, *args[place + 1 :])

    return schedule


def _get_debug(self: Any) -> bool:
    return False


def _create_future(self: Any) -> Any:
    return asyncio.Future(loop=self)


def _create_task(self: Any, coro: Any, **options: Any) -> Any:
    return asyncio.Task(coro, loop=self, **options)


def _call_exception_handler(self: Any, context: dict[str, Any]) -> None:
    logger.error(context["message"], exc_info=context.get("exception"))


_ASKED_OF_A_LOOP = {
    "get_debug": _get_debug,
    "create_future": _create_future,
    "create_task": _create_task,
    "call_exception_handler": _call_exception_handler,
}


def adapt(cls: type) -> None:
    """Let futures and tasks use loops of this class; once per class."""
    if cls in _known:
        return
    _known.add(cls)
    own = [base for base in cls.__mro__ if not base.__module__.startswith("asyncio.")]
    for base in own[: own.index(object)]:
        for name, place in _SCHEDULING.items():
            method = vars(base).get(name)
            if isinstance(method, FunctionType) and not _takes_context(method):
                setattr(base, name, _taking_context(method, place))
    if hasattr(cls, "__getattr__"):  # a proxy: it asks another loop
        return
    for name, method in _ASKED_OF_A_LOOP.items():
        if getattr(cls, name, None) in (None, getattr(asyncio.AbstractEventLoop, name)):
            setattr(cls, name, method)


def _init_subclass(cls: Any, /, **options: Any) -> None:
    super(asyncio.AbstractEventLoop, cls).__init_subclass__(**options)
    adapt(cls)


def install(patches: Patches) -> None:
    """Loops that derive from asyncio's are seen when their class is made, others by Future()."""
    patches.set(asyncio.AbstractEventLoop, "__init_subclass__", classmethod(_init_subclass))
