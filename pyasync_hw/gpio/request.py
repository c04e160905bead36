"""Up to 64 lines of a chip in one request: values at once, edges in one order.

with gpio.request_lines(
    "pinctrl-bcm2835",
    {(17, 27): gpio.LineSettings(direction="input", edge_detection="both")},
) as request:
    async for event in request.events():
        print(event.line_offset, event.event_type)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from .. import _core, hardware
from .._core import EdgeEvent
from ..hardware import LineSettings
from ..hardware.backend import level
from ..hardware.device import BlockingLife, ClosedOnError, DeviceLife
from .edges import BlockingEdgeIterator, EdgeIterator, edge_comes, next_edge

__all__ = ["BlockingLineRequest", "LineConfig", "LineRequest", "request_lines"]

LineConfig = Mapping[int | str | tuple[int | str, ...], LineSettings | None]
"""Settings by line, or by several: offsets or names.  None: as they are."""


def _by_line(config: LineConfig) -> Iterator[tuple[int | str, LineSettings]]:
    if not isinstance(config, Mapping):
        raise TypeError(f"config is a mapping of lines to their LineSettings, not {config!r}")
    for lines, settings in config.items():
        one = LineSettings() if settings is None else LineSettings.like(settings)
        for line in lines if isinstance(lines, tuple) else (lines,):
            yield line, one


def _level(line: int | str, value: object) -> bool:
    return level(value, f"the value of line {line!r}")


class LineRequest(DeviceLife):
    """Requested lines of one chip.  Made by Chip.request_lines() or request_lines().

    A line is named as it was requested, or by its offset.  Values are 0 or 1, logical
    (after active_low).
    """

    __slots__ = ("_core", "_index", "_settings", "lines")

    def __init__(
        self,
        backend: hardware.Backend,
        chip: str,
        config: LineConfig,
        consumer: str | None,
        event_buffer_size: int | None,
        output_values: Mapping[int | str, int] | None,
    ) -> None:
        wanted: dict[int | str, LineSettings] = {}
        for line, settings in _by_line(config):
            if line in wanted:
                raise ValueError(f"line {line!r} is given twice")
            wanted[line] = settings
        for line, value in (output_values or {}).items():
            if line not in wanted:
                raise ValueError(f"output_values has line {line!r}, which is not requested")
            wanted[line] = replace(
                wanted[line], direction="output", output_value=_level(line, value)
            )
        self._settings = list(wanted.values())
        self.lines = tuple(wanted)
        """The lines as they were requested, in that order."""
        if consumer is None:
            consumer = "pyasync_hw"
        elif not isinstance(consumer, str):
            raise TypeError(f"consumer must be a str or None, not {consumer!r}")
        buffer_size = 0 if event_buffer_size is None else event_buffer_size
        self._core = backend.request_lines(
            wanted, consumer, chip=chip, event_buffer_size=buffer_size
        )
        self._index: dict[int | str, int] = {}
        with ClosedOnError(self._core):
            for i, (line, offset) in enumerate(zip(self.lines, self._core.offsets, strict=True)):
                self._index[line] = self._index[offset] = i
        hardware.use_running_loop(self._core)

    # Values and settings.

    def get_value(self, line: int | str) -> int:
        """The line's value."""
        bit = 1 << self._at(line)
        return int(self._core.get(bit) != 0)

    def get_values(self, lines: Iterable[int | str] | None = None) -> list[int]:
        """The values of those lines (None: of all), read at one time."""
        at = range(len(self.lines)) if lines is None else [self._at(line) for line in lines]
        mask = sum({1 << i for i in at})
        bits = self._core.get(mask) if mask else 0
        return [bits >> i & 1 for i in at]

    def set_value(self, line: int | str, value: int) -> None:
        """Set an output.  Raises PermissionError for an input."""
        self.set_values({line: value})

    def set_values(self, values: Mapping[int | str, int]) -> None:
        """Set outputs, all at one time.  Raises PermissionError when one is an input."""
        bits = {self._at(line): _level(line, value) for line, value in values.items()}
        if not bits:
            return
        self._core.set(sum(1 << i for i in bits), sum(1 << i for i, on in bits.items() if on))
        for i, on in bits.items():
            self._settings[i] = replace(self._settings[i], output_value=on)

    def reconfigure_lines(self, config: LineConfig) -> None:
        """New settings for these lines; the others keep theirs, outputs their values."""
        # All of them go to the kernel: what it is not told of, older ones set back.
        settings = list(self._settings)
        for line, one in _by_line(config):
            settings[self._at(line)] = one
        self._core.config(settings)
        self._settings = settings

    def _at(self, line: int | str) -> int:
        try:
            return self._index[line]
        except KeyError:
            known = ", ".join(map(repr, self.lines))
            raise ValueError(f"line {line!r} is not requested here; these are: {known}") from None

    # Edges.

    async def next_event(self) -> EdgeEvent:
        """The oldest edge of any line that nobody has taken yet, or the next one.

        Several waiters are served first in, first out.  `dropped` counts lost edges of all
        lines, `value` is that of the event's line: get_values() tells the others'.  Raises
        OSError: EBADF when the request is released meanwhile, ENODEV when the chip is
        unplugged.
        """
        return await next_edge(self._core, "both")

    def events(self, maxlen: int = 1024) -> EdgeIterator:
        """An asynchronous iterator over every edge from now on; see Input.edges()."""
        return EdgeIterator(self._core.edge_queue(maxlen))

    async def wait_edge_events(self) -> None:
        """Until there are edges for read_edge_events()."""
        await edge_comes(self._core)

    def read_edge_events(self, max_events: int | None = None) -> list[EdgeEvent]:
        """The edges that are there, at most so many; does not wait, and may be empty."""
        events: list[EdgeEvent] = []
        while max_events is None or len(events) < max_events:
            event = self._core.take()
            if event is None:
                break
            events.append(event)
        return events

    def clear(self) -> None:
        """Forget the edges that nobody has taken."""
        self._core.clear()

    # What it is.

    @property
    def chip_name(self) -> str:
        """The name of the chip.  This and what follows: ValueError when released."""
        return self._core.chip_name

    @property
    def num_lines(self) -> int:
        """How many lines were requested."""
        return self._core.num_lines

    @property
    def offsets(self) -> tuple[int, ...]:
        """Their offsets on the chip."""
        return self._core.offsets

    @property
    def consumer(self) -> str:
        """Who requested them."""
        return self._core.consumer

    def fileno(self) -> int:
        """The descriptor; readable when there are edges."""
        return self._core.fileno()

    @property
    def closed(self) -> bool:
        """True after release()."""
        return self._core.closed

    def release(self) -> None:
        """Give the lines back; idempotent.  Whoever waits for an edge gets OSError (EBADF)."""
        self._core.close()

    def close(self) -> None:
        """release()."""
        self.release()

    def _begin(self) -> None:
        self._core.fileno()

    @property
    def blocking(self) -> BlockingLineRequest:
        """The same for programs without a loop: blocks the thread, not the GIL."""
        return BlockingLineRequest(self)

    def __repr__(self) -> str:
        state = "released" if self.closed else f"of {self.chip_name}"
        return f"<LineRequest {', '.join(map(repr, self.lines))} {state}>"


class BlockingLineRequest(BlockingLife):
    """A LineRequest whose waits block.  Not together with awaiting on a loop."""

    __slots__ = ("_request",)

    def __init__(self, request: LineRequest) -> None:
        self._request = request

    def close(self) -> None:
        """See LineRequest.release()."""
        self._request.release()

    def _begin(self) -> None:
        self._request._begin()

    def next_event(
        self, timeout: float | None = None, token: _core.CancelToken | None = None
    ) -> EdgeEvent:
        """As LineRequest.next_event(), blocking this thread.

        Raises TimeoutError after `timeout` seconds, concurrent.futures.CancelledError when
        `token` is cancelled.
        """
        return self._request._core.wait_edge_blocking("both", timeout, token)

    def events(
        self,
        maxlen: int = 1024,
        timeout: float | None = None,
        token: _core.CancelToken | None = None,
    ) -> BlockingEdgeIterator:
        """An iterator over every edge from now on; see Input.blocking.edges()."""
        return BlockingEdgeIterator(self._request._core.edge_queue(maxlen), timeout, token)

    def wait_edge_events(
        self, timeout: float | None = None, token: _core.CancelToken | None = None
    ) -> bool:
        """Until there are edges for read_edge_events(): True; False after `timeout` seconds."""
        try:
            self._request._core.wait_edge_blocking("both", timeout, token, take=False)
        except TimeoutError:
            return False
        return True

    def read_edge_events(
        self,
        max_events: int | None = None,
        timeout: float | None = None,
        token: _core.CancelToken | None = None,
    ) -> list[EdgeEvent]:
        """At least one edge, and all that are there then, at most `max_events`."""
        if max_events is not None and max_events < 1:
            raise ValueError(f"max_events must be at least 1, not {max_events}")
        first = self.next_event(timeout, token)
        rest = None if max_events is None else max_events - 1
        return [first, *self._request.read_edge_events(rest)]

    def __repr__(self) -> str:
        return f"<BlockingLineRequest of {self._request!r}>"


def request_lines(
    path: str,
    config: LineConfig,
    consumer: str | None = "pyasync_hw",
    event_buffer_size: int | None = 0,
    output_values: Mapping[int | str, int] | None = None,
    *,
    board: hardware.Backend | None = None,
) -> LineRequest:
    """Request up to 64 lines of a chip (path, name or label), by offset or line name.

    `output_values`: lines that become outputs with that value.  `event_buffer_size`: edges
    that the kernel keeps while nobody reads them, 0: 16 per line.  Raises OSError with a
    remedy (EBUSY: who has a line), ValueError for settings that do not go together.
    """
    backend = hardware.chosen(board, path)
    return LineRequest(backend, path, config, consumer, event_buffer_size, output_values)
