"""asyncio as programs of Python 3.5 know it, on today's Python.

What it gives back: `asyncio.Task.all_tasks()` and `.current_task()` (gone in
3.9), `@asyncio.coroutine` and generators as coroutines (gone in 3.11 and 3.12),
a current loop outside a running one (gone in 3.14), and
`concurrent.futures.CancelledError` as the class that a cancelled task raises
(two classes since 3.8).  `asyncio.run_in_executor` never existed, but tutorials
write it.  What it cannot give back: `except Exception` no longer catches a
cancel, because CancelledError is a BaseException since 3.8.  What it does not
give back yet is listed in docs/run.md.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import sys
import threading
import types
import warnings
from collections.abc import Callable, Generator
from typing import Any

from .patches import Patches

__all__ = ["Task", "coroutine", "install", "make_policy", "run_in_executor", "task_factory"]

_StandardTask: Any = asyncio.Task
_standard_iscoroutine = asyncio.iscoroutine
# What our blocking waits raise; install() binds another class to this name.
FutureCancelledError = concurrent.futures.CancelledError


@types.coroutine
def _delegate(generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return (yield from generator)


async def _as_coroutine(generator: Generator[Any, Any, Any]) -> Any:
    """A generator as the kind of coroutine that asyncio.Task takes (3.12 and later)."""
    return await _delegate(generator)


class _TaskType(type):
    """isinstance(x, asyncio.Task) also holds for tasks of the standard class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _StandardTask)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _StandardTask)


class Task(_StandardTask, metaclass=_TaskType):  # type: ignore[misc]
    """asyncio.Task with the class methods that Python 3.9 removed."""

    def __init__(self, coro: Any, **options: Any) -> None:
        if isinstance(coro, types.GeneratorType):
            coro = _as_coroutine(coro)
        super().__init__(coro, **options)

    def set_name(self, value: object) -> None:
        """Name the task; None, which 3.13.0 passes after a task factory, is no name."""
        if value is not None:
            super().set_name(value)

    @classmethod
    def all_tasks(cls, loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
        """Tasks of `loop` (default: the current loop) that are not done.

        Python 3.5 also listed done tasks that were still referenced.
        """
        return asyncio.all_tasks(asyncio.get_event_loop() if loop is None else loop)

    @classmethod
    def current_task(
        cls, loop: asyncio.AbstractEventLoop | None = None
    ) -> asyncio.Task[Any] | None:
        """The task that `loop` (default: the current loop) runs now, or None."""
        return asyncio.current_task(asyncio.get_event_loop() if loop is None else loop)


def task_factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Task:
    """For loop.set_task_factory()."""
    return Task(coro, loop=loop, **options)


def iscoroutine(obj: object) -> bool:
    """asyncio.iscoroutine of Python 3.5: a generator is a coroutine too."""
    return isinstance(obj, types.GeneratorType) or _standard_iscoroutine(obj)


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

    # The mark that asyncio.iscoroutinefunction() looks for.
    wrapper._is_coroutine = getattr(  # type: ignore[attr-defined]
        asyncio.coroutines, "_is_coroutine", None
    )
    return wrapper


def run_in_executor(
    executor: concurrent.futures.Executor | None, func: Callable[..., Any], *args: Any
) -> asyncio.Future[Any]:
    """loop.run_in_executor() of the current loop."""
    return asyncio.get_event_loop().run_in_executor(executor, func, *args)


def make_policy(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> Any:
    """A policy whose loops come from `loop_factory` and make tasks of class Task.

    In the main thread the current loop is made on demand, on every Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        base: Any = asyncio.DefaultEventLoopPolicy

    class LegacyEventLoopPolicy(base):  # type: ignore[misc]
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            loop = loop_factory()
            loop.set_task_factory(task_factory)
            return loop

        def get_event_loop(self) -> asyncio.AbstractEventLoop:
            on_main = threading.current_thread() is threading.main_thread()
            if self._local._loop is None and on_main:
                self.set_event_loop(self.new_event_loop())
            loop: asyncio.AbstractEventLoop = super().get_event_loop()
            return loop

    return LegacyEventLoopPolicy()


def _set_policy(policy: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(policy)


def install(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[], None]:
    """Give asyncio its old names, and loops of `loop_factory`; returns what undoes it."""
    patches = Patches()
    for module in (asyncio, asyncio.tasks):
        patches.set(module, "Task", Task)
    for module in (asyncio, asyncio.coroutines):
        patches.set(module, "iscoroutine", iscoroutine)
        patches.add(module, "coroutine", coroutine)
    patches.add(asyncio, "run_in_executor", run_in_executor)
    for module in (concurrent.futures, sys.modules["concurrent.futures._base"]):
        patches.set(module, "CancelledError", asyncio.CancelledError)
    _set_policy(make_policy(loop_factory))

    def uninstall() -> None:
        _set_policy(None)
        patches.undo()

    return uninstall
