"""Parts to wire to a simulated board: Board.attach(), or [[part]] in a board.toml."""

from __future__ import annotations

from .button import Button
from .hc_sr04 import HCSR04
from .led import LED
from .mcp3xxx import MCP3002, MCP3004, MCP3008
from .part import Part, PartLine
from .registry import find_kind, kinds, register
from .wire import Joint, KeyMatrix, Wire

__all__ = [
    "HCSR04",
    "LED",
    "MCP3002",
    "MCP3004",
    "MCP3008",
    "Button",
    "Joint",
    "KeyMatrix",
    "Part",
    "PartLine",
    "Wire",
    "find_kind",
    "kinds",
    "register",
]
