"""What a simulated board has for MicroPython's programs, when no file says what it has.

A pyboard's accelerometer, and what its programs and those for ESP boards have on I2C; an
ADC.  It is wired when a program first wants one of them; what is there already stays.
"""

from __future__ import annotations

import errno
import weakref
from typing import Any

from ... import hardware

__all__ = ["wire_default_parts"]

_wired: weakref.WeakSet[Any] = weakref.WeakSet()


def wire_default_parts(board: hardware.Backend) -> None:
    """Wire them to a simulated board of which no file says anything; once."""
    from ... import sim

    if not isinstance(board, sim.Board) or board.names is not None or board in _wired:
        return
    _wired.add(board)
    taken = {part.name for part in board.parts}
    parts: list[sim.Part] = [
        sim.MMA7660(name="accelerometer"),
        sim.BMP180(name="barometer"),
        sim.SSD1306(name="display"),
    ]
    if not any(isinstance(part, sim.ADC) for part in board.parts):
        adc = sim.ADC(volts=1.65, name="adc")
        adc.set(0.706, channel=4)  # a Pico's thermometer: 27 degrees C
        parts.append(adc)
    for part in parts:
        if part.name in taken:
            continue
        try:
            board.attach(part)
        except OSError as exc:  # the program's test has wired something there
            if exc.errno != errno.EBUSY:
                raise
