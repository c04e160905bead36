"""A native asyncio event loop on which GPIO edges, SPI transfers and RFID tags are awaitable."""

from __future__ import annotations

from ._core import CancelToken, VirtualClock
from .errors import SleepForeverError

__version__ = "0.1.0"

__all__ = ["CancelToken", "SleepForeverError", "VirtualClock", "__version__"]
