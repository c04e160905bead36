"""MicroPython's module pyb: a pyboard's LEDs, switch, accelerometer and clocks, on our devices."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from ...hardware import current
from ..hints import no_such_name
from . import machine
from .board.buses import I2C as _I2C
from .board.buses import SPI, to_bytes
from .board.converters import ADC as _ADC
from .board.converters import PWM
from .board.pins import Pin
from .board.timers import Timer as _Timer
from .machine import RTC, disable_irq, enable_irq, freq, unique_id
from .machine import reset as hard_reset

__all__ = [
    "ADC",
    "I2C",
    "LED",
    "RTC",
    "SPI",
    "Accel",
    "ExtInt",
    "Pin",
    "Servo",
    "Switch",
    "Timer",
    "delay",
    "disable_irq",
    "elapsed_micros",
    "elapsed_millis",
    "enable_irq",
    "freq",
    "hard_reset",
    "info",
    "main",
    "micros",
    "millis",
    "rng",
    "standby",
    "stop",
    "sync",
    "udelay",
    "unique_id",
    "wfi",
]

_began_at = time.monotonic_ns()
main_file: list[str] = []  # what main() was called with last


def delay(ms: float) -> None:
    """Sleep for milliseconds."""
    if ms > 0:
        time.sleep(ms / 1000)


def udelay(us: float) -> None:
    """Sleep for microseconds."""
    if us > 0:
        time.sleep(us / 1e6)


def millis() -> int:
    """Milliseconds since the program began."""
    return (time.monotonic_ns() - _began_at) // 1_000_000


def micros() -> int:
    """Microseconds since the program began."""
    return (time.monotonic_ns() - _began_at) // 1000


def elapsed_millis(start: int) -> int:
    """Since `start`, of millis()."""
    return millis() - start


def elapsed_micros(start: int) -> int:
    """Since `start`, of micros()."""
    return micros() - start


def wfi() -> None:
    """Wait for an interrupt, or the next tick: 1 ms."""
    time.sleep(0.001)


stop = machine.lightsleep
standby = machine.deepsleep


def rng() -> int:
    """A random number of 30 bits."""
    return int.from_bytes(os.urandom(4), "big") >> 2


def sync() -> None:
    """Have files written to the disk."""
    os.sync()


def main(filename: str) -> None:
    """In boot.py: run that file of its folder when it has ended, not main.py."""
    main_file[:] = [filename]


def info(dump_alloc_table: Any = None) -> None:
    """Print what this is."""
    print(f"pyasync_hw on {current().name}; Python {sys.version}")


class LED:
    """LED(1) to LED(4): the pins LED1 to LED4 of the board."""

    def __init__(self, id: int) -> None:
        if id not in range(1, 5):
            raise ValueError(f"LED({id}) doesn't exist")
        self._id = id
        self._pin = Pin(f"LED{id}")
        self._pwm: PWM | None = None
        if self._pin.line.mode != Pin.OUT:
            self._pin.init(Pin.OUT)

    def on(self) -> None:
        """Light it."""
        self._switch(True)

    def off(self) -> None:
        """Put it out."""
        self._switch(False)

    def toggle(self) -> None:
        """The other one."""
        self._switch(not self._pin.line.latch)

    def _switch(self, lit: bool) -> None:
        if self._pwm is not None:
            self._pwm.deinit()
            self._pwm = None
        self._pin.value(lit)

    def intensity(self, value: int | None = None) -> int | None:
        """0 (off) to 255, by a wave of 200 Hz in between."""
        if value is None:
            if self._pwm is not None:
                return round((self._pwm.duty_u16() or 0) / 257)
            return 255 if self._pin.line.latch else 0
        value = max(0, min(255, value))
        if value in (0, 255):
            self._switch(value == 255)
        else:
            self._pwm = PWM(self._pin, 200, duty_u16=value * 257)
        return None

    def __repr__(self) -> str:
        return f"LED({self._id})"


class Switch:
    """Switch(): the button between pin SW of the board and ground."""

    def __init__(self) -> None:
        self._pin = Pin("SW", Pin.IN, Pin.PULL_UP)

    def value(self) -> bool:
        """Whether it is pressed."""
        return not self._pin.value()

    __call__ = value

    def callback(self, fun: Callable[[], object] | None) -> None:
        """Have `fun()` called when it is pressed; None: no more."""
        handler = None if fun is None else (lambda pin: fun())
        self._pin.irq(handler, Pin.IRQ_FALLING)


class ExtInt:
    """ExtInt(pin, mode, pull, callback): has `callback(line)` called at edges of a pin."""

    IRQ_RISING, IRQ_FALLING, IRQ_RISING_FALLING = 1, 2, 3

    def __init__(self, pin: Any, mode: int, pull: Any, callback: Callable[[int], object]) -> None:
        self._pin = Pin(pin, Pin.IN, pull)
        self._mode, self._callback = mode, callback
        self.enable()

    def line(self) -> int:
        """The number of its pin."""
        return self._pin.gpio

    def enable(self) -> None:
        """Edges call back, from now on."""
        self._pin.irq(lambda pin: self._callback(self._pin.gpio), self._mode)

    def disable(self) -> None:
        """Edges do not."""
        self._pin.irq(None)

    def swint(self) -> None:
        """Call back now."""
        self._callback(self._pin.gpio)


class Accel:
    """Accel(): the board's MMA7660, at 0x4c of its I2C bus.  Raises OSError if there is none."""

    _ADDRESS, _TILT, _MODE = 0x4C, 3, 7
    _SAMPLES = 4

    def __init__(self) -> None:
        self._i2c = _I2C()
        self.write(self._MODE, 0)
        self.write(self._MODE, 1)
        self._before: list[tuple[int, int, int]] = []

    def read(self, reg: int) -> int:
        """A register."""
        return self._i2c.readfrom_mem(self._ADDRESS, reg, 1)[0]

    def write(self, reg: int, value: int) -> None:
        """Set a register."""
        self._i2c.writeto_mem(self._ADDRESS, reg, bytes([value]))

    def _axis(self, reg: int) -> int:
        raw = self.read(reg) & 0x3F
        return raw - 64 if raw & 0x20 else raw

    def x(self) -> int:
        """-32 to 31; a g is 21."""
        return self._axis(0)

    def y(self) -> int:
        """As x()."""
        return self._axis(1)

    def z(self) -> int:
        """As x()."""
        return self._axis(2)

    def tilt(self) -> int:
        """The register TILT."""
        return self.read(self._TILT)

    def filtered_xyz(self) -> tuple[int, int, int]:
        """The sums of this and the last three samples."""
        self._before = [*self._before[1 - self._SAMPLES :], (self.x(), self.y(), self.z())]
        while len(self._before) < self._SAMPLES:
            self._before.append(self._before[-1])
        x, y, z = (sum(axis) for axis in zip(*self._before, strict=True))
        return x, y, z


class ADC(_ADC):
    """ADC(pin): an analog input of 12 bits."""

    def __init__(self, pin: Any) -> None:
        super().__init__(pin)
        self._bits = 12

    def read_timed(self, buf: Any, timer: Any) -> None:
        """Fill `buf` at a rate: a Timer, or a frequency in Hz."""
        hz: float = timer._hz if isinstance(timer, Timer) else timer
        shift = 4 if memoryview(buf).itemsize == 1 else 0
        due = time.monotonic()
        for place in range(len(buf)):
            buf[place] = self.read() >> shift
            due += 1 / hz
            time.sleep(max(0.0, due - time.monotonic()))


class I2C(_I2C):
    """I2C(bus, mode): with pyb's words; `mode` is I2C.MASTER."""

    MASTER, SLAVE = 0, 1

    def __init__(self, bus: Any = 1, mode: int = MASTER, **options: Any) -> None:
        self.init_mode(mode)
        super().__init__({"X": 1, "Y": 2}.get(bus, bus))

    def init_mode(self, mode: int) -> None:
        """Raises ValueError for I2C.SLAVE, which a Raspberry Pi's bus is not."""
        if mode != self.MASTER:
            raise ValueError("mode must be I2C.MASTER")

    def init(self, mode: Any = MASTER, *_: Any, **options: Any) -> None:  # type: ignore[override]
        """Open it again."""
        self.init_mode(mode)
        super().init()

    def is_ready(self, addr: int) -> bool:
        """Whether somebody answers there."""
        return addr in self.scan()

    @staticmethod
    def _data(data: Any) -> bytes:
        return bytes([data & 0xFF]) if isinstance(data, int) else to_bytes(data)

    def mem_read(
        self, data: Any, addr: int, memaddr: int, *, timeout: int = 5000, addr_size: int = 8
    ) -> Any:
        """Read `data` bytes, or fill the buffer `data`, from a register on."""
        if isinstance(data, int):
            return self.readfrom_mem(addr, memaddr, data, addrsize=addr_size)
        self.readfrom_mem_into(addr, memaddr, data, addrsize=addr_size)
        return data

    def mem_write(
        self, data: Any, addr: int, memaddr: int, *, timeout: int = 5000, addr_size: int = 8
    ) -> None:
        """Write a byte or a buffer to a register."""
        self.writeto_mem(addr, memaddr, self._data(data), addrsize=addr_size)

    def send(self, send: Any, addr: int = 0, *, timeout: int = 5000) -> None:
        """Write a byte or a buffer."""
        self.writeto(addr, self._data(send))

    def recv(self, recv: Any, addr: int = 0, *, timeout: int = 5000) -> Any:
        """Read `recv` bytes, or fill the buffer `recv`."""
        if isinstance(recv, int):
            return self.readfrom(addr, recv)
        self.readfrom_into(addr, recv)
        return recv


class _Channel:
    """A channel of a pyb.Timer: a wave on a pin."""

    def __init__(self, timer: Timer, pin: Any, percent: float) -> None:
        self._timer = timer
        self._pwm = PWM(pin, max(1, round(timer.freq() or 1)))
        self.pulse_width_percent(percent)

    def pulse_width_percent(self, value: float | None = None) -> float | None:
        """0 to 100."""
        if value is None:
            return (self._pwm.duty_u16() or 0) / 655.35
        self._pwm.duty_u16(round(max(0, min(100, value)) * 655.35))
        return None

    def pulse_width(self, value: int | None = None) -> int | None:
        """In the timer's ticks: of its period."""
        period = self._timer.period() + 1
        if value is None:
            return round((self.pulse_width_percent() or 0) * period / 100)
        self.pulse_width_percent(100 * value / period)
        return None


class Timer(_Timer):
    """Timer(id, *, freq=, or prescaler= and period=, callback=), and waves by channel()."""

    PWM, PWM_INVERTED, OC_TIMING, OC_ACTIVE, OC_INACTIVE, OC_TOGGLE, IC = range(7)
    UP, DOWN, CENTER = 0, 1, 2
    _SOURCE_HZ = 84_000_000

    def __init__(self, id: int = -1, **options: Any) -> None:
        super().__init__(id)
        self._hz, self._period = 1.0, 0xFFFF
        if options:
            self.init(**options)

    def init(self, **options: Any) -> None:
        """freq in Hz, or prescaler and period in ticks; callback."""
        if "freq" in options:
            self._hz = options["freq"]
        elif "period" in options:
            self._period = options["period"]
            self._hz = self._SOURCE_HZ / (options.get("prescaler", 0) + 1) / (self._period + 1)
        self._callback = options.get("callback", self._callback)
        self.callback(self._callback)

    def callback(self, fun: Callable[[Any], object] | None) -> None:
        """Have `fun(timer)` called each time; None: no more."""
        self._callback = fun
        if fun is None:
            self.deinit()
        else:
            super().init(mode=self.PERIODIC, freq=self._hz, callback=fun)

    def channel(self, channel: int, mode: int = PWM, **options: Any) -> _Channel:
        """A wave on `pin`, with pulse_width_percent or pulse_width."""
        if mode != self.PWM or "pin" not in options:
            raise ValueError("a channel is Timer.PWM, with a pin")
        found = _Channel(self, options["pin"], options.get("pulse_width_percent", 0))
        if "pulse_width" in options:
            found.pulse_width(options["pulse_width"])
        return found

    def freq(self, value: float | None = None) -> float | None:
        """In Hz."""
        if value is None:
            return self._hz
        self.init(freq=value)
        return None

    def period(self, value: int | None = None) -> int:
        """In ticks, less one."""
        if value is not None:
            self.init(period=value)
        return self._period


class Servo:
    """Servo(1) to Servo(4): a servo on X1 to X4; pulses of 0.64 to 2.42 ms, 50 a second."""

    def __init__(self, id: int | Pin) -> None:
        self._pin = id if isinstance(id, Pin) else Pin(f"X{id}")
        self._min, self._max, self._centre = 640, 2420, 1500
        self._at_90, self._at_100 = 2470, 2200
        self._us = self._centre
        self._pwm = PWM(self._pin, 50, duty_ns=1000 * self._us)

    def pulse_width(self, value: int | None = None) -> int | None:
        """In microseconds."""
        if value is None:
            return self._us
        self._us = round(max(self._min, min(self._max, value)))
        self._pwm.duty_ns(1000 * self._us)
        return None

    def angle(self, angle: float | None = None, time_ms: int = 0) -> float | None:
        """In degrees; it takes `time_ms` to get there, during which nothing else happens."""
        return self._position(angle, time_ms, 90, self._at_90)

    def speed(self, speed: float | None = None, time_ms: int = 0) -> float | None:
        """Of a servo that turns on and on, -100 to 100."""
        return self._position(speed, time_ms, 100, self._at_100)

    def _position(self, wanted: float | None, time_ms: int, full: int, at: int) -> float | None:
        per_unit = (at - self._centre) / full
        if wanted is None:
            return round((self._us - self._centre) / per_unit)
        start, end = self._us, self._centre + wanted * per_unit
        steps = max(1, time_ms // 20)
        for step in range(1, steps + 1):
            self.pulse_width(round(start + (end - start) * step / steps))
            if step < steps:
                time.sleep(0.02)
        return None

    def calibration(self, *pulses: int) -> tuple[int, ...] | None:
        """(shortest, longest, centre[, at 90 degrees, at speed 100]), in microseconds."""
        if not pulses:
            return self._min, self._max, self._centre, self._at_90, self._at_100
        self._min, self._max, self._centre = pulses[:3]
        if len(pulses) == 5:
            self._at_90, self._at_100 = pulses[3:]
        return None


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
