"""Whose turn it is on a bus: tasks, threads and readers, in the order in which they came."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from .. import _core

__all__ = ["hold", "hold_blocking", "send"]


async def _wait(message: _core.BusMessage, turn: asyncio.Future[None]) -> None:
    await turn
    message.check()


async def send(message: _core.BusMessage) -> list[bytes]:
    """A message in its turn: on the loop, or if it takes longer by the loop's executor."""
    loop = asyncio.get_running_loop()
    try:
        turn = message.enter(loop)
        if turn is not None:
            await _wait(message, turn)
        if not message.is_long:
            return message.send()
        return await loop.run_in_executor(None, message.send)
    finally:
        message.leave()


@contextlib.asynccontextmanager
async def hold(core: _core.SPIDevice | _core.I2CBus) -> AsyncIterator[None]:
    """The bus for the task that asks, which may ask again."""
    message = core.hold()
    try:
        turn = message.enter(asyncio.get_running_loop())
        if turn is not None:
            await _wait(message, turn)
        yield
    finally:
        message.leave()


@contextlib.contextmanager
def hold_blocking(core: _core.SPIDevice | _core.I2CBus) -> Iterator[None]:
    """The bus for the thread that asks, which may ask again."""
    message = core.hold()
    try:
        message.block()
        yield
    finally:
        message.leave()
