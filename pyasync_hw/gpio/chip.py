"""A GPIO chip: what its lines are, who takes and leaves them, and requests of its lines.

with gpio.Chip("pinctrl-bcm2835") as chip:
    print(chip.get_line_info("GPIO17").consumer)
    chip.watch_line_info(17)
    async for event in chip.info_events():
        print(event.event_type, event.line_info.consumer)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from .. import _core, hardware
from ..hardware.device import BlockingLife, DeviceLife
from .info import ChipInfo, InfoEvent, LineInfo, info_event, line_info
from .request import LineConfig, LineRequest

__all__ = ["BlockingChip", "Chip", "InfoEventIterator"]


class Chip(DeviceLife):
    """A chip, by path ("/dev/gpiochip0"), name ("gpiochip0") or label ("pinctrl-bcm2835").

    Its number differs from board to board; its label is what to name it by.  Lines are
    offsets on the chip, or names of lines.  Raises OSError with a remedy.
    """

    __slots__ = ("_backend", "_core")

    def __init__(self, path: str, *, board: hardware.Backend | None = None) -> None:
        if not isinstance(path, str):
            raise TypeError(f"a chip is a path, name or label, not {path!r}")
        backend = hardware.chosen(board, path)
        if not isinstance(backend, hardware.ChipBackend):
            raise TypeError(f"{backend.name} has no chips that can be looked at")
        self._backend = backend
        self._core = backend.open_chip(path)
        hardware.use_running_loop(self._core)

    @property
    def path(self) -> str:
        """Of the device file.  Raises ValueError when closed."""
        return self._core.path

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self._core.closed

    def fileno(self) -> int:
        """The descriptor; readable when there are info events."""
        return self._core.fileno()

    def close(self) -> None:
        """Idempotent.  Its requests live on; whoever waits for an event gets OSError (EBADF)."""
        self._core.close()

    def _begin(self) -> None:
        self._core.fileno()

    def get_info(self) -> ChipInfo:
        """The chip's name, label and number of lines."""
        return ChipInfo(*self._core.info())

    def line_offset_from_id(self, line: int | str) -> int:
        """The offset of a line: itself, or that of the line with this name.

        Raises ValueError when the chip has no such line.
        """
        if not isinstance(line, (int, str)):
            raise TypeError(f"a line is an offset or a name, not {line!r}")
        name, label, num_lines = self._core.info()
        if isinstance(line, int):
            if not 0 <= line < num_lines:
                raise ValueError(f"{name} has lines 0 to {num_lines - 1}, not {line}")
            return line
        for offset in range(num_lines):
            if line and self._core.line_info(offset)[1] == line:
                return offset
        raise ValueError(f"{name} ({label}) has no line called {line!r}")

    def get_line_info(self, line: int | str) -> LineInfo:
        """What the line is, and who has it."""
        return line_info(self._core.line_info(self.line_offset_from_id(line)))

    def watch_line_info(self, line: int | str) -> LineInfo:
        """The same, and have an event of each change from now on.

        Raises OSError (EBUSY) when the line is watched already.
        """
        return line_info(self._core.watch(self.line_offset_from_id(line)))

    def unwatch_line_info(self, line: int | str) -> None:
        """Have no more events of the line.  Raises OSError (EBUSY) when it was not watched."""
        self._core.unwatch(self.line_offset_from_id(line))

    async def next_info_event(self) -> InfoEvent:
        """The oldest event of a watched line that nobody has taken yet, or the next one.

        Each is given to one who waits.  The kernel keeps 32, and drops what comes then.
        """
        loop = asyncio.get_running_loop()
        while (event := self._core.take()) is None:
            future = self._core.arm(loop)
            try:
                await future
            finally:
                self._core.disarm(future)
        return info_event(event)

    def info_events(self) -> InfoEventIterator:
        """An asynchronous iterator that takes next_info_event() for ever."""
        return InfoEventIterator(self)

    def request_lines(
        self,
        config: LineConfig,
        consumer: str | None = "pyasync_hw",
        event_buffer_size: int | None = 0,
        output_values: Mapping[int | str, int] | None = None,
    ) -> LineRequest:
        """Request up to 64 lines at once; see request_lines() of the package."""
        self._begin()
        return LineRequest(
            self._backend, self.path, config, consumer, event_buffer_size, output_values
        )

    @property
    def blocking(self) -> BlockingChip:
        """The same for programs without a loop: blocks the thread, not the GIL."""
        return BlockingChip(self)

    def __repr__(self) -> str:
        return f"<Chip {'closed' if self.closed else self.path}>"


class InfoEventIterator(AsyncIterator[InfoEvent]):
    """Made by Chip.info_events(); at an end once the chip is closed.

    Whoever waits at that moment gets OSError (EBADF), as everywhere.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip = chip

    async def __anext__(self) -> InfoEvent:
        if self._chip.closed:
            raise StopAsyncIteration
        return await self._chip.next_info_event()


class BlockingChip(BlockingLife):
    """A Chip whose waits block.  Made by Chip.blocking."""

    __slots__ = ("_chip",)

    def __init__(self, chip: Chip) -> None:
        self._chip = chip

    def close(self) -> None:
        """See Chip.close()."""
        self._chip.close()

    def _begin(self) -> None:
        self._chip._begin()

    def next_info_event(
        self, timeout: float | None = None, token: _core.CancelToken | None = None
    ) -> InfoEvent:
        """As Chip.next_info_event(), blocking this thread.

        Raises TimeoutError after `timeout` seconds, concurrent.futures.CancelledError when
        `token` is cancelled.
        """
        return info_event(self._chip._core.take_blocking(timeout, token))

    def __repr__(self) -> str:
        return f"<BlockingChip of {self._chip!r}>"
