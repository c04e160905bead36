"""The loop's poller, as the selector that inherited code expects."""

from __future__ import annotations

import selectors
import weakref
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Any

from . import patches

if TYPE_CHECKING:
    from .selector_map import SelectorMap

__all__ = ["PollerView"]


class PollerView(selectors.BaseSelector):
    """It is read by reprs of transports; registering goes through the loop's
    add_reader() and add_writer(), and closing through its close().
    """

    def __init__(self, loop: Any) -> None:
        self._loop = weakref.ref(loop)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        raise NotImplementedError("use loop.add_reader() or loop.add_writer()")

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        raise NotImplementedError("use loop.remove_reader() or loop.remove_writer()")

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """For turns that are not ours; native descriptors and timers are served meanwhile."""
        ready = []
        loop = self._loop()
        watched = self.get_map()
        for fd, events in loop._select(timeout) if loop is not None else ():
            # What has no descriptor is asyncio's self-pipe: that is what wakes its loop.
            key = watched.get(fd if fd >= 0 else loop._ssock)
            if key is not None:
                reading = selectors.EVENT_READ if events & ~EPOLLOUT else 0
                writing = selectors.EVENT_WRITE if events & ~EPOLLIN else 0
                ready.append((key, (reading | writing) & key.events))
        return ready

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self._look_at(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._look_at(name)

    def _look_at(self, name: str) -> None:
        loop = self._loop()
        if name == "select" and loop is not None:
            patches.notice(loop)

    def get_map(self) -> SelectorMap:
        from .selector_map import SelectorMap  # most programs never look

        return SelectorMap(self._loop)
