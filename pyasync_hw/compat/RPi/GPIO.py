"""RPi.GPIO 0.7's names, messages and numbers over pyasync_hw.gpio.

Differences that programs can see: a line is claimed from the kernel, so a
channel that another process or device uses is an error and not a warning, and
PWM is not there yet.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ...gpio import Edge, Input, Output
from ...pins import BOARD_TO_BCM, HEADER_GPIOS
from ..edge_detect import EdgeDetect

VERSION = "0.7.1"
RPI_INFO = {
    "P1_REVISION": 3,
    "REVISION": "9000c1",
    "TYPE": "Zero W",
    "MANUFACTURER": "Sony",
    "PROCESSOR": "BCM2835",
    "RAM": "512M",
}
RPI_REVISION = RPI_INFO["P1_REVISION"]

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

_BIASES: dict[int, Literal["disabled", "pull_down", "pull_up"]] = {
    PUD_OFF: "disabled",
    PUD_DOWN: "pull_down",
    PUD_UP: "pull_up",
}
_EDGES: dict[int, Edge] = {RISING: "rising", FALLING: "falling", BOTH: "both"}


@dataclass
class _Channel:
    """A channel that was set up: its line, and the edge detection on it."""

    line: Input | Output
    detect: EdgeDetect | None = None

    def close(self) -> None:
        if self.detect is not None:
            self.detect.stop()
        self.line.close()


class _State:
    """What RPi.GPIO keeps per process: mode, warnings, and channels by GPIO number."""

    def __init__(self) -> None:
        self.mode: int | None = None
        self.warn = True
        self.channels: dict[int, _Channel] = {}


_state = _State()


def to_gpio(channel: Any) -> int:
    """The GPIO number of a channel in the current mode."""
    if _state.mode is None:
        raise RuntimeError(
            "Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)"
        )
    if not isinstance(channel, int):
        raise ValueError("Channel must be an integer")
    gpio = BOARD_TO_BCM.get(channel) if _state.mode == BOARD else channel
    if gpio is None or gpio not in HEADER_GPIOS:
        raise ValueError("The channel sent is invalid on a Raspberry Pi")
    return gpio


def _channel_list(channel: Any) -> list[int]:
    if isinstance(channel, int):
        return [channel]
    if isinstance(channel, (list, tuple)):
        return list(channel)
    raise ValueError("Channel must be an integer or list/tuple of integers")


def _input_channel(channel: int) -> tuple[_Channel, Input]:
    known = _state.channels.get(to_gpio(channel))
    if known is None or not isinstance(known.line, Input):
        raise RuntimeError("You must setup() the GPIO channel as an input first")
    return known, known.line


def setmode(mode: int) -> None:
    """Number channels by header pin (BOARD) or by GPIO (BCM)."""
    if _state.mode is not None and mode != _state.mode:
        raise ValueError("A different mode has already been set!")
    if mode not in (BOARD, BCM):
        raise ValueError("An invalid mode was passed to setmode()")
    _state.mode = mode


def getmode() -> int | None:
    """BOARD, BCM, or None before setmode()."""
    return _state.mode


def setwarnings(gpio_warnings: bool) -> None:
    """Whether RuntimeWarnings are given."""
    _state.warn = bool(gpio_warnings)


def setup(
    channel: int | list[int] | tuple[int, ...],
    direction: int,
    pull_up_down: int = PUD_OFF,
    initial: int | None = None,
) -> None:
    """Claim one channel or several, as inputs (with a pull) or outputs (with a value)."""
    channels = _channel_list(channel)
    if direction not in (IN, OUT):
        raise ValueError("An invalid direction was passed to setup()")
    if direction == IN and initial is not None:
        raise ValueError("initial parameter is not valid for inputs")
    if direction == OUT and pull_up_down != PUD_OFF:
        raise ValueError("pull_up_down parameter is not valid for outputs")
    if pull_up_down not in _BIASES:
        raise ValueError(
            "Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN"
        )
    for gpio in [to_gpio(one) for one in channels]:
        old = _state.channels.pop(gpio, None)
        value = bool(initial)
        if old is not None:
            # An output that is set up again keeps its level, as the pin does.
            if direction == OUT and initial is None and isinstance(old.line, Output):
                value = bool(old.line.value)
            old.close()
        line: Input | Output
        if direction == IN:
            line = Input(gpio, bias=_BIASES[pull_up_down], edges="both")
        else:
            line = Output(gpio, value=value)
        _state.channels[gpio] = _Channel(line)


def output(
    channel: int | list[int] | tuple[int, ...],
    value: int | bool | list[int] | tuple[int, ...],
) -> None:
    """Drive one output or several; one value serves all, or there is one for each."""
    channels = _channel_list(channel)
    if isinstance(value, (list, tuple)):
        values = list(value)
        if len(values) != len(channels):
            raise RuntimeError("Number of channels != number of values")
    elif isinstance(value, int):
        values = [value] * len(channels)
    else:
        raise ValueError("Value must be an integer/boolean or a list/tuple of integers/booleans")
    for one, level in zip(channels, values, strict=True):
        known = _state.channels.get(to_gpio(one))
        if known is None or not isinstance(known.line, Output):
            raise RuntimeError("The GPIO channel has not been set up as an OUTPUT")
        known.line.value = bool(level)


def input(channel: int) -> int:
    """The level of a channel, 0 or 1."""
    known = _state.channels.get(to_gpio(channel))
    if known is None:
        raise RuntimeError("You must setup() the GPIO channel first")
    return int(known.line.value)


def gpio_function(channel: int) -> int:
    """IN or OUT for a channel that was set up, UNKNOWN for others."""
    known = _state.channels.get(to_gpio(channel))
    if known is None:
        return UNKNOWN
    return OUT if isinstance(known.line, Output) else IN


def add_event_detect(
    gpio: int,
    edge: int,
    callback: Callable[[int], object] | None = None,
    bouncetime: int | None = None,
) -> None:
    """Watch a channel for edges; `callback(channel)` runs in the service thread."""
    known, line = _input_channel(gpio)
    if edge not in _EDGES:
        raise ValueError("The edge must be set to RISING, FALLING or BOTH")
    if callback is not None and not callable(callback):
        raise TypeError("Parameter must be callable")
    if bouncetime is not None and bouncetime <= 0:
        raise ValueError("Bouncetime must be greater than 0")
    if known.detect is not None:
        raise RuntimeError("Conflicting edge detection already enabled for this GPIO channel")
    known.detect = EdgeDetect(gpio, line, _EDGES[edge], (bouncetime or 0) / 1e3)
    if callback is not None:
        known.detect.callbacks.append(callback)


def add_event_callback(gpio: int, callback: Callable[[int], object]) -> None:
    """One more callback for a channel that is watched."""
    known, _ = _input_channel(gpio)
    if not callable(callback):
        raise TypeError("Parameter must be callable")
    if known.detect is None:
        raise RuntimeError(
            "Add event detection using add_event_detect first before adding a callback"
        )
    known.detect.callbacks.append(callback)


def remove_event_detect(gpio: int) -> None:
    """Stop watching a channel."""
    known = _state.channels.get(to_gpio(gpio))
    if known is not None and known.detect is not None:
        detect, known.detect = known.detect, None
        detect.stop()


def event_detected(channel: int) -> bool:
    """Whether an edge came on a watched channel since the last call."""
    known = _state.channels.get(to_gpio(channel))
    return known is not None and known.detect is not None and known.detect.take_happened()


def wait_for_edge(
    channel: int, edge: int, bouncetime: int | None = None, timeout: int | None = None
) -> int | None:
    """Block until an edge comes: the channel, or None after `timeout` milliseconds.

    Signal handlers run meanwhile, so Ctrl+C ends it.
    """
    known, line = _input_channel(channel)
    if edge not in _EDGES:
        raise ValueError("The edge must be set to RISING, FALLING or BOTH")
    if bouncetime is not None and bouncetime <= 0:
        raise ValueError("Bouncetime must be greater than 0")
    if timeout is not None and timeout <= 0:
        raise ValueError("Timeout must be greater than 0")
    if known.detect is not None:
        raise RuntimeError("Conflicting edge detection events already exist for this GPIO channel")
    line.clear()
    try:
        line.blocking.wait_for_edge(
            _EDGES[edge], timeout=None if timeout is None else timeout / 1e3
        )
    except TimeoutError:
        return None
    return channel


def _release(gpios: Iterable[int]) -> bool:
    channels = [_state.channels.pop(gpio) for gpio in gpios if gpio in _state.channels]
    for channel in channels:
        channel.close()
    return bool(channels)


def release_all() -> bool:
    """cleanup() of everything without its warning; whether there was anything."""
    _state.mode = None
    return _release(list(_state.channels))


def cleanup(channel: int | list[int] | tuple[int, ...] | None = None) -> None:
    """Release one channel, several, or all; the latter also forgets the mode."""
    if channel is None:
        found = release_all()
    else:
        found = _release([to_gpio(one) for one in _channel_list(channel)])
    if not found and _state.warn:
        warnings.warn(
            "No channels have been set up yet - nothing to clean up!  "
            "Try cleaning up at the end of your program instead!",
            RuntimeWarning,
            stacklevel=2,
        )
