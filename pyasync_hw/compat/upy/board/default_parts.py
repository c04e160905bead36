"""What a simulated board has for MicroPython's programs, when no file says what it has.

A pyboard's accelerometer, and what its programs and those for ESP boards have on I2C; an
ADC.  It is wired when a program first wants one of them; what is there already stays.
"""

from __future__ import annotations

import errno
import weakref
from typing import Any

from .... import hardware
from ....hardware import PartWiring

__all__ = ["DEFAULT_PARTS", "wire_default_parts"]

DEFAULT_PARTS = (
    PartWiring("mma7660", "accelerometer"),
    PartWiring("bmp180", "barometer"),
    PartWiring("ssd1306", "display"),
    PartWiring("dht", "dht"),
    PartWiring("adc", "adc", {"volts": 1.65}),
)
_PICO_THERMOMETER, _AT_27_DEGREES = 4, 0.706

_wired: weakref.WeakSet[Any] = weakref.WeakSet()


def wire_default_parts(board: hardware.Backend) -> None:
    """Wire them to a simulated board of which no file says anything; once."""
    from .... import sim

    if not isinstance(board, sim.Board) or board.names is not None or board in _wired:
        return
    _wired.add(board)
    there = [*board.parts]
    for wiring in DEFAULT_PARTS:
        part = wiring.make()
        if any(type(one) is type(part) or one.name == part.name for one in there):
            continue
        if isinstance(part, sim.ADC):
            part.set(_AT_27_DEGREES, channel=_PICO_THERMOMETER)
        try:
            board.attach(part)
        except OSError as exc:  # something else is there
            if exc.errno != errno.EBUSY:
                raise
