"""machine.Pin and machine.Signal: a pin is a line of the hardware, one for all its Pin objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .... import hardware
from ....gpio import Edge
from ...edge_detect import Watch
from ...gpio_channel import Bias, Channel
from . import callbacks
from .chip_select import chip_select
from .pin_names import find_gpio, names

__all__ = ["Pin", "PinLine", "Signal", "release_all"]

IN, OUT, OPEN_DRAIN, ALT, ANALOG, ALT_OPEN_DRAIN = range(6)
PULL_UP, PULL_DOWN = 1, 2
IRQ_RISING, IRQ_FALLING = 1, 2
_EDGES: dict[int, Edge] = {IRQ_RISING: "rising", IRQ_FALLING: "falling", 3: "both"}
_BIASES: dict[int | None, Bias] = {
    None: "disabled",
    0: "disabled",
    PULL_UP: "pull_up",
    PULL_DOWN: "pull_down",
}
Handler = Callable[[Any], object]


class PinLine(Channel):
    """A line, and what MicroPython keeps of it: its mode and pull, and what it was driven to."""

    def __init__(self, gpio: int) -> None:
        super().__init__(gpio)
        self.gpio = gpio
        self.board = self._backend
        self.mode = IN
        self.pull: int | None = None
        self.latch = False
        self.watch: Watch | None = None
        self.stopped: Watch | None = None
        self.wave: Any = None  # the PWM on it

    def set_mode(self, mode: int, pull: int | None) -> None:
        """IN with a pull, OUT or OPEN_DRAIN; the level is what it was last driven to."""
        if self.wave is not None:
            self.wave.deinit()
        if mode in (IN, ANALOG):
            self.be_input(_BIASES[pull])
        elif mode in (OUT, OPEN_DRAIN):
            self._reconfigure(
                direction="output",
                bias=_BIASES[pull] if pull else "as_is",
                drive="push_pull" if mode == OUT else "open_drain",
                edge_detection="none",
                output_value=self.latch,
            )
        else:
            raise ValueError(f"mode must be Pin.IN, Pin.OUT or Pin.OPEN_DRAIN, not {mode!r}")
        self.mode, self.pull = mode, pull

    def be_input(self, bias: Bias) -> None:
        """As Channel's; not open drain any more."""
        self._settings_for_input()
        super().be_input(bias)

    def _settings_for_input(self) -> None:
        if self._settings.drive != "push_pull":
            self._reconfigure(drive="push_pull", direction="input", output_value=False)

    def put(self, value: bool) -> None:
        """Drive it; an input keeps that for when it is an output."""
        self.latch = value
        if self.is_output:
            chip_select.pin_changes(self, value)
            self.drive(value)

    def call_back(self, edge: Edge | None, handler: Handler | None, pin: object) -> None:
        """Have `handler(pin)` called at edges from now on; None: no more."""
        if self.watch is not None:
            self.watch.stop()
            self.watch, self.stopped = None, self.watch
            callbacks.disarm(self)
        if edge is None or handler is None:
            return
        if not self.is_input:
            raise ValueError(f"GPIO{self.gpio} is an output: edges come to an input")
        watch = Watch(self.gpio, edge, None, self, self.stopped)
        watch.callbacks.append(lambda _: callbacks.call_now(handler, pin))
        self.watch = watch
        callbacks.arm(self)
        watch.begin(self.stopped)
        watch.detect()

    def __del__(self) -> None:
        if hasattr(self, "gpio"):  # it was opened
            self.close()  # programs for boards close nothing

    def release(self) -> None:
        """Give it back."""
        self.call_back(None, None, None)
        if self.stopped is not None:
            self.stopped.join(1.0)
        self.let_go()


_lines: dict[int, PinLine] = {}


def _open_line(gpio: int) -> PinLine:
    line = _lines.get(gpio)
    if line is not None and line.board is hardware.current() and not line.is_gone:
        return line
    if line is not None:
        _lines.pop(gpio).release()
    return _lines.setdefault(gpio, PinLine(gpio))


def release_all() -> None:
    """Give all pins back, for tests and for who uninstalls these modules."""
    while _lines:
        _lines.popitem()[1].release()


class _Irq:
    """What Pin.irq() returns."""

    def __init__(self, pin: Pin, handler: Handler | None, trigger: int) -> None:
        self._pin = pin
        self._handler = handler
        self._trigger = trigger

    def __call__(self) -> None:
        if self._handler is not None:
            self._handler(self._pin)

    def init(self, handler: Handler | None = None, trigger: int = 3, **_: object) -> None:
        """As Pin.irq()."""
        self._pin.irq(handler, trigger)

    def trigger(self) -> int:
        """Pin.IRQ_RISING, Pin.IRQ_FALLING, or both."""
        return self._trigger

    def flags(self) -> int:
        """What has set it off last is not known: the edges that may have."""
        return self._trigger


class _Names:
    """Pin.board: the board's names as attributes."""

    def __getattr__(self, name: str) -> Pin:
        if name not in names():
            raise AttributeError(f"this board has no pin {name!r}; [pins] of a board.toml names it")
        return Pin(name)

    def __dir__(self) -> list[str]:
        return sorted(names())


class Pin:
    """Pin(id, mode, pull, *, value, drive, alt): `id` is a GPIO number, or a name of the board."""

    IN, OUT, OPEN_DRAIN, ALT, ANALOG, ALT_OPEN_DRAIN = range(6)
    PULL_UP, PULL_DOWN, PULL_NONE = PULL_UP, PULL_DOWN, None
    PULL_HOLD = 4  # an ESP32's, for deep sleep: added to a pull, and ignored
    IRQ_RISING, IRQ_FALLING = IRQ_RISING, IRQ_FALLING
    DRIVE_0, DRIVE_1, DRIVE_2, DRIVE_3 = range(4)
    LOW_POWER, MED_POWER, HIGH_POWER = range(3)
    OUT_PP, OUT_OD, AF_PP, AF_OD, STAF_PP, STAF_OD = OUT, OPEN_DRAIN, ALT, ALT_OPEN_DRAIN, 3, 5
    WAKE_LOW, WAKE_HIGH = 4, 5
    board: ClassVar[_Names] = _Names()
    cpu: ClassVar[_Names] = board

    def __init__(
        self,
        id: int | str | Pin,
        mode: int | None = -1,
        pull: int | None = -1,
        *,
        value: Any = None,
        drive: int | None = None,
        alt: int = -1,
        **options: object,
    ) -> None:
        self._id: int | str = id._id if isinstance(id, Pin) else id
        self.gpio: int = id.gpio if isinstance(id, Pin) else find_gpio(id)
        if mode not in (-1, None) or pull != -1 or value is not None:
            self.init(mode, pull, value=value)

    @property
    def line(self) -> PinLine:
        """The line, open."""
        return _open_line(self.gpio)

    def init(
        self,
        mode: int | None = -1,
        pull: int | None = -1,
        *,
        value: Any = None,
        drive: int | None = None,
        alt: int = -1,
        **options: object,
    ) -> None:
        """Change what is given, and nothing else."""
        line = self.line
        if value is not None:
            line.latch = bool(value)
        new_pull = line.pull if pull == -1 else pull
        if new_pull is not None:
            new_pull &= ~self.PULL_HOLD
        if new_pull not in _BIASES:
            raise ValueError(f"pull must be Pin.PULL_UP, Pin.PULL_DOWN or None, not {pull!r}")
        if mode not in (-1, None) or pull != -1:
            line.set_mode(line.mode if mode in (-1, None) else int(mode or 0), new_pull)
        if value is not None:
            line.put(bool(value))

    def value(self, x: Any = None) -> int | None:
        """The level, or with `x`: drive it to bool(x)."""
        if x is None:
            return self.line.value
        self.line.put(bool(x))
        return None

    __call__ = value

    def on(self) -> None:
        """High."""
        self.line.put(True)

    def off(self) -> None:
        """Low."""
        self.line.put(False)

    high = on
    low = off

    def toggle(self) -> None:
        """The other level."""
        line = self.line
        line.put(not line.latch)

    def mode(self, mode: int | None = None) -> int:
        """Pin.IN, Pin.OUT or Pin.OPEN_DRAIN."""
        if mode is not None:
            self.init(mode)
        return self.line.mode

    def pull(self, pull: int | None = -1) -> int | None:
        """Pin.PULL_UP, Pin.PULL_DOWN or None."""
        if pull != -1:
            self.init(pull=pull)
        return self.line.pull

    def drive(self, drive: int | None = None) -> int:
        """The strength of an output, which a Linux GPIO has no word for."""
        return self.DRIVE_0

    def irq(
        self,
        handler: Handler | None = None,
        trigger: int = IRQ_RISING | IRQ_FALLING,
        *,
        priority: int = 1,
        wake: int | None = None,
        hard: bool = False,
    ) -> _Irq:
        """Have `handler(pin)` called at edges: by the main thread's loop, or the service thread.

        None: no more.
        """
        line = self.line
        if handler is not None:
            if trigger not in _EDGES:
                raise ValueError("trigger must be Pin.IRQ_RISING, Pin.IRQ_FALLING or both")
            if not line.is_input and not line.is_output:  # as it is: nobody has set a mode
                line.set_mode(IN, None)
        line.call_back(_EDGES.get(trigger), handler, self)
        return _Irq(self, handler, trigger)

    def name(self) -> str:
        """What the board calls it."""
        return str(self._id) if isinstance(self._id, str) else f"GPIO{self.gpio}"

    def names(self) -> list[str]:
        """All its names."""
        return [name for name, gpio in names().items() if gpio == self.gpio]

    def pin(self) -> int:
        """Its number."""
        return self.gpio

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pin) and other.gpio == self.gpio

    def __hash__(self) -> int:
        return hash(self.gpio)

    def __repr__(self) -> str:
        return f"Pin({self._id})"

    def __str__(self) -> str:
        return f"Pin({self._id})"


class Signal:
    """Signal(pin, invert=False), or Signal(id, mode, ..., invert=): a pin, on or off."""

    def __init__(self, pin: Any, *args: Any, invert: bool = False, **options: Any) -> None:
        has_value = isinstance(pin, Pin) or (hasattr(pin, "value") and not args and not options)
        self._pin = pin if has_value else Pin(pin, *args, **options)
        self._invert = bool(invert)

    def value(self, x: Any = None) -> int | None:
        """Whether it is on, or with `x`: whether it is to be."""
        if x is None:
            return int(bool(self._pin.value()) != self._invert)
        self._pin.value(int(bool(x) != self._invert))
        return None

    __call__ = value

    def on(self) -> None:
        """Make it active."""
        self.value(1)

    def off(self) -> None:
        """Make it inactive."""
        self.value(0)
