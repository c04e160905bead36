"""A native asyncio event loop on which GPIO edges and RFID tags are awaitable."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from ._core import CancelToken, VirtualClock
from .loop import EventLoop, new_event_loop

if TYPE_CHECKING:
    from . import executor as executor
    from . import gpio as gpio
    from . import insight as insight
    from . import rc522 as rc522
    from . import sim as sim
    from . import spi as spi
    from . import tags as tags
    from .delay import Delay
    from .errors import SleepForeverError, TimeLimitError
    from .loop.policy import EventLoopPolicy  # deprecated in Python
    from .loop.runners import install, run

importlib.import_module(".loop.forked", __name__)  # it registers itself

__version__ = "0.1.0"

__all__ = [
    "CancelToken",
    "Delay",
    "EventLoop",
    "SleepForeverError",
    "TimeLimitError",
    "VirtualClock",
    "__version__",
    "executor",
    "gpio",
    "i2c",
    "insight",
    "install",
    "new_event_loop",
    "rc522",
    "run",
    "sim",
    "spi",
    "tags",
]
if sys.version_info < (3, 16):
    __all__ += ["EventLoopPolicy"]


# Only programs that use them pay for importing them.
_MODULES = ("executor", "gpio", "i2c", "insight", "rc522", "sim", "spi", "tags")
_FOUND_IN = {
    "Delay": "delay",
    "EventLoopPolicy": "loop.policy",
    "SleepForeverError": "errors",
    "TimeLimitError": "errors",
    "install": "loop.runners",
    "run": "loop.runners",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _FOUND_IN:
        return getattr(importlib.import_module(f"{__name__}.{_FOUND_IN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_FOUND_IN})
