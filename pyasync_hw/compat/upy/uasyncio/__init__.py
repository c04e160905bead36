"""MicroPython's `uasyncio` on the loop of this package: the API of 2016, and today's.

Files are its own modules: core, event, funcs, lock, queues, stream, synchro, udp; and
calls.py, which has what a coroutine may yield, and polling.py, how streams are waited for.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ...source import set_uyield
from .. import forward
from . import core, queues, synchro, udp
from .core import (
    CancelledError,
    EventLoop,
    IORead,
    IOReadDone,
    IOWrite,
    IOWriteDone,
    Loop,
    Sleep,
    SleepMs,
    StopLoop,
    SysCall,
    SysCall1,
    Task,
    TimeoutError,
    cancel,
    coroutine,
    create_task,
    current_task,
    ensure_future,
    get_event_loop,
    new_event_loop,
    run,
    run_until_complete,
    sleep,
    sleep_ms,
    ticks,
    ticks_add,
    ticks_diff,
    uyield,
)
from .event import Event, ThreadSafeFlag
from .funcs import gather, wait_for, wait_for_ms
from .lock import Lock
from .stream import Server, Stream, StreamReader, StreamWriter, open_connection, start_server

__all__ = [
    "CancelledError",
    "Event",
    "EventLoop",
    "IORead",
    "IOReadDone",
    "IOWrite",
    "IOWriteDone",
    "Lock",
    "Loop",
    "Server",
    "Sleep",
    "SleepMs",
    "StopLoop",
    "Stream",
    "StreamReader",
    "StreamWriter",
    "SysCall",
    "SysCall1",
    "Task",
    "ThreadSafeFlag",
    "TimeoutError",
    "cancel",
    "core",
    "coroutine",
    "create_task",
    "current_task",
    "ensure_future",
    "gather",
    "get_event_loop",
    "new_event_loop",
    "open_connection",
    "queues",
    "run",
    "run_until_complete",
    "set_debug",
    "sleep",
    "sleep_ms",
    "start_server",
    "synchro",
    "ticks",
    "ticks_add",
    "ticks_diff",
    "udp",
    "uyield",
    "wait_for",
    "wait_for_ms",
]

set_uyield(uyield)  # what a `yield` that was rewritten in a program's `async def` does

__version__ = (3, 0, 0)
PollEventLoop = EpollEventLoop = core.EventLoop
DEBUG = 0


__getattr__ = forward.to(asyncio)


def set_debug(val: Any) -> None:
    """Log what the loop does: asyncio's debug mode."""
    core._native().set_debug(bool(val))
