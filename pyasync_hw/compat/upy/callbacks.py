"""Where callbacks of pins and timers run: where MicroPython has them, beside the program.

If the main thread runs a loop, that loop calls them, so they may do to it whatever they
like; else the service thread does, one after the other.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ...loop import EventLoop
from ..service import report, service

__all__ = ["arm", "call_now", "call_soon", "disarm", "irq_lock", "stay"]

irq_lock = threading.RLock()  # machine.disable_irq() has it
_armed: set[object] = set()  # what may still call back
_changed = threading.Event()


def _main_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that the main thread runs now."""
    main = threading.main_thread().ident
    frame = None if main is None else sys._current_frames().get(main)
    while frame is not None:
        if frame.f_code is EventLoop.run_forever.__code__:
            loop: asyncio.AbstractEventLoop = frame.f_locals["self"]
            return loop
        frame = frame.f_back
    return None


def _call(function: Callable[[Any], object], argument: object) -> None:
    with irq_lock:
        try:
            function(argument)
        except BaseException as exc:
            report(exc)


def _in_main_loop(function: Callable[[Any], object], argument: object) -> bool:
    loop = _main_loop()
    if loop is None:
        return False
    try:
        loop.call_soon_threadsafe(_call, function, argument)
    except RuntimeError:  # closed meanwhile
        return False
    return True


def call_now(function: Callable[[Any], object], argument: object) -> None:
    """From the service thread, while no loop runs there: call it, or have the main loop do so."""
    if not _in_main_loop(function, argument):
        _call(function, argument)


async def _hand_over(function: Callable[[Any], object], argument: object) -> None:
    service.call(partial(call_now, function, argument))


def call_soon(function: Callable[[Any], object], argument: object) -> None:
    """From any thread: have it called, soon."""
    if not _in_main_loop(function, argument):
        service.spawn(_hand_over(function, argument))


def arm(source: object) -> None:
    """It may call back from now on."""
    _armed.add(source)


def disarm(source: object) -> None:
    """It does so no more; idempotent."""
    _armed.discard(source)
    _changed.set()


def stay() -> None:
    """When the program has ended: wait until nothing may call back any more, as a board does."""
    if _armed:
        print(
            "pyasync_hw: the program has ended; its timers and pins go on calling back",
            file=sys.stderr,
            flush=True,
        )
    while _armed:
        _changed.wait()
        _changed.clear()
