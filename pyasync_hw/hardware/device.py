"""The life of a device: in the time of the loop that it is opened on; open until close()
or the end of its `with` block, and then closed for good.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, Self

from .. import _core

__all__ = ["BlockingLife", "ClosedOnError", "DeviceLife", "cancel_task", "use_running_loop"]


class _Closes(Protocol):
    def close(self) -> None: ...


class ClosedOnError:
    """A context for what follows an opening, while nobody else can close it yet.

    The exception's traceback would keep it open.
    """

    __slots__ = ("_opened",)

    def __init__(self, opened: _Closes) -> None:
        self._opened = opened

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._opened.close()


def use_running_loop(
    core: _core.LineRequest | _core.GPIOChip | _core.PWM | _core.SPIDevice | _core.I2CBus,
) -> None:
    """A device that is opened on a loop lives in that loop's time.

    Closes it when that fails; raises RuntimeError for a real device on a virtual clock.
    """
    with ClosedOnError(core):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a program without a loop
            return
        core.use_loop(loop)


def cancel_task(task: asyncio.Task[Any]) -> None:
    """Cancel what a device does on a loop; in any thread, also when that loop is closed."""
    loop = task.get_loop()
    try:
        here = asyncio.get_running_loop() is loop
    except RuntimeError:
        here = False
    if here:
        task.cancel()
        return
    with suppress(RuntimeError):  # closed: it does nothing any more
        loop.call_soon_threadsafe(task.cancel)


class BlockingLife:
    """One for `with`.

    It and what is made of it has slots: a setting that is misspelt is an AttributeError.
    """

    __slots__ = ("__weakref__",)

    if TYPE_CHECKING:  # no ABC: its metaclass would be that of every class made of a device

        def close(self) -> None:
            """Give back what it has; idempotent."""

        def _begin(self) -> None:
            """Before the block: raises ValueError when it is closed."""

    def __enter__(self) -> Self:
        with ClosedOnError(self):
            self._begin()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class DeviceLife(BlockingLife):
    """One for `with` and `async with`."""

    __slots__ = ()

    async def _begin_awaiting(self) -> None:
        """_begin(), on a loop."""
        self._begin()

    async def __aenter__(self) -> Self:
        with ClosedOnError(self):
            await self._begin_awaiting()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()
