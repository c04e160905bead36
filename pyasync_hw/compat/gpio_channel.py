"""One channel of RPi.GPIO: a line that is input or output, in turn, and never let go between."""

from __future__ import annotations

import errno
from typing import Literal

from .. import _core, hardware
from ..gpio.edges import next_edge
from ..gpio.lines import Line
from ..hardware import LineSettings
from ..hardware.pins import HEADER_GPIOS

__all__ = ["Bias", "Channel"]

Bias = Literal["disabled", "pull_down", "pull_up"]


class Channel(Line):
    """A GPIO, on the header or not; at first as it is, which another program may have left."""

    def __init__(self, gpio: int, settings: LineSettings | None = None) -> None:
        chip = None if gpio in HEADER_GPIOS else hardware.current().find_line(0)[0]
        super().__init__(gpio, settings or LineSettings(), chip, None, "pyasync_hw")
        self._gpio = gpio

    def another_user(self) -> Channel:
        """The same line once more, with its own edges from now on."""
        return Channel(self._gpio, self._settings)

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
