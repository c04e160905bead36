"""asyncio.Task with what it had up to Python 3.8."""

from __future__ import annotations

import asyncio
from abc import ABCMeta
from typing import Any

from ..patches import Patches
from .toy_loops import adapt

__all__ = ["Task", "install"]

_StandardTask: Any = asyncio.Task


class _TaskType(ABCMeta):  # what a program derives from it may be an ABC, too
    """Makes tasks of the standard class, and counts them as its own.

    Tasks of a class that derives from it cost half as much again.
    """

    def __call__(cls, *args: Any, **options: Any) -> Any:
        if "loop" in options:
            adapt(type(options["loop"]))
        if cls is Task:
            return _StandardTask(*args, **options)
        return super().__call__(*args, **options)

    def __instancecheck__(cls, instance: object) -> bool:
        if cls is Task:
            return isinstance(instance, _StandardTask)
        return super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if cls is Task:
            return issubclass(subclass, _StandardTask)
        return super().__subclasscheck__(subclass)


class Task(_StandardTask, metaclass=_TaskType):  # type: ignore[misc]
    """asyncio.Task with the class methods that Python 3.9 removed."""

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


def install(patches: Patches) -> None:
    """Loops make their tasks by this name, too."""
    Task.__module__, Task.__qualname__ = "asyncio", "Task"
    for module in (asyncio, asyncio.tasks):
        patches.set(module, "Task", Task)
