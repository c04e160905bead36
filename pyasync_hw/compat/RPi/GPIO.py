"""RPi.GPIO 0.7.1's names, messages and numbers over pyasync_hw.gpio.

What is the same and what is not: docs/run.md, call by call.  Arguments are checked in
the order of the original (py_gpio.c), for each channel of a list when its turn comes.
"""

from __future__ import annotations

import math
import operator
import os
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from ... import hardware
from ...gpio import Edge
from ...hardware.pins import BOARD_TO_BCM
from ..coroutine_callback import as_called
from ..edge_detect import Watch
from ..gpio_channel import Bias, Channel
from ..hints import no_such_name
from ..rpi_info import rpi_info

# fmt: off
__all__ = [
    "BCM", "BOARD", "BOTH", "FALLING", "HARD_PWM", "HIGH", "I2C", "IN", "LOW", "OUT",
    "PUD_DOWN", "PUD_OFF", "PUD_UP", "PWM", "RISING", "RPI_INFO", "RPI_REVISION", "SERIAL",
    "SPI", "UNKNOWN", "VERSION", "add_event_callback", "add_event_detect", "cleanup",
    "event_detected", "getmode", "gpio_function", "input", "output", "remove_event_detect",
    "setmode", "setup", "setwarnings", "wait_for_edge",
]
# fmt: on

VERSION = "0.7.1"
RPI_INFO: dict[str, int | str]  # by __getattr__(): of the hardware that there is then
RPI_REVISION: int

UNKNOWN = -1
OUT = 0
IN = 1
LOW = 0
HIGH = 1
BOARD = 10
BCM = 11
PUD_OFF = 20
PUD_DOWN = 21
PUD_UP = 22
RISING = 31
FALLING = 32
BOTH = 33
SERIAL = 40
SPI = 41
I2C = 42
HARD_PWM = 43

_BIASES: dict[int, Bias] = {
    PUD_OFF: "disabled",
    PUD_DOWN: "pull_down",
    PUD_UP: "pull_up",
}
_EDGES: dict[int, Edge] = {RISING: "rising", FALLING: "falling", BOTH: "both"}
_GPIOS = 54  # of a BCM2835, on the header or not
# What the original's own C code means by "not given"; programs pass them on.
_NO_BOUNCETIME = -666
_NO_TIMEOUT = -1
_NO_INITIAL = -1
# A callback that never returns must not keep its program from ending.
_CALLBACK_WAIT_S = 1.0
_PULLED_UP_GPIOS = (2, 3)  # by 1.8 kOhm on the board


class _State:
    """What RPi.GPIO keeps per process."""

    def __init__(self) -> None:
        self.mode: int | None = None
        self.warn = True
        self.lines: dict[int, Channel] = {}  # those that were set up, by GPIO
        self.watches: dict[int, Watch] = {}
        self.stopped: dict[int, Watch] = {}  # those of remove_event_detect()
        self.pwms: WeakValueDictionary[int, PWM] = WeakValueDictionary()
        self.used = False  # anything was set up, ever
        self.used_beside = False  # pins that are no channels, and that cleanup() is for, too
        # What its GPIOs were last driven to, by board: it keeps that while they are inputs.
        self.latches: WeakKeyDictionary[hardware.Backend, dict[int, bool]] = WeakKeyDictionary()
        self.latch_of: dict[int, dict[int, bool]] = {}  # of each output's board


_state = _State()
# For what is set up and watched, never while something waits; a signal handler comes back here.
_lock = threading.RLock()
if hasattr(_lock, "_at_fork_reinit"):  # as the standard library's modules do with theirs
    os.register_at_fork(after_in_child=_lock._at_fork_reinit)


# Arguments.


def _integer(value: Any) -> int:
    number = operator.index(value)
    if not -(2**31) <= number < 2**31:
        limit = "greater than maximum" if number > 0 else "less than minimum"
        raise OverflowError(f"signed integer is {limit}")
    return number


def _not_given_as(none: int, value: int | None) -> int | None:
    number = none if value is None else _integer(value)
    return None if number == none else number


def to_gpio(channel: Any) -> int:
    """The GPIO number of a channel in the current mode."""
    number = _integer(channel)
    if _state.mode is None:
        raise RuntimeError(
            "Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)"
        )
    gpio = BOARD_TO_BCM.get(number, -1) if _state.mode == BOARD else number
    if not 0 <= gpio < _GPIOS:
        raise ValueError("The channel sent is invalid on a Raspberry Pi")
    return gpio


def _channel_list(channel: Any) -> list[Any]:
    if isinstance(channel, int):
        return [channel]
    if isinstance(channel, (list, tuple)):
        return list(channel)
    raise ValueError("Channel must be an integer or list/tuple of integers")


def _listed_gpio(channel: Any) -> int:
    if not isinstance(channel, int):
        raise ValueError("Channel must be an integer")
    return to_gpio(channel)


def _input_line(gpio: int) -> Channel:
    line = _state.lines.get(gpio)
    if line is None or not line.is_input:
        raise RuntimeError("You must setup() the GPIO channel as an input first")
    return line


def _edge(edge: int) -> Edge:
    if edge not in _EDGES:
        raise ValueError("The edge must be set to RISING, FALLING or BOTH")
    return _EDGES[edge]


def _warn(message: str) -> None:
    if _state.warn:
        warnings.warn(message, RuntimeWarning, stacklevel=3)


# Modes and lines.


def setmode(mode: int) -> None:
    """Number channels by header pin (BOARD) or by GPIO (BCM)."""
    mode = _integer(mode)
    if _state.mode is not None and mode != _state.mode:
        raise ValueError("A different mode has already been set!")
    if mode not in (BOARD, BCM):
        raise ValueError("An invalid mode was passed to setmode()")
    _state.mode = mode


def getmode() -> int | None:
    """BOARD, BCM, or None before setmode()."""
    return _state.mode


def setwarnings(gpio_warnings: int) -> None:
    """Whether RuntimeWarnings are given."""
    _state.warn = bool(_integer(gpio_warnings))


def setup(
    channel: int | list[int] | tuple[int, ...],
    direction: int,
    pull_up_down: int = PUD_OFF,
    initial: int | None = None,
) -> None:
    """Claim one channel or several, as inputs (with a pull) or outputs (with a value).

    An output without `initial` has the level that it was driven to last, or else the one
    that is there.  An input that is set up again keeps its callbacks.
    """
    direction, pull_up_down = _integer(direction), _integer(pull_up_down)
    initial = _not_given_as(_NO_INITIAL, initial)
    channels = _channel_list(channel)
    if direction not in (IN, OUT):
        raise ValueError("An invalid direction was passed to setup()")
    if direction == OUT and pull_up_down != PUD_OFF:
        raise ValueError("pull_up_down parameter is not valid for outputs")
    if direction == IN and initial is not None:
        raise ValueError("initial parameter is not valid for inputs")
    if pull_up_down not in _BIASES:
        raise ValueError(
            "Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN"
        )
    _state.used = True
    for one in channels:
        gpio = _listed_gpio(one)
        if gpio in _PULLED_UP_GPIOS and pull_up_down != PUD_OFF:
            _warn("A physical pull up resistor is fitted on this channel!")
        with _lock:
            if direction == IN:
                _set_up(gpio, _BIASES[pull_up_down], None)
            else:
                _set_up(gpio, None, bool(initial) if initial in (LOW, HIGH) else None)


def _set_up(gpio: int, bias: Bias | None, value: bool | None) -> None:
    """As an input with `bias`, or without as an output at `value`."""
    latch = _state.latches.setdefault(hardware.current(), {})
    line = _state.lines.get(gpio)
    if line is not None and line.is_gone:
        _release(gpio)
        line = None
    is_new = line is None
    if line is None:
        opened = Channel(gpio)
        line = _state.lines.setdefault(gpio, opened)
        if line is not opened:  # a signal handler was faster
            opened.close()
            is_new = False
    try:
        if bias is not None:
            line.be_input(bias)
        elif value is not None or not line.is_output:
            if value is None:
                value = latch[gpio] if gpio in latch else bool(line.value)
            line.be_output(value)
            latch[gpio] = value
    except BaseException:
        if is_new:
            if _state.lines.get(gpio) is line:
                del _state.lines[gpio]
            line.close()
        raise
    _state.latch_of[gpio] = latch


def output(
    channel: int | list[int] | tuple[int, ...],
    value: int | bool | list[int] | tuple[int, ...],
) -> None:
    """Drive one output or several; one value serves all, or there is one for each."""
    channels = _channel_list(channel)
    values: list[Any]
    if isinstance(value, int):
        values = [value] * len(channels)
    elif isinstance(value, (list, tuple)):
        values = list(value)
        if isinstance(channel, int) or len(values) != len(channels):
            raise RuntimeError("Number of channels != number of values")
    else:
        raise ValueError("Value must be an integer/boolean or a list/tuple of integers/booleans")
    for one, level in zip(channels, values, strict=True):
        if not isinstance(one, int):
            raise ValueError("Channel must be an integer")
        if not isinstance(level, int):
            raise ValueError("Value must be an integer or boolean")
        gpio = to_gpio(one)
        line = _state.lines.get(gpio)
        if line is None or not line.is_output:
            raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
        line.drive(bool(level))
        _state.latch_of[gpio][gpio] = bool(level)


def input(channel: int) -> int:
    """The level of a channel, 0 or 1."""
    line = _state.lines.get(to_gpio(channel))
    if line is None:
        raise RuntimeError("You must setup() the GPIO channel first")
    return int(line.value)


def gpio_function(channel: int) -> int:
    """IN or OUT for a channel that was set up, UNKNOWN for others."""
    line = _state.lines.get(to_gpio(channel))
    _state.used = True
    if line is None:
        return UNKNOWN
    return OUT if line.is_output else IN


# Edges.


def add_event_detect(
    gpio: int,
    edge: int,
    callback: Callable[[int], object] | None = None,
    bouncetime: int | None = None,
) -> None:
    """Watch a channel for edges; `callback(channel)` runs in the service thread."""
    channel, edge = _integer(gpio), _integer(edge)
    bounce_ms = _not_given_as(_NO_BOUNCETIME, bouncetime)
    if callback is not None and not callable(callback):
        raise TypeError("Parameter must be callable")
    number = to_gpio(channel)
    _input_line(number)
    word = _edge(edge)
    if bounce_ms is not None and bounce_ms <= 0:
        raise ValueError("Bouncetime must be greater than 0")
    with _lock:
        watch, is_new = _watch(channel, number, word, bounce_ms)
        if not is_new and (
            watch.detecting
            or watch.edge != word
            or (bounce_ms is not None and watch.bounce_ms != bounce_ms)
        ):
            raise RuntimeError("Conflicting edge detection already enabled for this GPIO channel")
        if callback is not None:
            watch.callbacks.append(as_called(callback))
        watch.detect()


def _watch(channel: int, gpio: int, edge: Edge, bounce_ms: int | None) -> tuple[Watch, bool]:
    """The one of `gpio`, and whether it is new."""
    found = _state.watches.get(gpio)
    if found is not None:
        return found, False
    line = _input_line(gpio)  # another thread may have cleaned up since it was looked for
    before = _state.stopped.get(gpio)
    watch = Watch(channel, edge, bounce_ms, line, before)
    found = _state.watches.setdefault(gpio, watch)  # a signal handler may have been faster
    if found is not watch:
        return found, False
    if _state.lines.get(gpio) is not line:  # and this one has cleaned up
        _state.watches.pop(gpio, None)
        _input_line(gpio)
    watch.begin(before)
    return watch, True


def add_event_callback(gpio: int, callback: Callable[[int], object]) -> None:
    """One more callback for a channel that is watched."""
    channel = _integer(gpio)
    if not callable(callback):
        raise TypeError("Parameter must be callable")
    number = to_gpio(channel)
    _input_line(number)
    watch = _state.watches.get(number)
    if watch is None:
        raise RuntimeError(
            "Add event detection using add_event_detect first before adding a callback"
        )
    watch.callbacks.append(as_called(callback))


def remove_event_detect(gpio: int) -> None:
    """Stop watching a channel."""
    number = to_gpio(gpio)
    with _lock:
        watch = _state.watches.get(number)
        if watch is not None:
            _state.stopped[number] = watch  # first: a signal handler may begin the next one
            _state.watches.pop(number, None)
            watch.stop()


def event_detected(channel: int) -> bool:
    """Whether an edge came on a watched channel since the last call."""
    watch = _state.watches.get(to_gpio(channel))
    return watch is not None and watch.take_happened()


def wait_for_edge(
    channel: int, edge: int, bouncetime: int | None = None, timeout: int | None = None
) -> int | None:
    """Block until an edge comes: the channel, or None after `timeout` milliseconds.

    Signal handlers run meanwhile, so Ctrl+C ends it.
    """
    channel, edge = _integer(channel), _integer(edge)
    bounce_ms = _not_given_as(_NO_BOUNCETIME, bouncetime)
    timeout_ms = _not_given_as(_NO_TIMEOUT, timeout)
    gpio = to_gpio(channel)
    _input_line(gpio)
    word = _edge(edge)
    if bounce_ms is not None and bounce_ms <= 0:
        raise ValueError("Bouncetime must be greater than 0")
    if timeout_ms is not None and timeout_ms <= 0:
        raise ValueError("Timeout must be greater than 0")
    with _lock:
        watch, is_new = _watch(channel, gpio, word, bounce_ms)
        if not is_new:
            if watch.callbacks or (watch.edge == word and watch.bounce_ms not in (None, bounce_ms)):
                raise RuntimeError(
                    "Conflicting edge detection events already exist for this GPIO channel"
                )
            if not watch.detecting and watch.edge != word:
                watch.edge, watch.bounce_ms = word, bounce_ms
    return channel if watch.wait(word, bounce_ms, timeout_ms) else None


class PWM:
    """A square wave on an output; it ends with stop(), cleanup(), or the last use of the object."""

    def __init__(self, channel: int, frequency: float) -> None:
        channel = _integer(channel)
        math.fabs(frequency)  # TypeError: it is no number
        self._gpio = to_gpio(channel)
        self._duty = 0.0
        self._line: Channel | None = None  # while it runs
        with _lock:
            self._check_alone()
            self._output_line()
            self._frequency = _frequency(frequency)
            _state.pwms[self._gpio] = self

    def _check_alone(self) -> None:
        if _state.pwms.get(self._gpio, self) is not self:
            raise RuntimeError("A PWM object already exists for this GPIO channel")

    def _output_line(self) -> Channel:
        line = _state.lines.get(self._gpio)
        if line is None or not line.is_output:
            raise RuntimeError("You must setup() the GPIO channel as an output first")
        return line

    def start(self, dutycycle: float) -> None:
        """Begin, with the wave on for so many percent of each period."""
        duty = _duty(dutycycle)
        with _lock:
            self._check_alone()
            line = self._output_line()
            line.make_wave(self._frequency, duty)
            _state.latch_of[self._gpio][self._gpio] = False  # what is left when it has ended
            _state.pwms[self._gpio] = self
            self._line, self._duty = line, duty

    def ChangeDutyCycle(self, dutycycle: float) -> None:
        """Percent, from the next period on."""
        self._change(self._frequency, _duty(dutycycle))

    def ChangeFrequency(self, frequency: float) -> None:
        """Hz, from the next period on."""
        self._change(_frequency(frequency), self._duty)

    def _change(self, frequency: float, duty: float) -> None:
        with _lock:
            if self._runs():
                self._output_line().make_wave(frequency, duty)
            self._frequency, self._duty = frequency, duty

    def _runs(self) -> bool:
        """Has it begun, and was the channel neither cleaned up nor set up as an input?"""
        line = self._line
        return line is not None and line.is_output and _state.lines.get(self._gpio) is line

    def stop(self) -> None:
        """Low from now on; the channel is free for another PWM.  Idempotent."""
        with _lock:
            if _state.pwms.get(self._gpio) is self:
                del _state.pwms[self._gpio]
            line, self._line = self._line, None
            if line is not None:
                line.end_wave()

    def __del__(self) -> None:
        line = getattr(self, "_line", None)  # there is none when __init__() has raised
        if line is not None:
            line.end_wave()


def _frequency(frequency: float) -> float:
    math.fabs(frequency)
    if not frequency > 0.0:
        raise ValueError("frequency must be greater than 0.0")
    return frequency


def _duty(dutycycle: float) -> float:
    math.fabs(dutycycle)
    if not 0.0 <= dutycycle <= 100.0:
        raise ValueError("dutycycle must have a value from 0.0 to 100.0")
    return dutycycle / 100.0


# Letting go.


def _release(gpio: int) -> bool:
    with _lock:
        line = _state.lines.pop(gpio, None)  # first: nobody begins to read it any more
        found = [watches.pop(gpio, None) for watches in (_state.watches, _state.stopped)]
        readings = [watch for watch in found if watch is not None]
        for reading in readings:
            reading.stop()
    if line is None:
        return False
    for reading in readings:
        reading.join(_CALLBACK_WAIT_S)
    line.let_go()
    return True


def _release_each(gpios: Iterable[int]) -> bool:
    return any([_release(gpio) for gpio in gpios])


def use_beside() -> None:
    """Pins are in use that setup() was not called for, but would be in the original."""
    _state.used = _state.used_beside = True


def release_all() -> bool:
    """cleanup() of everything without its warning; whether there was anything."""
    _state.mode = None
    beside, _state.used_beside = _state.used_beside, False
    return _release_each({*_state.lines, *_state.watches}) or beside


def cleanup(channel: int | list[int] | tuple[int, ...] | None = None) -> None:
    """Release one channel, several, or all; the latter also forgets the mode."""
    channels = None if channel is None else _channel_list(channel)
    found = False
    if _state.used:
        found = (
            release_all()
            if channels is None
            else _release_each(_listed_gpio(one) for one in channels)
        )
    if not found:
        _warn(
            "No channels have been set up yet - nothing to clean up!  "
            "Try cleaning up at the end of your program instead!"
        )


def __getattr__(name: str) -> Any:
    if name == "RPI_INFO":
        return dict(rpi_info())
    if name == "RPI_REVISION":
        return rpi_info()["P1_REVISION"]
    raise no_such_name(__name__, name)
