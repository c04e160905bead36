"""What rewritten code calls, by names among the builtins."""

from __future__ import annotations

import builtins
import functools
import sys
import types
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Any

__all__ = ["BUILTINS", "drive", "give_builtins", "set_uyield", "uawait", "uyield"]

UYield = Callable[[Any], Awaitable[Any]]


def delegate(value: Any) -> Any:
    """What `yield from` of a plain generator delegates to: also to a coroutine."""
    kind = type(value)
    if kind is types.GeneratorType:
        return value
    if kind is types.CoroutineType:
        return value.__await__()
    if hasattr(kind, "__await__") and not hasattr(kind, "__iter__"):
        return value.__await__()
    return value


class LateIterator:
    """What an `__aiter__` that is a coroutine gives: an iterator when that has ended."""

    def __init__(self, coro: Any) -> None:
        self._coro: Any = coro
        self._iterator: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        coro, self._coro = self._coro, None
        if coro is not None:
            self._iterator = yield from delegate(coro)
        return self._iterator

    def __aiter__(self) -> LateIterator:
        return self

    async def __anext__(self) -> Any:
        if self._coro is not None:
            await self
        return await type(self._iterator).__anext__(self._iterator)


def late(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates an `__aiter__` that is a coroutine function."""

    @functools.wraps(function)
    def __aiter__(self: Any) -> LateIterator:
        return LateIterator(function(self))

    return __aiter__


@types.coroutine
def _raw(value: Any) -> Generator[Any, Any, Any]:
    return (yield value)


_uyield: UYield = _raw


def set_uyield(function: UYield | None) -> None:
    """`function(value)`, awaited, is what `yield value` in MicroPython's `async def` does.

    None: the value goes to whoever runs the coroutine, as on MicroPython.
    """
    global _uyield
    _uyield = _raw if function is None else function


def uyield(value: Any = None) -> Awaitable[Any]:
    """To be awaited: what set_uyield() says."""
    return _uyield(value)


@types.coroutine
def drive(generator: Iterator[Any]) -> Generator[Any, Any, Any]:
    """A generator of MicroPython as a coroutine: what it yields goes through uyield().

    What asyncio's tasks know, a future of theirs, goes to them as it is.
    """
    send = getattr(generator, "send", None)
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            if error is not None:
                thrown, error = error, None
                value = generator.throw(thrown)  # type: ignore[attr-defined]
            elif answer is None or send is None:
                value = next(generator)
            else:
                value = send(answer)
        except StopIteration as stop:
            return stop.value
        try:
            if getattr(value, "_asyncio_future_blocking", None) is not None:
                answer = yield value
            else:
                answer = yield from delegate(uyield(value))
        except BaseException as exc:
            if not hasattr(generator, "throw"):
                raise
            error = exc


def uawait(value: Any) -> Any:
    """What `await value` of MicroPython awaits: also generators, and what has an __iter__."""
    kind = type(value)
    if kind is types.GeneratorType:
        return drive(value)
    if not hasattr(kind, "__await__") and hasattr(kind, "__iter__"):
        return drive(iter(value))
    return value


def uimport(
    name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
) -> Any:
    """`__import__()` of MicroPython: None for its caller's names, True for a list of some."""
    if globals is None:
        globals = sys._getframe(1).f_globals
    return __import__(name, globals, locals, ("__name__",) if fromlist is True else fromlist, level)


BUILTINS: dict[str, Callable[..., Any]] = {
    "__delegate__": delegate,
    "__late_aiter__": late,
    "__uawait__": uawait,
    "__uimport__": uimport,
    "__uyield__": uyield,
}


def give_builtins() -> None:
    """Make the names that rewritten code calls known; a program that needs none has none."""
    vars(builtins).update(BUILTINS)
