"""loop.run_in_executor() with an executor that is not ours."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from .. import _core
from .._core import VirtualClock

__all__ = ["run_in_foreign_executor"]

T = TypeVar("T")


class _Holds:
    """How jobs in thread pools that are not ours hold a virtual clock.

    As jobs of ours (csrc/exec/job.c): of those that are queued, as many as there are threads for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: weakref.WeakKeyDictionary[
            concurrent.futures.Executor, dict[VirtualClock, int]
        ] = weakref.WeakKeyDictionary()

    def begin(self, executor: concurrent.futures.Executor, clock: VirtualClock) -> None:
        if not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            clock.hold()
            return
        with self._lock:
            jobs = self._jobs.setdefault(executor, {})
            jobs[clock] = jobs.get(clock, 0) + 1
            if jobs[clock] <= executor._max_workers:
                clock.hold()

    def end(self, executor: concurrent.futures.Executor, clock: VirtualClock) -> None:
        if not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            clock.release()
            return
        with self._lock:
            jobs = self._jobs[executor]
            jobs[clock] -= 1
            if jobs[clock] < executor._max_workers:
                clock.release()
            if jobs[clock] == 0:
                del jobs[clock]

    def after_fork(self) -> None:
        self.__init__()  # type: ignore[misc] # no job of the parent ends here


_holds = _Holds()
os.register_at_fork(after_in_child=_holds.after_fork)


def run_in_foreign_executor(
    loop: _core.Loop, executor: concurrent.futures.Executor, func: Callable[..., T], *args: Any
) -> asyncio.Future[T]:
    """loop.run_in_executor() with an executor that is not ours: as asyncio does it."""
    clock = loop.clock
    if clock is None:
        return asyncio.wrap_future(executor.submit(func, *args), loop=loop)  # type: ignore[arg-type]
    _holds.begin(executor, clock)
    try:
        job = executor.submit(func, *args)
    except BaseException:
        _holds.end(executor, clock)
        raise
    future = asyncio.wrap_future(job, loop=loop)  # type: ignore[arg-type]
    # Released after the result was posted, so that nobody jumps in between.
    job.add_done_callback(lambda _: _holds.end(executor, clock))
    return future
