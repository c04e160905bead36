"""A pin factory for gpiozero: GPIOZERO_PIN_FACTORY=pyasync_hw.

Pins are lines of the current hardware, simulated or real.  Callbacks run in the service
thread, one after the other, in the order of the edges' time stamps, whatever pins they are
of; what a callback is told is the time of its edge, not of the call.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from gpiozero.exc import (
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPull,
    PinInvalidState,
    PinPWMFixedValue,
    PinSetInput,
)
from gpiozero.pins.local import LocalPiFactory, LocalPiPin

from .. import hardware
from .._core import EdgeEvent
from .edge_order import read_in_order
from .gpio_channel import Bias, Channel, now_ns
from .gpiozero_spi import HardwareSPI, SharedHardwareSPI
from .rpi_info import revision
from .service import report, service

__all__ = ["Factory", "Pin"]

_BIASES: dict[str, Bias] = {"up": "pull_up", "down": "pull_down", "floating": "disabled"}
_EDGES = ("both", "rising", "falling", "none")


class Factory(LocalPiFactory):
    """gpiozero's pins, SPI buses and time, of the hardware that is current when they are opened."""

    def __init__(self) -> None:
        super().__init__()
        self.pin_class = Pin

    def _get_revision(self) -> int:
        if hasattr(hardware.current(), "model"):
            return revision()
        found: int = super()._get_revision()
        return found

    def _get_spi_class(self, shared: bool, hardware: bool) -> Any:
        if hardware:
            return SharedHardwareSPI if shared else HardwareSPI
        return super()._get_spi_class(shared, hardware)

    @staticmethod
    def ticks() -> float:
        """Now, in seconds on the clock of the time stamps."""
        return now_ns(hardware.current()) / 1e9


class Pin(LocalPiPin):
    """One GPIO of the header; its line is requested at the first use, and given back by close()."""

    def __init__(self, factory: Factory, info: Any) -> None:
        super().__init__(factory, info)
        self._lock = threading.RLock()
        self._line: Channel | None = None
        self._read_line: Channel | None = None  # the one that the service reads
        self._pull = info.pull or "floating"
        self._bounce: float | None = None
        self._edges = "both"
        self._since_ns = 0  # of the edges that count
        self._last_ns: int | None = None  # the one that counted last
        self._last_level = False  # what it led to
        self._end_settling: Callable[[], object] | None = None
        self._driven: bool | None = None  # what it was driven to last
        self._frequency: float | None = None  # of its wave, if it has one
        self._duty = 0.0
        self._had_wave = False  # since it became an output

    def _open(self) -> Channel:
        with self._lock:
            if self._line is None:
                self._line = Channel(self._number)  # as it is: an output goes on as it was
            return self._line

    def close(self) -> None:
        """Give the line back, as an input, for it stays an output else; it may be used again."""
        self.frequency = None
        self.when_changed = None
        end_settling, self._end_settling = self._end_settling, None
        if end_settling is not None:
            end_settling()
        with self._lock:
            line, self._line = self._line, None
            self._pull = self.info.pull or "floating"
        if line is not None:
            line.let_go()

    # Direction and pull.

    def output_with_state(self, state: Any) -> None:
        """Output at `state` from the beginning."""
        self._pull = "floating"
        level = self._level(state)
        self.frequency = None
        self._driven, self._had_wave = level, False
        self._open().be_output(level)

    def input_with_pull(self, pull: str) -> None:
        """Input with this pull from the beginning."""
        bias = self._bias(pull)
        self.frequency = None
        self._open().be_input(bias)
        self._pull = pull

    def _bias(self, pull: str) -> Bias:
        if pull not in _BIASES:
            raise PinInvalidPull(f'invalid pull "{pull}" for pin {self!r}')
        if self.info.pull and pull != self.info.pull:
            raise PinFixedPull(f"{self!r} has a physical pull-{self.info.pull} resistor")
        return _BIASES[pull]

    def _level(self, state: Any) -> bool:
        if state not in (0, 1):
            raise PinInvalidState(f'invalid state "{state}" for pin {self!r}')
        return bool(state)

    def _get_function(self) -> str:
        return "output" if self._open().is_output else "input"

    def _set_function(self, value: str) -> None:
        line = self._open()
        if value == "input":
            self.frequency = None
            line.be_input(_BIASES[self._pull])
        elif value == "output":
            self._pull = "floating"
            if not line.is_output:
                self._had_wave = False
                if self._driven is None:
                    self._driven = bool(line.value)
                line.be_output(self._driven)
        else:
            raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}')

    def _get_state(self) -> float:
        return self._open().value if self._frequency is None else self._duty

    def _set_state(self, value: Any) -> None:
        line = self._open()
        if self._frequency is not None:
            self._set_wave(self._frequency, value)
            return
        if not line.is_output:
            raise PinSetInput(f"cannot set state of pin {self!r}")
        if self._had_wave and 0 < value < 1:
            return  # of a source: gpiozero ends the wave of a device that it closes first
        self._driven = self._level(value)
        line.drive(self._driven)

    def _get_pull(self) -> str:
        return str(self._pull)

    def _set_pull(self, value: str) -> None:
        if self._get_function() != "input":
            raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        self.input_with_pull(value)

    # Waves: while there is a frequency, the state is how much of a period the pin is on.

    def _get_frequency(self) -> float | None:
        return self._frequency

    def _set_frequency(self, value: float | None) -> None:
        if value is not None:
            self._set_wave(value, self._duty)
        elif self._frequency is not None:
            self._frequency, self._duty, self._driven = None, 0.0, False
            self._had_wave = True
            self._open().end_wave()

    def _set_wave(self, frequency: float, duty: float) -> None:
        line = self._open()
        if not line.is_output:
            raise PinPWMFixedValue(f"cannot start PWM on pin {self!r}")
        if not 0 <= duty <= 1:
            raise PinInvalidState(f'invalid state "{duty}" for pin {self!r}')
        line.make_wave(frequency, duty)
        self._frequency, self._duty = frequency, duty

    # Edges.

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise PinInvalidBounce("bounce must be 0 or greater")
        self._bounce = None if value is None else float(value)

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f'invalid edge specification "{value}" for pin {self!r}')
        self._edges = value

    def _enable_event_detect(self) -> None:
        line = self._open()
        self._since_ns, self._last_ns = line.now_ns(), None
        with self._lock:
            is_read, self._read_line = self._read_line is line, line
        if not is_read:
            service.spawn(self._read(line))

    def _disable_event_detect(self) -> None:
        """Nothing: the line goes on being read until it is closed, and nobody is told."""

    async def _read(self, line: Channel) -> None:
        try:
            await read_in_order(line, self._tell, lambda: self._read_line is line)
        except (OSError, ValueError) as exc:
            if not line.closed:
                report(exc)

    def _tell(self, event: EdgeEvent) -> None:
        now = event.timestamp_ns
        if now < self._since_ns or self._edges not in ("both", event.event_type):
            return
        if self._bounce and self._last_ns is not None:
            since_last = now - self._last_ns
            if 0 <= since_last <= self._bounce * 1e9:
                if self._end_settling is None and self._edges == "both":
                    settling = self._settle(self._last_ns, self._bounce)
                    self._end_settling = service.spawn(settling)
                return
        self._change(now, event.event_type == "rising")

    def _change(self, now: int, level: bool) -> None:
        watcher = self._when_changed
        if watcher is None:
            return
        self._last_ns, self._last_level = now, level
        method = watcher()
        if method is None:  # its object has gone
            self.when_changed = None
        else:
            method(now / 1e9, int(level))

    async def _settle(self, counted_ns: int, bounce: float) -> None:
        """When edges are not ignored any more: one that was may have been the last."""
        end_ns = counted_ns + round(bounce * 1e9)
        line = self._read_line  # of an edge that came: there is one
        left_ns = 0 if line is None else max(0, end_ns - line.now_ns())
        await asyncio.sleep(left_ns / 1e9)
        service.call(lambda: self._settled(counted_ns, end_ns))

    def _settled(self, counted_ns: int, end_ns: int) -> None:
        self._end_settling = None
        line = self._line
        if line is None or self._last_ns != counted_ns:  # closed, or an edge came since
            return
        try:
            level = bool(line.value)
            if level != self._last_level:
                self._change(end_ns, level)
        except BaseException as exc:
            report(exc)
