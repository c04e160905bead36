"""The kinds of parts that a board.toml may name, and how a program adds its own.

[project.entry-points."pyasync_hw.sim.parts"]
doorbell = "my_package.parts:Doorbell"

Without a package: kind = "my_parts:Doorbell", of a my_parts.py beside the file.
"""

from __future__ import annotations

import importlib
import sys
from importlib import metadata
from typing import Any

from .accelerometer import ADXL345, MMA7660, MPU6050
from .adc import ADC
from .bmp180 import BMP180
from .button import Button
from .dht import DHT
from .hc_sr04 import HCSR04
from .led import LED
from .light_sensor import LightSensor
from .mcp3xxx import MCP3002, MCP3004, MCP3008
from .part import Part
from .ssd1306 import SSD1306
from .wire import KeyMatrix, Wire

__all__ = ["find_kind", "kinds", "register"]

GROUP = "pyasync_hw.sim.parts"

_kinds: dict[str, type[Part]] = {
    "adc": ADC,
    "adxl345": ADXL345,
    "bmp180": BMP180,
    "button": Button,
    "dht": DHT,
    "hc-sr04": HCSR04,
    "key-matrix": KeyMatrix,
    "led": LED,
    "light-sensor": LightSensor,
    "mcp3002": MCP3002,
    "mcp3004": MCP3004,
    "mcp3008": MCP3008,
    "mma7660": MMA7660,
    "mpu6050": MPU6050,
    "ssd1306": SSD1306,
    "wire": Wire,
}


def register(kind: str, part: type[Part]) -> None:
    """Let a board.toml say `[[part]] kind = "..."` for a class of one's own."""
    if not isinstance(kind, str) or not kind:
        raise TypeError(f"a kind is a name, not {kind!r}")
    if not (isinstance(part, type) and issubclass(part, Part)):
        raise TypeError(f"a part is a class of sim.Part, not {part!r}")
    _kinds[kind] = part


def _installed() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def kinds() -> list[str]:
    """All that are known, those of installed packages among them."""
    return sorted({*_kinds, *_installed()})


def find_kind(kind: str, folder: str | None = None) -> type[Part]:
    """The class of a kind, or of "module:Class", a module of Python's path or of `folder`.

    Raises LookupError, and what importing it raises.
    """
    if kind not in _kinds:
        register(kind, _import(kind, folder) if ":" in kind else _load(kind))
    return _kinds[kind]


def _load(kind: str) -> Any:
    point = _installed().get(kind)
    if point is None:
        raise LookupError(f"no kind of part is called {kind!r}")
    return point.load()


def _import(kind: str, folder: str | None) -> Any:
    module, _, name = kind.partition(":")
    path = sys.path.copy()
    if folder is not None:
        sys.path.insert(0, folder)
    try:
        return getattr(importlib.import_module(module), name)
    finally:
        sys.path[:] = path
