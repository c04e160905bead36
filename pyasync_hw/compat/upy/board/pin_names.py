"""Which line a MicroPython program means by a pin: numbers, and the names of its board.

A board.toml's [pins] comes first.  Without, numbers are GPIO numbers, and on a simulated
board the names of a pyboard and of ESP8266 boards mean lines, too.
"""

from __future__ import annotations

import re

from .... import hardware
from ....hardware.pins import HEADER_GPIOS, parse_pin

__all__ = ["BUILT_IN", "find_gpio", "names"]

# A pyboard's pins where a Pi's header has the same function: I2C, SPI, UART.
BUILT_IN = {
    **{"X1": 17, "X2": 27, "X3": 22, "X4": 23, "X5": 8, "X6": 11, "X7": 9, "X8": 10},
    **{"X9": 3, "X10": 2, "X11": 28, "X12": 29, "X17": 4},
    **{"X18": 30, "X19": 31, "X20": 32, "X21": 33, "X22": 34},
    **{"Y1": 14, "Y2": 15, "Y3": 12, "Y4": 16, "Y5": 18, "Y6": 21, "Y7": 19, "Y8": 20},
    **{"Y9": 1, "Y10": 0, "Y11": 35, "Y12": 36},
    **{"SW": 4, "LED1": 5, "LED2": 6, "LED3": 13, "LED4": 26},
    **{"LED_RED": 5, "LED_GREEN": 6, "LED_YELLOW": 13, "LED_BLUE": 26},
    "LED": 25,  # a Pico's
    # ESP8266, NodeMCU and D1 mini
    **{"D0": 16, "D1": 5, "D2": 4, "D3": 0, "D4": 2, "D5": 14, "D6": 12, "D7": 13, "D8": 15},
}
_GP = re.compile(r"GP(\d+)")  # a Pico's names


def _is_simulated(board: hardware.Backend) -> bool:
    return not isinstance(board, hardware.KernelBackend)


def names() -> dict[str, int]:
    """All that are known on the current board, with the GPIO of each."""
    board = hardware.current()
    own = getattr(board, "names", None)
    known = dict(BUILT_IN) if _is_simulated(board) else {}
    known.update({} if own is None else own.pins)
    return known


def find_gpio(pin: int | str) -> int:
    """The GPIO number of a pin.  Raises ValueError, which says where names are told."""
    if isinstance(pin, bool) or not isinstance(pin, (int, str)):
        raise TypeError(f"a pin is a number or a name, not {pin!r}")
    known = names()
    if str(pin) in known:
        return known[str(pin)]
    if isinstance(pin, str) and (match := _GP.fullmatch(pin)):
        pin = int(match[1])
    board = hardware.current()
    lines = len(getattr(board, "line_names", HEADER_GPIOS))
    if isinstance(pin, int) and pin not in HEADER_GPIOS and 0 <= pin < lines:
        return pin  # a simulated chip has more lines than the header
    try:
        return parse_pin(pin)
    except ValueError as exc:
        raise ValueError(f"{exc}. In board.toml, of run --board: [pins] {pin} = 17") from None
