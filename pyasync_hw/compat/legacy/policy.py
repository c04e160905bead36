"""A current loop outside a running one (gone in 3.14), and whose loops are ours."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable
from typing import Any

from ..patches import Patches

__all__ = ["install", "leave", "make_policy", "use"]


def make_policy(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> Any:
    """A policy whose loops come from `loop_factory`.

    In the main thread the current loop is made on demand, on every Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        base: Any = asyncio.DefaultEventLoopPolicy

    class LegacyEventLoopPolicy(base):  # type: ignore[misc]
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return loop_factory()

        def get_event_loop(self) -> asyncio.AbstractEventLoop:
            on_main = threading.current_thread() is threading.main_thread()
            if self._local._loop is None and on_main:
                self.set_event_loop(self.new_event_loop())
            loop: asyncio.AbstractEventLoop = super().get_event_loop()
            return loop

    return LegacyEventLoopPolicy()


def _set_policy(policy: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(policy)


def install(patches: Patches) -> None:
    """Nothing yet: use() sets the policy."""


def use(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Make a policy of `loop_factory` the process's."""
    _set_policy(make_policy(loop_factory))


def leave() -> None:
    """Back to asyncio's own."""
    _set_policy(None)
