"""Where callbacks of pins and timers run: where MicroPython has them, beside the program.

If the main thread runs a loop, that loop calls them, so they may do to it whatever they
like; else the service thread does, one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from ....loop import EventLoop
from ...service import report, service

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
            return frame.f_locals.get("self")  # None: it has just returned
        frame = frame.f_back
    return None


def _call(function: Callable[[Any], object], argument: object) -> None:
    with irq_lock:
        try:
            function(argument)
        except BaseException as exc:
            report(exc)


class _Handed:
    """What the main thread's loop was given to call.

    A loop that ends calls nothing any more: then the next one does, or the service thread.
    """

    _LOOK_S = 0.05

    def __init__(self) -> None:
        self._calls: deque[tuple[Callable[[Any], object], object]] = deque()
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None  # that has them
        self._is_watched = False

    def give(self, loop: asyncio.AbstractEventLoop, *call: Any) -> None:
        """Have `call`, a function and its argument, called there."""
        self._calls.append(call)
        self._give(loop, 1)
        if not self._is_watched:
            self._is_watched = True
            service.spawn(self._watch())

    def _give(self, loop: asyncio.AbstractEventLoop, times: int) -> None:
        self._loop = weakref.ref(loop)
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            for _ in range(times):
                loop.call_soon_threadsafe(self._call_next)

    def _call_next(self) -> None:
        try:
            call = self._calls.popleft()
        except IndexError:  # they were called elsewhere
            return
        _call(*call)

    def call_all(self) -> None:
        """Call what is left of a loop that has ended."""
        while self._calls:
            self._call_next()

    async def _watch(self) -> None:
        try:
            while self._calls:
                await asyncio.sleep(self._LOOK_S)
                loop = _main_loop()
                if loop is None:
                    service.call(self.call_all)
                elif self._loop is None or self._loop() is not loop:
                    self._give(loop, len(self._calls))
        finally:
            self._is_watched = False


_handed = _Handed()


def call_now(function: Callable[[Any], object], argument: object) -> None:
    """From the service thread, while no loop runs there: call it, or have the main loop do so."""
    loop = _main_loop()
    if loop is not None:
        _handed.give(loop, function, argument)
    else:
        _handed.call_all()
        _call(function, argument)


async def _hand_over(function: Callable[[Any], object], argument: object) -> None:
    service.call(partial(call_now, function, argument))


def call_soon(function: Callable[[Any], object], argument: object) -> None:
    """From any thread: have it called, soon."""
    loop = _main_loop()
    if loop is not None:
        _handed.give(loop, function, argument)
    else:
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
