"""The hardware under a program: backends that open lines and buses, and what is wired.

A backend opens lines, SPI devices and I2C buses: the kernel's or a simulated board.
"""

from __future__ import annotations

from .backend import NO_ANSWER, Backend, ChipBackend, LineSettings
from .choice import Use, chosen, current, keep_to_the_end, set_default, use
from .device import use_running_loop
from .kernel import KernelBackend, is_raspberry_pi
from .wiring import ConfigError, PartWiring, ReaderWiring, Wiring, load_board

__all__ = [
    "NO_ANSWER",
    "Backend",
    "ChipBackend",
    "ConfigError",
    "KernelBackend",
    "LineSettings",
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
_PUBLIC = (
    Backend,
    ChipBackend,
    ConfigError,
    KernelBackend,
    LineSettings,
    PartWiring,
    ReaderWiring,
    Wiring,
)
for _public in _PUBLIC:
    _public.__module__ = __name__
