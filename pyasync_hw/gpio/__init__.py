"""GPIO lines: inputs whose edges can be awaited, and outputs.

    with gpio.Input("GPIO17", bias="pull_up") as button:
        event = await button.wait_for_edge("falling")
        async for event in button.edges():
            ...

Times in are seconds, time stamps out are nanoseconds on the loop's clock.
"""

from __future__ import annotations

# get_type_hints() looks here for what the classes name.
import asyncio as asyncio
from typing import Literal as Literal

from .._core import EdgeEvent
from ..hardware import LineSettings
from . import line as line  # gpiod's enums
from .button import Button, ButtonEvent, ButtonEvents
from .button import Kind as Kind
from .chip import BlockingChip, Chip, InfoEventIterator
from .edges import BlockingEdgeIterator, Edge, EdgeIterator
from .info import ChipInfo, InfoEvent, LineInfo
from .led import LED
from .lines import BlockingInput, Input, Output
from .pwm import PWM, Jitter
from .request import BlockingLineRequest, LineRequest, request_lines

__all__ = [
    "LED",
    "PWM",
    "BlockingChip",
    "BlockingEdgeIterator",
    "BlockingInput",
    "BlockingLineRequest",
    "Button",
    "ButtonEvent",
    "ButtonEvents",
    "Chip",
    "ChipInfo",
    "Edge",
    "EdgeEvent",
    "EdgeIterator",
    "InfoEvent",
    "InfoEventIterator",
    "Input",
    "Jitter",
    "LineInfo",
    "LineRequest",
    "LineSettings",
    "Output",
    "request_lines",
]

# They are pickled by the name under which they are documented.
for _public in [globals()[name] for name in __all__]:
    if _public.__module__.startswith(f"{__name__}."):
        _public.__module__ = __name__
