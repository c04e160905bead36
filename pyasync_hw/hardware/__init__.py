"""The hardware under a program: backends that open lines and buses, and what is wired.

A backend opens lines, SPI devices and I2C buses: the kernel's or a simulated board.
"""

from __future__ import annotations

# get_type_hints() looks here for what the classes name.
from collections.abc import Mapping as Mapping
from typing import Any as Any
from typing import Literal as Literal

from .backend import Backend, ChipBackend, LineSettings
from .backend import Duration as Duration
from .choice import Use, chosen, current, keep_to_the_end, set_default, use
from .device import use_running_loop
from .kernel import KernelBackend, is_raspberry_pi
from .names import BoardNames
from .wiring import ConfigError, Loops, PartWiring, ReaderWiring, Wiring, load_board

__all__ = [
    "Backend",
    "BoardNames",
    "ChipBackend",
    "ConfigError",
    "KernelBackend",
    "LineSettings",
    "Loops",
    "PartWiring",
    "ReaderWiring",
    "Use",
    "Wiring",
    "chosen",
    "current",
    "is_raspberry_pi",
    "keep_to_the_end",
    "load_board",
    "set_default",
    "use",
    "use_running_loop",
]

# They are pickled by the name under which they are documented.
for _name in __all__:
    globals()[_name].__module__ = __name__
