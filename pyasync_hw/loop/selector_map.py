"""What the loop's poller watches, as the map of a selector."""

from __future__ import annotations

import selectors
import weakref
from collections.abc import Iterator, Mapping
from select import EPOLLIN, EPOLLOUT
from typing import Any

__all__ = ["SelectorMap"]


class SelectorMap(Mapping[Any, selectors.SelectorKey]):
    """What is watched, by descriptor: the `get_map()` of a selector."""

    def __init__(self, loop: weakref.ref[Any]) -> None:
        self._loop = loop

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:
        loop = self._loop()
        watched = loop._registered(fileobj) if loop is not None else None
        if watched is None:
            raise KeyError(f"{fileobj!r} is not registered")
        registered, fd, events, reader, writer = watched
        mask = (selectors.EVENT_READ if events & EPOLLIN else 0) | (
            selectors.EVENT_WRITE if events & EPOLLOUT else 0
        )
        return selectors.SelectorKey(registered, fd, mask, (reader, writer))

    def __iter__(self) -> Iterator[int]:
        loop = self._loop()
        return iter(loop._registered_fds() if loop is not None else ())

    def __len__(self) -> int:
        return sum(1 for _ in self)
