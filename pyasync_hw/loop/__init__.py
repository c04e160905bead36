"""The event loop, and what stands around it; the C half is csrc/loop."""

from __future__ import annotations

from . import forked as forked
from .event_loop import EventLoop, new_event_loop

__all__ = ["EventLoop", "new_event_loop"]

for _public in (EventLoop, new_event_loop):
    _public.__module__ = __name__
