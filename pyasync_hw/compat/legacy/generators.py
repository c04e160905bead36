"""Generators as coroutines: @asyncio.coroutine (gone in 3.11), and what takes either."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
from asyncio import coroutines
from collections.abc import Callable, Generator
from typing import Any

from ..patches import Patches
from .coro_wrapper import CoroWrapper

__all__ = ["as_coroutine", "coroutine", "install", "iscoroutinefunction", "mark"]

# The mark of a function whose result is a coroutine; asyncio's own up to Python 3.15.
_MARK: Any = getattr(coroutines, "_is_coroutine", None) or object()


@types.coroutine
def _delegate(generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return (yield from generator)


async def as_coroutine(generator: Generator[Any, Any, Any]) -> Any:
    """A generator as what can be awaited."""
    return await _delegate(generator)


def iscoroutinefunction(func: object) -> bool:
    """asyncio.iscoroutinefunction(): also what @asyncio.coroutine has decorated."""
    return inspect.iscoroutinefunction(func) or getattr(func, "_is_coroutine", None) is _MARK


def mark(func: Any) -> Any:
    """Let `func`, which returns coroutines, count as a coroutine function; returns it."""
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(func)
    func._is_coroutine = _MARK
    return func


def coroutine(func: Callable[..., Any]) -> Callable[..., Any]:
    """asyncio.coroutine: lets a generator function `yield from` coroutines.

    A function that is no generator becomes one, and what it returns is awaited
    if it can be.
    """
    if inspect.iscoroutinefunction(func):
        return func
    made: Any
    if inspect.isgeneratorfunction(func):
        made = types.coroutine(func)
    else:

        @functools.wraps(func)
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            result = func(*args, **kwargs)
            if inspect.isawaitable(result) or inspect.isgenerator(result):
                result = yield from result  # type: ignore[misc]
            return result

        made = types.coroutine(call)
    if coroutines._is_debug_mode():  # type: ignore[attr-defined]
        made = _watched(made)
    made._is_coroutine = _MARK
    return made  # type: ignore[no-any-return]


def _watched(made: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(made)
    def wrapper(*args: Any, **kwargs: Any) -> CoroWrapper:
        return CoroWrapper(made(*args, **kwargs), made)

    return wrapper


def install(patches: Patches) -> None:
    """asyncio.iscoroutine() of a generator is true, and Task takes it (up to 3.11)."""
    kinds = (*coroutines._COROUTINE_TYPES, types.GeneratorType, CoroWrapper)  # type: ignore[attr-defined]
    patches.set(coroutines, "_COROUTINE_TYPES", kinds)
    # Task's own such list, in C, keeps to the end what it has found to be one.
    patches.set(coroutines, "_iscoroutine_typecache", set())
    for module in (asyncio, coroutines):
        patches.set(module, "iscoroutinefunction", iscoroutinefunction)
        patches.add(module, "coroutine", coroutine)
    patches.add(coroutines, "_is_coroutine", _MARK)
    patches.add(coroutines, "CoroWrapper", CoroWrapper)
