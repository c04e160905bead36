"""Iterators over the edges of a line, and the one way to wait for an edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Literal, NoReturn

from .. import _core
from .._core import EdgeEvent

__all__ = ["BlockingEdgeIterator", "Edge", "EdgeIterator", "edge_comes", "next_edge"]

Edge = Literal["rising", "falling", "both"]


async def next_edge(core: _core.LineRequest | _core.EdgeQueue, edge: Edge) -> EdgeEvent:
    """The oldest edge of that kind that `core` keeps, or the next one."""
    loop = asyncio.get_running_loop()
    while True:  # once, but on a loop whose futures somebody else ends
        found = core.next(loop, edge)
        if isinstance(found, EdgeEvent):
            return found
        try:
            await found
            event = core.collect(found)
        except BaseException:
            core.disarm(found)  # the edge that was kept for it goes on to the next
            raise
        if event is not None:
            return event


async def edge_comes(core: _core.LineRequest) -> None:
    """Until `core` keeps an edge, which stays where it is."""
    future = core.arm(asyncio.get_running_loop())
    try:
        await future
    finally:
        core.disarm(future)


class EdgeIterator(AsyncIterator[EdgeEvent]):
    """Every edge of a line, in order.  Made by Input.edges()."""

    def __init__(self, queue: _core.EdgeQueue) -> None:
        self._core = queue

    def __aiter__(self) -> EdgeIterator:
        return self

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "edges() is for `async for edge in line.edges()`; without a loop it is "
            "`for edge in line.blocking.edges()`"
        )

    async def __anext__(self) -> EdgeEvent:
        if self._core.closed:
            raise StopAsyncIteration
        try:
            return await next_edge(self._core, "both")
        except ValueError:
            if self._core.closed:  # by close(), while we waited
                raise StopAsyncIteration from None
            raise

    def close(self) -> None:
        """See no more edges; whoever waits gets StopAsyncIteration.  Idempotent."""
        self._core.close()

    async def aclose(self) -> None:
        """close(), as contextlib.aclosing() calls it."""
        self.close()


class BlockingEdgeIterator(Iterator[EdgeEvent]):
    """Every edge of a line, in order.  Made by Input.blocking.edges()."""

    def __init__(
        self,
        queue: _core.EdgeQueue,
        timeout: float | None,
        token: _core.CancelToken | None,
    ) -> None:
        self._core = queue
        self._timeout = timeout
        self._token = token

    def __iter__(self) -> BlockingEdgeIterator:
        return self

    def __aiter__(self) -> NoReturn:
        raise TypeError(
            "blocking.edges() is for `for edge in line.blocking.edges()`; on a loop it is "
            "`async for edge in line.edges()`"
        )

    def __next__(self) -> EdgeEvent:
        if self._core.closed:
            raise StopIteration
        try:
            return self._core.wait_edge_blocking("both", self._timeout, self._token)
        except ValueError:
            if self._core.closed:  # by close(), while we waited
                raise StopIteration from None
            raise

    def close(self) -> None:
        """See no more edges; whoever waits gets StopIteration.  Idempotent."""
        self._core.close()
