"""Event loop policies for an asyncio that has none (Python 3.16 on).

Put into asyncio.events, with the functions that ask them.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import events, unix_events
from typing import Any

from ..patches import Patches

__all__ = ["AbstractEventLoopPolicy", "DefaultEventLoopPolicy", "install"]


class AbstractEventLoopPolicy:
    """Whom asyncio asks for event loops: subclasses have these three methods."""

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        """The current event loop; raises RuntimeError if there is none."""
        raise NotImplementedError

    def set_event_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Make `loop` the current one."""
        raise NotImplementedError

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A new event loop, which is not the current one yet."""
        raise NotImplementedError


class DefaultEventLoopPolicy(AbstractEventLoopPolicy):
    """One current loop a thread."""

    class _Local(threading.local):
        _loop: asyncio.AbstractEventLoop | None = None

    def __init__(self) -> None:
        self._local = self._Local()

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        if self._local._loop is None:
            name = threading.current_thread().name
            raise RuntimeError(f"There is no current event loop in thread {name!r}.")
        return self._local._loop

    def set_event_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        if loop is not None and not isinstance(loop, asyncio.AbstractEventLoop):
            kind = type(loop).__name__
            raise TypeError(f"loop must be an instance of AbstractEventLoop or None, not '{kind}'")
        self._local._loop = loop

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop()


def get_event_loop_policy() -> Any:
    """The policy that was set, or the default one."""
    if events._event_loop_policy is None:  # type: ignore[attr-defined]
        policy = unix_events.DefaultEventLoopPolicy()
        events._event_loop_policy = policy  # type: ignore[attr-defined]
    return events._event_loop_policy  # type: ignore[attr-defined]


def set_event_loop_policy(policy: Any) -> None:
    """Make `policy` the process's; None brings back the default one."""
    if policy is not None and not isinstance(policy, AbstractEventLoopPolicy):
        kind = type(policy).__name__
        raise TypeError(
            f"policy must be an instance of AbstractEventLoopPolicy or None, not '{kind}'"
        )
    events._event_loop_policy = policy  # type: ignore[attr-defined]


def get_event_loop() -> asyncio.AbstractEventLoop:
    """The loop that runs, else the policy's current one."""
    loop: asyncio.AbstractEventLoop = (
        asyncio._get_running_loop() or get_event_loop_policy().get_event_loop()
    )
    return loop


def set_event_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """Make `loop` the policy's current one."""
    get_event_loop_policy().set_event_loop(loop)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A new event loop of the policy."""
    loop: asyncio.AbstractEventLoop = get_event_loop_policy().new_event_loop()
    return loop


def install(patches: Patches) -> None:
    """Names, and the functions in place of asyncio's own."""
    patches.set(events, "_event_loop_policy", None)
    for kind in (AbstractEventLoopPolicy, DefaultEventLoopPolicy):
        kind.__module__ = "asyncio"
    patches.set(events, "AbstractEventLoopPolicy", AbstractEventLoopPolicy)
    patches.set(events, "BaseDefaultEventLoopPolicy", DefaultEventLoopPolicy)
    functions = (get_event_loop_policy, set_event_loop_policy)
    for func in (*functions, get_event_loop, set_event_loop, new_event_loop):
        for module in (asyncio, events):
            patches.set(module, func.__name__, func)
