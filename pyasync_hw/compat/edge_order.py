"""Edges of several lines, told one after the other in the order of their time stamps.

A loop hears of lines in the order in which it looks at them: of an edge that came to one
while it read another, too late.  So before one is told, all lines are looked at of which no
edge is known, and then the earliest is the next.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable
from weakref import WeakKeyDictionary

from .._core import EdgeEvent
from .gpio_channel import Channel
from .service import report, service

__all__ = ["read_in_order"]

Tell = Callable[[EdgeEvent], None]


class _Reading:
    """A line, and those of its edges that were taken and are not told."""

    def __init__(self, line: Channel, tell: Tell, wanted: Callable[[], bool]) -> None:
        self.line = line
        self.tell = tell
        self.wanted = wanted
        self.edges: list[EdgeEvent] = []  # in order
        self.all_told = asyncio.Event()

    def take(self, event: EdgeEvent) -> None:
        """One that was being waited for may be known later than the one behind it."""
        bisect.insort(self.edges, event, key=lambda one: (one.timestamp_ns, one.line_seqno))

    def look(self) -> None:
        """Take an edge, if none is known; one that is being waited for comes by itself."""
        if self.edges or not self.wanted():
            return
        try:
            event = self.line.take_edge()
        except (OSError, ValueError):  # who waits for it hears of it
            return
        if event is not None:
            self.take(event)


class _Order:
    """The lines that are read by one loop, that of the service thread."""

    def __init__(self) -> None:
        self._readings: list[_Reading] = []
        self._telling = False

    async def read(self, line: Channel, tell: Tell, wanted: Callable[[], bool]) -> None:
        """See read_in_order()."""
        reading = _Reading(line, tell, wanted)
        self._readings.append(reading)
        try:
            while wanted():
                reading.take(await line.next_edge())
                if not self._telling:
                    self._telling = True
                    service.spawn(self._tell_all())
                reading.all_told.clear()
                await reading.all_told.wait()
        finally:
            self._readings.remove(reading)

    async def _tell_all(self) -> None:
        told = asyncio.Event()
        try:
            while True:
                for reading in self._readings:
                    reading.look()
                await asyncio.sleep(0)  # edges that were being waited for are known now
                if not any(reading.edges for reading in self._readings):
                    break
                told.clear()
                service.call(lambda: self._tell_first(told))
                await told.wait()
        finally:
            self._telling = False

    def _tell_first(self, told: asyncio.Event) -> None:
        known = [reading for reading in self._readings if reading.edges]
        try:
            if known:  # else it was of a line that is not read any more
                first = min(known, key=lambda reading: reading.edges[0].timestamp_ns)
                event = first.edges.pop(0)
                if not first.edges:
                    first.all_told.set()
                first.tell(event)
        except BaseException as exc:
            report(exc)
        finally:
            told.set()


_orders: WeakKeyDictionary[asyncio.AbstractEventLoop, _Order] = WeakKeyDictionary()


async def read_in_order(line: Channel, tell: Tell, wanted: Callable[[], bool]) -> None:
    """In the service thread: have `tell` called there with each edge of a line, while no loop runs.

    Until it is cancelled, or no edge is wanted any more: then they stay for others.  Raises
    what the line does: OSError, and ValueError when it was closed.
    """
    await _orders.setdefault(asyncio.get_running_loop(), _Order()).read(line, tell, wanted)
