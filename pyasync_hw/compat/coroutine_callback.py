"""A coroutine function as callback of an edge: RPi.GPIO calls it, and nobody awaits it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from .service import report

__all__ = ["as_called"]


def as_called(callback: Callable[[int], Any]) -> Callable[[int], Any]:
    """For the service thread: it has a coroutine function run as a task of the running loop.

    Any other callback is itself, as is one that is given while no loop runs here: which
    one is to run it, nobody knows, and Python warns that it was never awaited.
    """
    if not inspect.iscoroutinefunction(callback):
        return callback
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return callback
    tasks: set[asyncio.Task[Any]] = set()  # a loop does not keep them

    def end(task: asyncio.Task[Any]) -> None:
        tasks.discard(task)
        if task.cancelled() or not isinstance(task.exception(), Exception):
            return  # what is no Exception comes out of the loop
        try:
            task.result()
        except Exception as exc:
            report(exc)

    def begin(channel: int) -> None:
        task = loop.create_task(callback(channel))
        tasks.add(task)
        task.add_done_callback(end)

    def call(channel: int) -> None:
        loop.call_soon_threadsafe(begin, channel)

    return call
