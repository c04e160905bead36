"""The loop's poller, as the selector that inherited code expects, and its map."""

from __future__ import annotations

import selectors
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from . import patches

__all__ = ["PollerView"]

_EPOLLIN, _EPOLLOUT = 1, 4


class _SelectorMap(Mapping[Any, selectors.SelectorKey]):
    """What is watched, by descriptor: the `get_map()` of a selector."""

    def __init__(self, loop: weakref.ref[Any]) -> None:
        self._loop = loop

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:
        loop = self._loop()
        watched = loop._registered(fileobj) if loop is not None else None
        if watched is None:
            raise KeyError(f"{fileobj!r} is not registered")
        registered, fd, events, reader, writer = watched
        mask = (selectors.EVENT_READ if events & _EPOLLIN else 0) | (
            selectors.EVENT_WRITE if events & _EPOLLOUT else 0
        )
        return selectors.SelectorKey(registered, fd, mask, (reader, writer))

    def __iter__(self) -> Iterator[int]:
        loop = self._loop()
        return iter(loop._registered_fds() if loop is not None else ())

    def __len__(self) -> int:
        return sum(1 for _ in self)


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
                reading = selectors.EVENT_READ if events & ~_EPOLLOUT else 0
                writing = selectors.EVENT_WRITE if events & ~_EPOLLIN else 0
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

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return _SelectorMap(self._loop)
