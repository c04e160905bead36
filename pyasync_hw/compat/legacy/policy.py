"""Event loop policies (deprecated in 3.14, gone in 3.16), and whose loops are ours.

A current loop is made on demand in the main thread (no more since 3.14), also after
set_event_loop(None).  Where asyncio has no policies, the ones of fallback_policy stand in.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import events, unix_events
from collections.abc import Callable
from typing import Any

from ..patches import Patches
from . import fallback_policy, watchers

__all__ = ["install"]


def _asyncios(*names: str) -> Any:
    """The first of these that asyncio has, or None; without its warnings."""
    for module in (events, unix_events):
        for name in names:
            if name in vars(module):
                return vars(module)[name]
    return None


def _make_policy(
    base: Any, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> Callable[[], Any]:
    class DefaultEventLoopPolicy(base):  # type: ignore[misc]
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return loop_factory()

        def get_event_loop(self) -> asyncio.AbstractEventLoop:
            on_main = threading.current_thread() is threading.main_thread()
            if self._local._loop is None and on_main:
                self.set_event_loop(self.new_event_loop())
            loop: asyncio.AbstractEventLoop = super().get_event_loop()
            return loop

    DefaultEventLoopPolicy.__module__ = "asyncio"
    DefaultEventLoopPolicy.__qualname__ = "DefaultEventLoopPolicy"
    return DefaultEventLoopPolicy


def install(patches: Patches, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Make a policy whose loops come from `loop_factory` the default one, and set it."""
    base = _asyncios("_DefaultEventLoopPolicy", "DefaultEventLoopPolicy")
    if base is None:
        fallback_policy.install(patches)
        base = fallback_policy.DefaultEventLoopPolicy
    abstract = _asyncios("_AbstractEventLoopPolicy", "AbstractEventLoopPolicy")
    default = _make_policy(base, loop_factory)
    watchers.install(patches, base)
    for module in (asyncio, unix_events):
        patches.set(module, "DefaultEventLoopPolicy", default)
    # What set_event_loop_policy(None) goes back to.
    if "_DefaultEventLoopPolicy" in vars(unix_events):
        patches.set(unix_events, "_DefaultEventLoopPolicy", default)
    for module in (asyncio, events):
        patches.add(module, "AbstractEventLoopPolicy", abstract)
    patches.add(
        events,
        "BaseDefaultEventLoopPolicy",
        _asyncios("_BaseDefaultEventLoopPolicy", "_DefaultEventLoopPolicy"),
    )
    for name in ("get_event_loop_policy", "set_event_loop_policy"):
        quiet = _asyncios(f"_{name}")  # as it was, without a DeprecationWarning
        if quiet is not None:
            for module in (asyncio, events):
                patches.set(module, name, quiet)
    patches.set(events, "_event_loop_policy", default())
