"""How verbs reach the chip: awaiting on a loop, or blocking in a thread.

Every verb of a reader or tag is written once, as a coroutine over a port:

    async with port:                               # nobody else uses the chip
        atqa = await port.run(core.start_request, False)

On an `AwaitingPort` run() waits on the running loop.  On a `BlockingPort` it
blocks without the GIL and never suspends, so finish() runs the verb to its end.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as BlockingCancelledError
from typing import Any, Protocol, TypeVar

from .. import _core
from ..errors import TagTimeoutError
from .chip import Chip

__all__ = ["AwaitingPort", "BlockingPort", "Port", "finish"]

_T = TypeVar("_T")


class Port(Protocol):
    """What a verb may do: hold the chip, and run operations on it."""

    chip: Chip

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def run(
        self, start: Callable[..., None], *args: Any, tag: bytes | None = None
    ) -> Any: ...


class AwaitingPort:
    """Operations on the running event loop."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip

    async def __aenter__(self) -> AwaitingPort:
        chip = self.chip
        chip.notice_fork()
        chip.check_open()
        await chip.lock.acquire()
        if chip.closed:
            chip.lock.release()
            text = f"{os.strerror(errno.EBADF)}; it was closed while it was waited for"
            raise OSError(errno.EBADF, text, chip.name)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.chip.lock.release()

    async def run(self, start: Callable[..., None], *args: Any, tag: bytes | None = None) -> Any:
        core = self.chip.core
        loop = asyncio.get_running_loop()
        start(*args)
        while (outcome := core.take()) is None:
            wakeup = core.arm(loop)
            if wakeup is not None:
                try:
                    await wakeup
                finally:
                    core.disarm(wakeup)
        return self.chip.unwrap(outcome, tag)


class BlockingPort:
    """Operations in the calling thread; timeout in seconds, token cancels."""

    def __init__(
        self,
        chip: Chip,
        timeout: float | None = None,
        token: _core.CancelToken | None = None,
    ) -> None:
        self.chip = chip
        self._timeout = timeout
        self._token = token

    async def __aenter__(self) -> BlockingPort:
        chip = self.chip
        chip.notice_fork()
        if isinstance(self._token, _core.CancelToken) and self._token.cancelled():
            raise BlockingCancelledError(f"{chip.name}: the wait was cancelled")
        chip.check_open()
        if not chip.thread_lock.acquire(self._timeout, self._token):
            raise TagTimeoutError(
                f"{chip.name}: another thread used it for {self._timeout} seconds; "
                "end its wait by blocking.cancel()"
            )
        chip.stops.append(_core.CancelToken())
        if chip.closed:  # looked at now: from here on close() cancels us
            self._leave()
            raise BlockingCancelledError(f"{chip.name}: it was closed while it was waited for")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self.chip.stops.pop()
        self.chip.thread_lock.release()

    async def run(self, start: Callable[..., None], *args: Any, tag: bytes | None = None) -> Any:
        core = self.chip.core
        if self.chip.blocks:  # in a signal handler, which would take away the outcome
            raise RuntimeError(f"{self.chip.name} is busy: one operation at a time")
        self.chip.blocks = True
        try:
            start(*args)
            core.run(self._timeout, self._token, self.chip.stops[-1])
            outcome = core.take()
        except TimeoutError:
            raise TagTimeoutError(
                f"{self.chip.name}: nothing came within {self._timeout} seconds"
            ) from None
        finally:
            self.chip.blocks = False
        assert outcome is not None  # run() returns when it is over
        return self.chip.unwrap(outcome, tag)


def as_bytes(name: str, value: bytes) -> bytes:
    """bytes(value), but for a number, of which bytes() would make so many zeros."""
    if not isinstance(value, (int, str)):
        try:
            return bytes(value)
        except TypeError:
            pass
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    raise TypeError(f"{name} must be bytes, not {value!r}")


def finish(verb: Coroutine[Any, Any, _T]) -> _T:
    """The result of a verb on a BlockingPort."""
    try:
        verb.send(None)
    except StopIteration as stop:
        result: _T = stop.value
        return result
    verb.close()
    raise RuntimeError("a verb of a blocking port has awaited something")
