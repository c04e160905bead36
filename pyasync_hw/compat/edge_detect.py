"""What RPi.GPIO keeps of a channel whose edges were asked for, with and without callbacks."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Callable

from .._core import CancelToken, EdgeEvent
from ..gpio import Edge
from .edge_order import read_in_order
from .gpio_channel import Channel
from .legacy.cancelled import FutureCancelledError
from .service import report, service

__all__ = ["Watch"]

Callback = Callable[[int], object]


class _Wait:
    """One thread in wait_for_edge()."""

    def __init__(
        self,
        edge: Edge,
        bounce_ms: int | None,
        timeout_ms: int | None,
        now_ns: Callable[[], int],
    ) -> None:
        self.edge = edge
        self.bounce_ms = bounce_ms
        self._now_ns = now_ns
        self.since_ns = now_ns()
        self.until_ns = None if timeout_ms is None else self.since_ns + timeout_ms * 1_000_000
        self.found = False
        self.thread = threading.get_ident()
        self.stir = CancelToken()  # cancelled when there is something to look at
        self.line: Channel | None = None  # of its own, if the service thread waits

    def left(self) -> float | None:
        """Seconds; None: no timeout."""
        return None if self.until_ns is None else (self.until_ns - self._now_ns()) / 1e9


class Watch:
    """The edges of one channel: for callbacks, for event_detected(), for wait_for_edge().

    With add_event_detect(), a task of the service thread reads the line and gives each edge
    to all of them; without, the threads that wait do.  `bounce_ms` is RPi.GPIO's: after an
    edge that counted, whoever it counted for, others are ignored for that long.
    """

    def __init__(
        self,
        channel: int,
        edge: Edge,
        bounce_ms: int | None,
        line: Channel,
        before: Watch | None = None,
    ) -> None:
        """`before`: the one of this line that was stopped, and may not have left it yet."""
        self.edge = edge
        self.bounce_ms = bounce_ms
        self.callbacks: list[Callback] = []
        self._channel = channel
        self._now_ns = line.now_ns  # the time of its own board, whichever is current
        self._since_ns: int | None = None  # of the edges that count; None: no detection
        self._happened = False
        self._last_ns: int | None = None
        self._waits: list[_Wait] = []
        # Those that read the line themselves, which they cannot while the service does.
        self._blocked: set[_Wait] = set() if before is None else before._blocked
        self._line: Channel | None = line  # None: stopped, or it failed
        self._failure: Exception | None = None  # of the line
        self._unserved = [True]  # popped when the service thread begins to read: once
        self._end_reading: Callable[[], threading.Event] | None = None
        self._unread = threading.Event()

    @property
    def _served(self) -> bool:
        return not self._unserved

    def begin(self, before: Watch | None) -> None:
        """This one is that of its line, from now on."""
        if before is not None and before._served and not before._unread.is_set():
            self._start_reading()

    @property
    def detecting(self) -> bool:
        """Whether add_event_detect() was called, not only wait_for_edge()."""
        return self._since_ns is not None

    def detect(self) -> None:
        """From now on edges make event_detected() true, and callbacks run."""
        self._since_ns = self._now_ns()
        self._start_reading()

    def _start_reading(self) -> None:
        line = self._line
        if line is None:
            return
        try:
            self._unserved.pop()
        except IndexError:  # somebody else was faster, maybe a signal handler
            return
        self._stir_waits()
        self._end_reading = service.spawn(self._read(line))
        if self._line is None:  # stopped meanwhile
            self._unread = self._end_reading()

    def stop(self) -> None:
        """No callback starts any more, and who waits for an edge is told that none comes.

        This does not wait for a callback that runs: it may wait for a lock of the caller's.
        """
        self._since_ns = None
        self.callbacks.clear()
        self._line = None
        self._stir_waits()
        if self._end_reading is not None:
            self._unread = self._end_reading()

    def join(self, seconds: float) -> None:
        """After stop(): until others than this thread have left the line."""
        end, mine = time.monotonic() + seconds, threading.get_ident()
        while any(wait.thread != mine for wait in list(self._blocked)):
            if time.monotonic() > end:
                return
            time.sleep(0.001)
        if self._end_reading is not None and not service.is_current_thread:
            self._unread.wait(max(0.0, end - time.monotonic()))

    def take_happened(self) -> bool:
        """Whether an edge came since the last call."""
        happened, self._happened = self._happened, False
        return happened

    def wait(self, edge: Edge, bounce_ms: int | None, timeout_ms: int | None) -> bool:
        """Block for an edge; False: `timeout_ms` went by.  Signal handlers run meanwhile.

        Raises RuntimeError when the line is taken away.
        """
        line = self._line
        if line is not None and not line.closed and not self._served and not self._waits:
            line.clear()
        wait = _Wait(edge, bounce_ms, timeout_ms, self._now_ns)
        self._waits.append(wait)
        try:
            while not wait.found:
                wait.stir = CancelToken()
                line, left = self._line, wait.left()
                if line is None:
                    raise RuntimeError("Error waiting for edge") from self._failure
                if wait.found or (left is not None and left <= 0):
                    break
                self._block(line, wait, left)
        finally:
            self._waits.remove(wait)
            if wait.line is not None:
                wait.line.close()
        return wait.found

    def _block(self, line: Channel, wait: _Wait, left: float | None) -> None:
        """Until an edge, the time or wait.stir."""
        self._blocked.add(wait)
        try:
            if not self._served:
                self._deliver(line.block_for_edge(left, wait.stir))
                return
            if service.is_current_thread:  # a callback, until whose end nobody reads the line
                wait.line = wait.line or line.another_user()
                event = wait.line.block_for_edge(left, wait.stir)
                wait.found = self._counts(event, wait.edge, wait.bounce_ms, wait.since_ns)
                return
        except (TimeoutError, FutureCancelledError):
            return
        except (OSError, ValueError) as exc:
            self._fail(line, exc)
            return
        finally:
            self._blocked.discard(wait)
        wait.stir.wait(left)

    async def _read(self, line: Channel) -> None:
        while self._blocked:  # they were told to leave the line to us
            await asyncio.sleep(0.001)
        try:
            await read_in_order(line, self._deliver, lambda: self._line is line)
        except (OSError, ValueError) as exc:
            self._fail(line, exc)

    def _fail(self, line: Channel, exc: Exception) -> None:
        if self._line is not line:  # taken away and closed meanwhile
            return
        if self.detecting:
            traceback.print_exc()
        self._line, self._failure = None, exc.with_traceback(None)
        self._stir_waits()

    def _stir_waits(self) -> None:
        for wait in list(self._waits):
            wait.stir.cancel()

    def _counts(self, event: EdgeEvent, edge: Edge, bounce_ms: int | None, since_ns: int) -> bool:
        now = event.timestamp_ns
        if edge not in ("both", event.event_type) or now < since_ns:
            return False
        if bounce_ms is None or self._last_ns is None:
            return True
        return not 0 <= now - self._last_ns <= bounce_ms * 1_000_000

    def _deliver(self, event: EdgeEvent) -> None:
        detected = self._since_ns is not None and self._counts(
            event, self.edge, self.bounce_ms, self._since_ns
        )
        served = [
            wait
            for wait in list(self._waits)
            if self._counts(event, wait.edge, wait.bounce_ms, wait.since_ns)
        ]
        if not detected and not served:
            return
        self._last_ns = event.timestamp_ns
        for wait in served:
            wait.found = True
            wait.stir.cancel()
        if not detected:
            return
        self._happened = True
        if self.callbacks:
            service.call(self._call_back)

    def _call_back(self) -> None:
        for callback in list(self.callbacks):
            if callback not in self.callbacks:  # removed, perhaps by the one before
                return
            try:
                callback(self._channel)
            except BaseException as exc:
                report(exc)
