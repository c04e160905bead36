"""The event loop, and what stands around it; the C half is csrc/loop."""

from __future__ import annotations

from . import forked as forked
from .event_loop import EventLoop, new_event_loop

__all__ = ["EventLoop", "new_event_loop"]

# As in hardware/__init__.py.
for _name in __all__:
    globals()[_name].__module__ = __name__
