"""run() and install(): the ways to put the loop under a program."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any, TypeVar

from .._core import VirtualClock
from . import new_event_loop

__all__ = ["install", "run"]

T = TypeVar("T")


def run(
    main: Coroutine[Any, Any, T],
    *,
    debug: bool | None = None,
    clock: VirtualClock | None = None,
) -> T:
    """asyncio.run(), on an EventLoop of this package.

    clock: a VirtualClock to run on (see EventLoop).
    A coroutine that could not be begun is closed, so nothing warns that it was never
    awaited beside the exception that says why.
    """
    try:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("asyncio.run() cannot be called from a running event loop")
        with asyncio.Runner(debug=debug, loop_factory=lambda: new_event_loop(clock)) as runner:
            return runner.run(main)
    finally:
        if inspect.iscoroutine(main) and inspect.getcoroutinestate(main) == inspect.CORO_CREATED:
            main.close()


def install() -> None:
    """Make this package's loop the default of the process.

    As event loop policy where Python has policies (up to 3.15); later Pythons
    take loop_factory=pyasync_hw.new_event_loop instead.
    """
    from .policy import EventLoopPolicy

    asyncio.set_event_loop_policy(EventLoopPolicy())


# As in hardware/__init__.py.
for _public in (install, run):
    _public.__module__ = "pyasync_hw"
