"""asyncio.Future and Task by classes of ours; Task with what it had up to Python 3.8."""

from __future__ import annotations

import asyncio
from typing import Any

from ..patches import Patches
from .stand_in import standing_for

__all__ = ["Future", "Task", "install"]

_StandardFuture: Any = asyncio.Future
_StandardTask: Any = asyncio.Task


class Future(_StandardFuture, metaclass=standing_for(_StandardFuture)):  # type: ignore[metaclass, misc]
    __doc__ = _StandardFuture.__doc__


class Task(_StandardTask, metaclass=standing_for(_StandardTask)):  # type: ignore[metaclass, misc]
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
    Future.__module__, Future.__qualname__ = "asyncio", "Future"
    patches.set(asyncio, "Future", Future)
    Task.__module__, Task.__qualname__ = "asyncio", "Task"
    for module in (asyncio, asyncio.tasks):
        patches.set(module, "Task", Task)
