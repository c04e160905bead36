"""One channel of RPi.GPIO: a line that is input or output, in turn, and never let go between.

As an output it may have a square wave, which another user of the line makes.
"""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from typing import Literal

from .. import _core, hardware
from ..gpio.edges import next_edge
from ..gpio.lines import Line
from ..gpio.pwm import wave
from ..hardware import LineSettings
from ..hardware.pins import HEADER_GPIOS

__all__ = ["Bias", "Channel", "now_ns"]

Bias = Literal["disabled", "pull_down", "pull_up"]


def now_ns(board: hardware.Backend) -> int:
    """Now, on the clock of the time stamps there."""
    clock = getattr(board, "clock", None)
    return time.monotonic_ns() if clock is None else int(clock.time_ns())


class Channel(Line):
    """A GPIO, on the header or not; at first as it is, which another program may have left."""

    def __init__(
        self,
        gpio: int,
        settings: LineSettings | None = None,
        board: hardware.Backend | None = None,
    ) -> None:
        board = board or hardware.current()
        chip = None if gpio in HEADER_GPIOS else board.find_line(0)[0]
        self._pid = os.getpid()
        self._pwm: _core.PWM | None = None
        super().__init__(gpio, settings or LineSettings(), chip, board, "pyasync_hw")
        self._gpio = gpio

    def another_user(self) -> Channel:
        """The same line once more, with its own edges from now on."""
        return Channel(self._gpio, self._settings, self._backend)

    def now_ns(self) -> int:
        """Now, on the clock of its edges' time stamps."""
        return now_ns(self._backend)

    @property
    def is_input(self) -> bool:
        return self._settings.direction == "input"

    @property
    def is_output(self) -> bool:
        return self._settings.direction == "output"

    @property
    def is_gone(self) -> bool:
        """Whether its board was closed, or its chip unplugged."""
        try:
            self._core.get(1)
        except OSError as exc:
            return exc.errno == errno.ENODEV
        return False

    def be_input(self, bias: Bias) -> None:
        """With edges from now on, or from when it became an input; its pull may change.

        One that does without a pull leaves the pull that another user of the line has.
        """
        self.end_wave()
        changes = {"direction": "input", "edge_detection": "both", "output_value": False}
        try:
            self._reconfigure(bias=bias, **changes)
        except OSError as exc:
            if exc.errno != errno.EBUSY or bias != "disabled":
                raise
            self._reconfigure(bias="as_is", **changes)

    def be_output(self, value: bool) -> None:
        """At `value`; without edges."""
        if self.is_output:
            self.drive(value)
        else:
            self._reconfigure(
                direction="output", bias="as_is", edge_detection="none", output_value=value
            )

    def drive(self, value: bool) -> None:
        """The level of an output."""
        self._core.set(1, int(value))

    def make_wave(self, frequency: float, duty: float) -> None:
        """A wave on an output; if there is one, it changes with its next period."""
        period, high = wave(frequency, duty)
        if self._pwm is None or self._pwm.closed:
            settings = replace(self._settings, output_value=bool(self.value))
            self._pwm = _core.pwm_of_line(Channel(self._gpio, settings, self._backend)._core, False)
        self._pwm.start(period, high)

    def end_wave(self) -> None:
        """Low from now on, if there was a wave.  Idempotent."""
        pwm, self._pwm = self._pwm, None
        if pwm is not None:
            pwm.close()

    def close(self) -> None:
        """As an Output's, and the end of its wave."""
        self.end_wave()
        super().close()

    def let_go(self) -> None:
        """Close it as an input: newer kernels of the Pi leave a line driven that is closed.

        In a fork's child only close it: the parent drives it.
        """
        try:
            if self._pid == os.getpid():
                self.be_input("disabled")
        except OSError as exc:
            # A board that is gone drives nothing, and one of several users leaves the line.
            if exc.errno not in (errno.ENODEV, errno.EBUSY):
                raise
        finally:
            self.close()

    def clear(self) -> None:
        """Forget the edges that nobody has taken."""
        self._core.clear()

    async def next_edge(self) -> _core.EdgeEvent:
        """As Input.wait_for_edge()."""
        return await next_edge(self._core, "both")

    def take_edge(self) -> _core.EdgeEvent | None:
        """The oldest edge that nobody has taken, if there is one."""
        return self._core.take("both")

    def block_for_edge(self, timeout: float | None, token: _core.CancelToken) -> _core.EdgeEvent:
        """As Input.blocking.wait_for_edge()."""
        return self._core.wait_edge_blocking("both", timeout, token)
