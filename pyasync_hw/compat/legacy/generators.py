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
    if inspect.isgeneratorfunction(func):
        made: Callable[..., Any] = types.coroutine(func)
    else:

        @functools.wraps(func)
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            result = func(*args, **kwargs)
            if inspect.isawaitable(result) or inspect.isgenerator(result):
                result = yield from result  # type: ignore[misc]
            return result

        made = types.coroutine(call)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return made(*args, **kwargs)

    wrapper._is_coroutine = _MARK  # type: ignore[attr-defined]
    return wrapper


def install(patches: Patches) -> None:
    """asyncio.iscoroutine() of a generator is true, and Task takes it (up to 3.11)."""
    types_ = coroutines._COROUTINE_TYPES  # type: ignore[attr-defined]
    if types.GeneratorType not in types_:
        # Task's own list of what it has found to be one, in C, keeps it to the end.
        patches.set(coroutines, "_COROUTINE_TYPES", (*types_, types.GeneratorType))
        patches.set(coroutines, "_iscoroutine_typecache", set())
    for module in (asyncio, coroutines):
        patches.set(module, "iscoroutinefunction", iscoroutinefunction)
        patches.add(module, "coroutine", coroutine)
    patches.add(coroutines, "_is_coroutine", _MARK)
