"""Who tells the parts of a board what has happened, in a thread: the core's news."""

from __future__ import annotations

import os
import select
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from .part import Part, PartLine

if TYPE_CHECKING:
    from ..board import Board

__all__ = ["Teller"]

PATIENCE_S = 5.0
LEVEL, DRIVEN, TIME = range(3)  # kinds of news: sim/watch.h
UNDRIVEN = -1
HINT = f"code of a part must not wait; after {PATIENCE_S:g} s the program goes on without it"


class Teller:
    """The thread, and whom it tells what.  It ends with the board, closed or forgotten."""

    def __init__(self, board: Board) -> None:
        self._watchers: dict[int, list[tuple[Part, PartLine]]] = {}
        self._calls: dict[int, tuple[Callable[..., object], tuple[object, ...]]] = {}
        self._number = 0
        self._lock = threading.Lock()
        self._called: Callable[..., object] | None = None  # whose code runs
        start: Future[None] = Future()
        # Weak: the board's end, which wakes the thread, is when nobody has it any more.
        self._thread = threading.Thread(
            target=_run,
            args=(weakref.ref(board), weakref.ref(self), start),
            name=f"parts of {board.name}",
            daemon=True,
        )
        self._thread.start()
        start.result()

    def watch(self, board: Board, part: Part, line: PartLine) -> None:
        """From now on the part is told of the line's levels."""
        with self._lock:
            known = self._watchers.get(line.offset, [])
            self._watchers[line.offset] = [*known, (part, line)]
        if type(part).on_level is not Part.on_level:
            board._world.watch(line.offset)
        if type(part).on_driven is not Part.on_driven:
            board._world.watch_drivers(line.offset)

    def forget(self, part: Part) -> None:
        """It is told nothing more."""
        with self._lock:
            for offset, known in list(self._watchers.items()):
                self._watchers[offset] = [pair for pair in known if pair[0] is not part]

    def call_at(
        self,
        board: Board,
        time: float,
        callback: Callable[..., object],
        *args: object,
        after: int = -1,
    ) -> None:
        """Call it then, or so long after the first request of the line `after`."""
        with self._lock:
            self._number += 1
            number = self._number
            self._calls[number] = (callback, args)
        board._world.call_at(number, time, after)

    def tell(self, board: Board, kind: int, line: int, value: int, when: float) -> None:
        """One piece of news."""
        if kind == TIME:
            callback, args = self._calls.pop(value)
            self._call(board, callback, *args)
            return
        for part, pin in self._watchers.get(line, []):
            if kind == LEVEL:
                self._call(board, part.on_level, pin, value, when)
            else:
                driven = None if value == UNDRIVEN else value
                self._call(board, part.on_driven, pin, driven, when)

    def _call(self, board: Board, callback: Callable[..., object], *args: object) -> None:
        self._called = callback
        began = time.monotonic()
        board._world.tell(callback, *args)
        self._called = None
        took = time.monotonic() - began
        if took > PATIENCE_S:
            board._world.tell(_warn, f"{callback!r} took {took:.1f} s: {HINT}")

    def is_here(self) -> bool:
        """Is this the thread?"""
        return self._thread is threading.current_thread()

    def join(self) -> None:
        """The board is closed: wait for the thread's end, unless this is it."""
        if self.is_here():
            return
        self._thread.join(PATIENCE_S)
        called = self._called
        if called is not None and self._thread.is_alive():
            _warn(f"{called!r} does not return: {HINT}")


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def _open(ref: weakref.ref[Board]) -> int:
    board = ref()
    if board is None:
        raise ReferenceError("the board is gone")
    return os.dup(board._world.open_watch())  # it outlives the board by a moment


def _run(ref: weakref.ref[Board], told: weakref.ref[Teller], start: Future[None]) -> None:
    try:
        fd = _open(ref)
    except BaseException as exc:
        start.set_exception(exc)
        return
    news = select.poll()
    news.register(fd, select.POLLIN)
    start.set_result(None)
    try:
        while _tell_all(ref, told):
            news.poll()
    finally:
        os.close(fd)


def _tell_all(ref: weakref.ref[Board], told: weakref.ref[Teller]) -> bool:
    """All that there is to tell.  False: the board is closed or gone."""
    board, teller = ref(), told()
    if board is None or teller is None or board.closed:
        return False
    for kind, line, value, when in board._world.news():
        try:
            teller.tell(board, kind, line, value, when)
        finally:
            board._world.told(1)
    return True
