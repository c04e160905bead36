"""GPIO lines: inputs whose edges can be awaited, and outputs.

    with gpio.Input("GPIO17", bias="pull_up") as button:
        event = await button.wait_for_edge("falling")
        async for event in button.edges():
            ...

Times in are seconds, time stamps out are nanoseconds on the loop's clock.
"""

from __future__ import annotations

from .._core import EdgeEvent
from .edges import BlockingEdgeIterator, Edge, EdgeIterator
from .lines import BlockingInput, Input, Output
from .pwm import PWM, Jitter

__all__ = [
    "PWM",
    "BlockingEdgeIterator",
    "BlockingInput",
    "Edge",
    "EdgeEvent",
    "EdgeIterator",
    "Input",
    "Jitter",
    "Output",
]

# They are pickled by the name under which they are documented.
for _public in (BlockingEdgeIterator, BlockingInput, EdgeIterator, Input, Jitter, Output, PWM):
    _public.__module__ = __name__
