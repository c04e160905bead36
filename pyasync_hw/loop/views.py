"""`loop._ready` and `loop._scheduled`: live views of what the loop has.

asyncio has a deque and a list, kept by heapq, and so programs find them here: with handles
in them, and what they do to them is done.  The C half is csrc/loop/ready_view.c and lent_timers.c.
"""

from __future__ import annotations

import operator
import weakref
from asyncio import base_events
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from .. import _core

if TYPE_CHECKING:
    from . import EventLoop

__all__ = ["Ready", "Scheduled", "refuse"]

_call_at = base_events.BaseEventLoop.call_at.__code__


class Ready:
    """The handles that are ready, first in, first out: a deque's methods."""

    __slots__ = ("_loop",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop

    def __repr__(self) -> str:
        return repr(deque(self._loop._ready_list()))

    def __len__(self) -> int:
        return self._loop._ready_count()

    def __eq__(self, other: object) -> bool:
        theirs = deque(other._loop._ready_list()) if isinstance(other, Ready) else other
        return deque(self._loop._ready_list()) == theirs

    def append(self, handle: Any) -> None:
        _core.Loop._add_callback(self._loop, handle)  # asyncio's comes here

    def popleft(self) -> Any:
        return self._loop._ready_popleft()


def _reading(name: str) -> Callable[..., Any]:
    def method(self: Ready, *args: Any) -> Any:
        return getattr(deque(self._loop._ready_list()), name)(*args)

    method.__name__ = name
    return method


def _writing(name: str) -> Callable[..., Any]:
    def method(self: Ready, *args: Any) -> Any:
        before = self._loop._ready_list()
        handles = deque(before)
        result = getattr(handles, name)(*args)  # may schedule more
        self._loop._ready_replace(before, handles)
        return result if result is not handles else self

    method.__name__ = name
    return method


for _name in ("__contains__", "__copy__", "__getitem__", "__iter__", "__reversed__",
              "copy", "count", "index"):  # fmt: skip
    setattr(Ready, _name, _reading(_name))
for _name in ("__delitem__", "__iadd__", "__setitem__", "appendleft", "clear", "extend",
              "extendleft", "insert", "pop", "remove", "reverse", "rotate"):  # fmt: skip
    setattr(Ready, _name, _writing(_name))


_when = operator.attrgetter("_when")  # runs no Python: a list that is sorted looks empty


class Scheduled(list[Any]):
    """The timers, smallest first: a list that has what the loop has whenever it is asked.

    What heapq or anybody else does to it holds from the loop's next turn on.
    """

    __slots__ = ("_loop",)
    __hash__ = None

    def __init__(self, loop: EventLoop) -> None:
        super().__init__()
        self._loop = weakref.ref(loop)

    def __copy__(self) -> list[Any]:
        return self.copy()

    def fetch(self) -> None:
        """All that have been set since."""
        loop = self._loop()
        if loop is None:
            return
        before = list.__len__(self)
        if loop._lend_timers(self, True) and before:
            list.sort(self, key=_when)

    def fetch_for(self, caller: Any) -> None:
        """asyncio's call_at() adds one and looks at nothing: it need not have the others."""
        loop = self._loop()
        if loop is not None and caller is _call_at:
            loop._lend_timers(self, False)
        else:
            self.fetch()


def _fetching(name: str) -> Callable[..., Any]:
    of_list = getattr(list, name)

    def method(self: Scheduled, *args: Any, **kwargs: Any) -> Any:
        self.fetch()
        return of_list(self, *args, **kwargs)

    method.__name__ = name
    return method


for _name in ("__add__", "__contains__", "__delitem__", "__eq__", "__getitem__", "__iadd__",
              "__iter__", "__len__", "__mul__", "__ne__", "__repr__", "__reversed__",
              "__setitem__", "append", "clear", "copy", "count", "extend", "index",
              "insert", "pop", "remove", "reverse", "sort"):  # fmt: skip
    setattr(Scheduled, _name, _fetching(_name))


def refuse(name: str, value: object, kind: type) -> NoReturn:
    """What is assigned to `loop._ready` and `loop._scheduled` and cannot be."""
    raise TypeError(
        f"loop.{name} cannot be another container than the loop's own, which takes over "
        f"what a {kind.__name__} holds; not {type(value).__name__}"
    )
