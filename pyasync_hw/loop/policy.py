"""The event loop policy, for programs that still set one.

Imported only when somebody asks for it: asyncio's policies are deprecated in
Python 3.14 and gone in 3.16.
"""

from __future__ import annotations

import asyncio
import warnings

from . import EventLoop, new_event_loop

__all__ = ["EventLoopPolicy"]

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    _base = getattr(asyncio, "DefaultEventLoopPolicy", None)

if _base is None:
    raise ImportError(
        "this Python's asyncio has no event loop policies any more; use "
        "asyncio.run(main(), loop_factory=pyasync_hw.new_event_loop)"
    )


class EventLoopPolicy(_base):  # type: ignore[misc,valid-type]
    """Makes an EventLoop of this package for whoever asks asyncio for a loop."""

    __module__ = "pyasync_hw"

    def new_event_loop(self) -> EventLoop:
        return new_event_loop()
