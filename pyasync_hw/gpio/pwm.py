"""PWM: a square wave on a line."""

from __future__ import annotations

import errno
import warnings
from typing import Literal, NamedTuple

from .. import _core, hardware
from ..hardware import LineSettings
from ..hardware.backend import level, number
from ..hardware.device import ClosedOnError, DeviceLife
from ..hardware.pins import parse_pin
from ..hardware.pwm import how_to_enable

__all__ = ["PWM", "Jitter", "wave"]

FREQUENCY_MIN, FREQUENCY_MAX = 0.001, 1e6


def wave(frequency: float, duty: float) -> tuple[int, int]:
    """(period, time on) in nanoseconds, of at least 1 us and at most 11 days."""
    period = round(min(max(1e9 / frequency, 1e3), 1e15))
    return period, round(period * duty)


class Jitter(NamedTuple):
    """How late the edges of a wave were, in seconds: half of them, 99 %, and all by no more.

    p50 and p99 are known to 3 %, and count up to 36 minutes.  `missed` periods were left
    out, since they were over when the thread came to them.
    """

    edges: int
    missed: int
    p50: float
    p99: float
    max: float


class PWM(DeviceLife):
    """A line that is high for a part of each period; it begins when it is opened.

    spec, chip, board as for Input.  frequency: 0.001 to 1e6 Hz.  duty: 0 to 1, how much of
    a period the line is on; 0 and 1 are levels.  A change of either begins with the next
    period.  rest: the value of a wave that is stopped, and of the line when it is closed,
    for as long as nobody else takes it.  active_low: on is low.

    A pin that an overlay (pwm, pwm-2chan) has given to the kernel's PWM is that; when a
    change begins is up to its driver.  On other real lines one thread of the process makes
    all waves, and `jitter` says how well.  On a simulated board they are the board's, and
    exact, also on a virtual clock.
    kernel: True takes nothing less than the kernel's PWM on real hardware; False takes the
    line itself.  realtime: have the thread run with real-time priority (SCHED_FIFO), as
    long as it makes waves; a RuntimeWarning says when the system does not permit that, and
    `realtime` whether it does.
    Raises OSError (EBUSY: in use, and by whom; ENODEV: unplugged; ENOENT: no PWM of the
    kernel, and what would give the pin one), ValueError.
    """

    __slots__ = ("_core", "_duty", "_frequency", "_running", "_wants_realtime", "spec")

    def __init__(
        self,
        spec: int | str,
        frequency: float,
        *,
        duty: float = 0.0,
        rest: int = 0,
        active_low: bool = False,
        kernel: bool | None = None,
        realtime: bool = False,
        chip: str | None = None,
        board: hardware.Backend | None = None,
        consumer: str = "pyasync_hw",
    ) -> None:
        if not isinstance(spec, (int, str)):
            raise TypeError(f"a pin is a GPIO number or a name such as 'GPIO17', not {spec!r}")
        self.spec = spec
        self._frequency = number("frequency", frequency, FREQUENCY_MIN, FREQUENCY_MAX)
        self._duty = number("duty", duty, 0, 1)
        backend = hardware.chosen(board, chip)
        core = None
        if isinstance(backend, hardware.KernelBackend) and kernel is not False:
            core = None if chip else backend.open_pwm(spec, active_low, level(rest))
            if core is None and kernel:
                raise _no_kernel_pwm(spec, chip)
        if core is None:
            settings = LineSettings(
                direction="output", active_low=active_low, output_value=level(rest)
            )
            line = backend.request_lines({spec: settings}, consumer, chip=chip)
            with ClosedOnError(line):
                core = _core.pwm_of_line(line, level(rest))
        self._core = core
        self._running = False
        self._wants_realtime = realtime
        hardware.use_running_loop(self._core)
        with ClosedOnError(core):
            self.start()

    def start(self) -> None:
        """Begin again after stop(); it has begun already when it was opened."""
        self._core.start(*wave(self._frequency, self._duty))
        self._running = True
        if self._wants_realtime:
            self._be_realtime()

    def _be_realtime(self) -> None:
        try:
            self._core.be_realtime()
        except PermissionError:
            warnings.warn(
                f"{self!r} runs without real-time priority, which the system does not permit: "
                "it takes CAP_SYS_NICE, or a limit (rtprio in /etc/security/limits.conf, "
                "LimitRTPRIO= of a service) of 1 or more",
                RuntimeWarning,
                stacklevel=4,
            )

    def stop(self) -> None:
        """To its resting value, at once; start() goes on.  Idempotent."""
        self._core.stop()
        self._running = False

    @property
    def running(self) -> bool:
        """Whether start() was called, and neither stop() nor close() since then."""
        return self._running and not self.closed

    @property
    def frequency(self) -> float:
        """Hz; assign to change it from the next period on."""
        return self._frequency

    @frequency.setter
    def frequency(self, frequency: float) -> None:
        self.change(frequency=frequency)

    @property
    def duty(self) -> float:
        """0 to 1; assign to change it from the next period on."""
        return self._duty

    @duty.setter
    def duty(self, duty: float) -> None:
        self.change(duty=duty)

    def change(self, *, frequency: float | None = None, duty: float | None = None) -> None:
        """Both in one step, from the next period on."""
        new_frequency, new_duty = self._frequency, self._duty
        if frequency is not None:
            new_frequency = number("frequency", frequency, FREQUENCY_MIN, FREQUENCY_MAX)
        if duty is not None:
            new_duty = number("duty", duty, 0, 1)
        if self._running:
            self._core.start(*wave(new_frequency, new_duty))
        self._frequency, self._duty = new_frequency, new_duty

    @property
    def jitter(self) -> Jitter:
        """How late the edges were since start().  Raises what ended the wave: OSError."""
        return Jitter(*self._core.jitter())

    @property
    def realtime(self) -> bool:
        """Whether a thread with real-time priority makes the wave now."""
        return self._core.is_realtime()

    @property
    def made_by(self) -> Literal["thread", "simulator", "kernel"]:
        """Who makes the wave."""
        return self._core.made_by

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self._core.closed

    def close(self) -> None:
        """To its resting value, and give the line back; idempotent."""
        self._core.close()

    def _begin(self) -> None:
        _ = self._core.made_by  # raises when it is closed

    def __repr__(self) -> str:
        state = "closed" if self.closed else "running" if self._running else "stopped"
        return f"<PWM {self.spec!r} {self._frequency:g} Hz, {self._duty:.3g} on, {state}>"


def _no_kernel_pwm(spec: int | str, chip: str | None) -> OSError:
    if chip is not None:
        return OSError(errno.ENOENT, "only pins of the header have the kernel's PWM", str(spec))
    remedy = how_to_enable(parse_pin(spec))
    return OSError(errno.ENOENT, f"no PWM of the kernel: {remedy}", str(spec))
