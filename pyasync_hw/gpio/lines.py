"""Input and Output: one line each."""

from __future__ import annotations

import os
import warnings
import weakref
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

from .. import _core, hardware
from .._core import EdgeEvent
from ..hardware import LineSettings
from ..hardware.backend import level
from ..hardware.device import BlockingLife, ClosedOnError, DeviceLife
from .edges import BlockingEdgeIterator, Edge, EdgeIterator, next_edge

__all__ = ["Bias", "BlockingInput", "Drive", "Input", "Line", "Output"]

Bias = Literal["as_is", "disabled", "pull_up", "pull_down"]
Drive = Literal["push_pull", "open_drain", "open_source"]

EDGES_MAX = 65536
DEBOUNCE_USUAL_S = 5  # more is meant to be milliseconds, as RPi.GPIO's is


class Line(DeviceLife):
    """One requested line: what Input and Output have in common."""

    __slots__ = ("_backend", "_chip", "_core", "_settings", "spec")

    _core: _core.LineRequest

    def __init__(
        self,
        spec: int | str,
        settings: LineSettings,
        chip: str | None,
        board: hardware.Backend | None,
        consumer: str,
        event_buffer_size: int = 0,
    ) -> None:
        if not isinstance(spec, (int, str)):
            raise TypeError(f"a pin is a GPIO number or a name such as 'GPIO17', not {spec!r}")
        if chip is not None and not isinstance(chip, str):
            raise TypeError(f"a chip is a path, name or label, not {chip!r}")
        if not isinstance(consumer, str):
            raise TypeError(f"consumer must be a str, not {consumer!r}")
        backend = hardware.chosen(board, chip)
        self.spec = spec
        self._backend, self._chip = backend, chip
        self._settings = settings
        self._core = backend.request_lines(
            {spec: settings}, consumer, chip=chip, event_buffer_size=event_buffer_size
        )
        hardware.use_running_loop(self._core)

    @property
    def value(self) -> int:
        """The logical value, 0 or 1 (after active_low)."""
        return self._core.get(1)

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self._core.closed

    @property
    def line_offset(self) -> int:
        """The line's offset on its chip.  Raises ValueError when closed."""
        return self._core.offsets[0]

    def fileno(self) -> int:
        """The descriptor; readable when there are edges.  Raises ValueError when closed."""
        return self._core.fileno()

    def _reconfigure(self, **changes: Any) -> None:
        """Other settings for the open line, fields of LineSettings: it is not let go."""
        settings = replace(self._settings, **changes)
        if settings != self._settings:
            self._core.config([settings])
            self._settings = settings

    def close(self) -> None:
        """Give the line back; idempotent.  Whoever waits for an edge gets OSError (EBADF)."""
        self._core.close()

    def _begin(self) -> None:
        self._core.fileno()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<{type(self).__name__} {self.spec!r} {state}>"


class Input(Line):
    """A line as input.

    spec: 17, "GPIO17", "BCM17", "BOARD11", "J8:11", "WPI0"; with chip= (path, name or label)
    an offset or a line name there.  bias: "as_is", "disabled", "pull_up",
    "pull_down".  debounce_period: seconds; an edge is reported after the line was
    stable for so long (kernel, GPIO_V2_LINE_ATTR_ID_DEBOUNCE).  edges: which ones
    the line reports; "none" for an input that is only read.  event_clock: of their time
    stamps, "monotonic" (the loop's), "realtime" or "hte".  event_buffer_size: edges that
    the kernel keeps while nobody reads them, 0: 16.
    Several of one program may have a line, if they agree on its settings; each sees every
    edge that it asked for.  Raises OSError (EBUSY: in use, and by whom), ValueError.
    """

    __slots__ = ()

    def __init__(
        self,
        spec: int | str,
        *,
        bias: Bias = "as_is",
        debounce_period: float = 0.0,
        active_low: bool = False,
        edges: Literal["none", "rising", "falling", "both"] = "both",
        event_clock: Literal["monotonic", "realtime", "hte"] = "monotonic",
        event_buffer_size: int = 0,
        chip: str | None = None,
        board: hardware.Backend | None = None,
        consumer: str = "pyasync_hw",
    ) -> None:
        settings = LineSettings(
            direction="input",
            edge_detection=edges,
            bias=bias,
            active_low=active_low,
            debounce_period=debounce_period,
            event_clock=event_clock,
        )
        period = settings.debounce_period
        if isinstance(period, (int, float)) and period > DEBOUNCE_USUAL_S:
            warnings.warn(
                f"the bounce time of {spec!r} is {period:g} seconds; of milliseconds that would "
                f"be {period / 1000:g}",
                RuntimeWarning,
                stacklevel=2 if type(self) is Input else 3,
            )
        super().__init__(spec, settings, chip, board, consumer, event_buffer_size)

    async def wait_for_edge(self, edge: Edge = "both") -> EdgeEvent:
        """The oldest edge of that kind that nobody has taken yet, or the next one.

        Edges since the line was opened count; clear() forgets them.  Several waiters
        are served first in, first out.  Raises OSError (EBADF) when the line is closed
        meanwhile, RuntimeError when a real line is awaited on a virtual clock.
        """
        self._check_reports(edge)
        return await next_edge(self._core, edge)

    def edges(self, maxlen: int = 1024) -> EdgeIterator:
        """An asynchronous iterator over every edge from now on, with a queue of its own.

        When it holds `maxlen` edges the oldest goes, and the next one's `dropped` says
        how many went.  It may be left at any time; close() or the end of its life
        frees the queue.
        """
        return EdgeIterator(self._edge_queue(maxlen))

    def _edge_queue(self, maxlen: int) -> _core.EdgeQueue:
        self._check_reports("both")
        if not isinstance(maxlen, int) or not 1 <= maxlen <= EDGES_MAX:
            raise ValueError(f"maxlen must be 1 to {EDGES_MAX} edges, not {maxlen!r}")
        return self._core.edge_queue(maxlen)

    def clear(self) -> None:
        """Forget the edges that wait_for_edge() has not taken."""
        self._core.clear()

    @property
    def blocking(self) -> BlockingInput:
        """The same for programs without a loop: blocks the thread, not the GIL."""
        return BlockingInput(self)

    def _check_reports(self, edge: str) -> None:
        reports = self._settings.edge_detection
        if reports == "none" or (edge != "both" and reports not in (edge, "both")):
            raise ValueError(
                f"{self!r} was opened with edges={reports!r}: it never reports {edge!r} edges"
            )


class BlockingInput(BlockingLife):
    """An Input whose waits block.  Not together with awaiting on a loop."""

    __slots__ = ("_line",)

    def __init__(self, line: Input) -> None:
        self._line = line

    @property
    def spec(self) -> int | str:
        """See Input.spec."""
        return self._line.spec

    @property
    def value(self) -> int:
        """See Input.value."""
        return self._line.value

    @property
    def closed(self) -> bool:
        """See Input.closed."""
        return self._line.closed

    @property
    def line_offset(self) -> int:
        """See Input.line_offset."""
        return self._line.line_offset

    @property
    def blocking(self) -> BlockingInput:
        """Itself."""
        return self

    def fileno(self) -> int:
        """See Input.fileno()."""
        return self._line.fileno()

    def clear(self) -> None:
        """See Input.clear()."""
        self._line.clear()

    def close(self) -> None:
        """See Input.close()."""
        self._line.close()

    def _begin(self) -> None:
        self._line._begin()

    def __repr__(self) -> str:
        return f"<BlockingInput of {self._line!r}>"

    def wait_for_edge(
        self,
        edge: Edge = "both",
        timeout: float | None = None,
        token: _core.CancelToken | None = None,
    ) -> EdgeEvent:
        """As Input.wait_for_edge(), blocking this thread.

        Signal handlers run meanwhile.  Raises TimeoutError after `timeout` seconds,
        concurrent.futures.CancelledError when `token` is cancelled, OSError (EBADF) when
        the line is closed meanwhile.
        """
        self._line._check_reports(edge)
        return self._line._core.wait_edge_blocking(edge, timeout, token)

    def edges(
        self,
        maxlen: int = 1024,
        timeout: float | None = None,
        token: _core.CancelToken | None = None,
    ) -> BlockingEdgeIterator:
        """An iterator over every edge from now on; see Input.edges().

        `timeout` (for each edge) and `token` as for wait_for_edge().
        """
        return BlockingEdgeIterator(self._line._edge_queue(maxlen), timeout, token)


class Output(Line):
    """A line as output; starts with `value` (logical, 0 or 1).

    spec, chip, board as for Input; drive: "push_pull", "open_drain", "open_source".
    Of several of one program on a line, the last one that sets it counts.
    safe: the value that it is left at by close(), at the end of its `with` block or of its
    life, and when the program ends, be it by an exception; not when a signal kills it.
    What the line does once nobody has it is up to the board (on a Pi it may become an
    input): a pull or a resistor keeps it.
    """

    __slots__ = ("_make_safe",)

    def __init__(
        self,
        spec: int | str,
        *,
        value: int = 0,
        drive: Drive = "push_pull",
        bias: Bias = "as_is",
        active_low: bool = False,
        safe: int | None = None,
        chip: str | None = None,
        board: hardware.Backend | None = None,
        consumer: str = "pyasync_hw",
    ) -> None:
        safe_level = None if safe is None else level(safe)
        settings = LineSettings(
            direction="output",
            bias=bias,
            drive=drive,
            active_low=active_low,
            output_value=level(value),
        )
        super().__init__(spec, settings, chip, board, consumer)
        self._make_safe: weakref.finalize[..., Output] | None = None
        if safe_level is None:
            return
        with ClosedOnError(self._core):
            self._make_safe = weakref.finalize(self, _leave_at, self._core, safe_level, os.getpid())

    def close(self) -> None:
        """Leave it at its safe value, if it has one, and give the line back; idempotent."""
        if self._make_safe is not None:
            self._make_safe()
        super().close()

    @property
    def value(self) -> int:
        """The logical value, 0 or 1 (after active_low); assign to set it."""
        return self._core.get(1)

    @value.setter
    def value(self, value: int) -> None:
        self._set(value)

    def _set(self, value: int) -> None:
        self._core.set(1, int(level(value)))

    def on(self) -> None:
        """value = 1."""
        self.value = 1

    def off(self) -> None:
        """value = 0."""
        self.value = 0

    def toggle(self) -> None:
        """The other value."""
        self.value = not self.value


def _leave_at(core: _core.LineRequest, value: bool, pid: int) -> None:
    # It may be unplugged by now; and what a fork's child has is its parent's.
    with suppress(OSError):
        if os.getpid() == pid and not core.closed:
            core.set(1, int(value))
