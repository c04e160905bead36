"""MicroPython's `ucollections`: Python's, with a deque that is bounded by its second argument."""

from __future__ import annotations

import collections as _collections
from collections import OrderedDict, namedtuple
from collections.abc import Iterable
from typing import Any

from . import forward

__all__ = ["OrderedDict", "deque", "namedtuple"]


class deque(_collections.deque[Any]):
    """At most `maxlen` items; with bit 0 of `flags` one too many is an IndexError."""

    def __init__(self, iterable: Iterable[Any] = (), maxlen: int | None = None, flags: int = 0):
        super().__init__(iterable, maxlen)
        self._checked = bool(flags & 1)

    def append(self, x: Any) -> None:
        if self._checked and len(self) == self.maxlen:
            raise IndexError("full")
        super().append(x)

    def appendleft(self, x: Any) -> None:
        if self._checked and len(self) == self.maxlen:
            raise IndexError("full")
        super().appendleft(x)


__getattr__ = forward.to(_collections)
