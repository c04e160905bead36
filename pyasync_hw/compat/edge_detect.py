"""What RPi.GPIO keeps of a channel whose edges were asked for, with and without callbacks."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

from .. import hardware
from .._core import CancelToken, EdgeEvent
from ..gpio import Edge, Input
from .service import service

__all__ = ["Reading", "Watch"]

Callback = Callable[[int], object]
Reading = Callable[[], threading.Event]


def _now_ns() -> int:
    """Now, on the clock of the time stamps."""
    clock = getattr(hardware.current(), "clock", None)
    return time.monotonic_ns() if clock is None else clock.time_ns()


class _Wait:
    """One thread in wait_for_edge()."""

    def __init__(self, edge: Edge, bounce_ms: int | None) -> None:
        self.edge = edge
        self.bounce_ms = bounce_ms
        self.since_ns = _now_ns()
        self.found = False
        self.over = CancelToken()


class Watch:
    """The edges of one channel: for callbacks, for event_detected(), for wait_for_edge().

    One task of the service thread reads the line and gives each edge to all of them.
    `bounce_ms` is RPi.GPIO's: after an edge that counted, whoever it counted for, others
    are ignored for that long.  It outlives its line, which setup() may take and give.
    """

    def __init__(self, channel: int, edge: Edge, bounce_ms: int | None, line: Input) -> None:
        self.edge = edge
        self.bounce_ms = bounce_ms
        self.callbacks: list[Callback] = []
        self._channel = channel
        self._since_ns: int | None = None  # of the edges that count; None: no detection
        self._happened = False
        self._last_ns: int | None = None
        self._waits: list[_Wait] = []
        self._line: Input | None = line  # that is read; None: detached
        self._failure: Exception | None = None  # of the line
        self._reading: Reading | None = None

    @property
    def detecting(self) -> bool:
        """Whether add_event_detect() was called, not only wait_for_edge()."""
        return self._since_ns is not None

    def detect(self) -> None:
        """From now on edges make event_detected() true, and callbacks run."""
        self._since_ns = _now_ns()

    def attach(self, line: Input) -> Reading:
        """Read the edges of `line`, those from now on; a new one starts so, too.

        The line may be closed when the reading has ended: it returns what ends it, and
        gives an event that is set then.
        """
        line.clear()
        self._line = line
        self._reading = service.spawn(self._serve(line))
        return self._reading

    def detach(self) -> None:
        """Read no more edges; who waits for one is told so.

        It does not wait for a callback that runs: it may wait for a lock that the caller has.
        """
        self._line = None
        self._end_waits()
        if self._reading is not None:
            self._reading()

    def stop(self) -> None:
        """detach(), and no callback starts any more."""
        self._since_ns = None
        self.callbacks.clear()
        self.detach()

    def take_happened(self) -> bool:
        """Whether an edge came since the last call."""
        happened, self._happened = self._happened, False
        return happened

    def wait(self, edge: Edge, bounce_ms: int | None, timeout_ms: int | None) -> bool:
        """Block for an edge; False: `timeout_ms` went by.  Signal handlers run meanwhile.

        Raises RuntimeError when the line is taken away.
        """
        wait = _Wait(edge, bounce_ms)
        self._waits.append(wait)
        try:
            if self._line is not None:
                wait.over.wait(None if timeout_ms is None else timeout_ms / 1e3)
        finally:
            self._waits.remove(wait)
        if wait.found:
            return True
        if self._line is None or wait.over.cancelled():
            raise RuntimeError("Error waiting for edge") from self._failure
        return False

    async def _serve(self, line: Input) -> None:
        try:
            while self._line is line:
                self._deliver(await line.wait_for_edge())
        except (OSError, ValueError) as exc:
            if self._line is not line:  # taken away and closed while a callback ran
                return
            if self.detecting:
                traceback.print_exc()
            self._line, self._failure = None, exc.with_traceback(None)
            self._end_waits()

    def _end_waits(self) -> None:
        for wait in list(self._waits):
            wait.over.cancel()

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
            wait.over.cancel()
        if not detected:
            return
        self._happened = True
        for callback in list(self.callbacks):
            if callback not in self.callbacks:  # removed by the one before
                return
            try:
                callback(self._channel)
            except BaseException:  # SystemExit too: it belongs to the program's thread
                traceback.print_exc()
