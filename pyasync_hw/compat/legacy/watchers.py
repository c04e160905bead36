"""Child watchers (gone in 3.14): children are waited for by pidfd, as the loop does it.

asyncio needs none any more to start children, in whatever thread; what a program can
still want of them is a call when a child of its own exits.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import events, unix_events
from collections.abc import Callable
from typing import Any

from ..patches import Patches

__all__ = ["install"]


class AbstractChildWatcher:
    """What every child watcher is."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._children: dict[int, tuple[asyncio.AbstractEventLoop, int]] = {}

    def attach_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The loop that calls handlers where none runs when they are added."""
        self._loop = loop

    def is_active(self) -> bool:
        """Whether it can be used: always."""
        return True

    def add_child_handler(self, pid: int, callback: Callable[..., object], *args: Any) -> None:
        """Call `callback(pid, returncode, *args)` in the loop when the child `pid` exits.

        Raises ProcessLookupError if there is no such child, RuntimeError without a loop.
        """
        loop = asyncio._get_running_loop() or self._loop
        if loop is None:
            raise RuntimeError("the child watcher has no loop: call attach_loop()")
        self.remove_child_handler(pid)
        pidfd = os.pidfd_open(pid)
        self._children[pid] = loop, pidfd
        loop.add_reader(pidfd, self._exited, pid, callback, args)

    def _exited(self, pid: int, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.remove_child_handler(pid)
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:  # somebody else was first, and knows the status
            returncode = 255
        else:
            returncode = os.waitstatus_to_exitcode(status)
        callback(pid, returncode, *args)

    def remove_child_handler(self, pid: int) -> bool:
        """Forget the handler of `pid`; whether there was one."""
        if pid not in self._children:
            return False
        loop, pidfd = self._children.pop(pid)
        if not loop.is_closed():
            loop.remove_reader(pidfd)
        os.close(pidfd)
        return True

    def close(self) -> None:
        """Forget all handlers."""
        for pid in list(self._children):
            self.remove_child_handler(pid)

    def __enter__(self) -> AbstractChildWatcher:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


class BaseChildWatcher(AbstractChildWatcher):
    """The name's sake of the two that had SIGCHLD."""


class SafeChildWatcher(BaseChildWatcher):
    """As AbstractChildWatcher."""


class FastChildWatcher(BaseChildWatcher):
    """As AbstractChildWatcher: it takes no other child's status."""


class MultiLoopChildWatcher(AbstractChildWatcher):
    """As AbstractChildWatcher."""


class ThreadedChildWatcher(AbstractChildWatcher):
    """As AbstractChildWatcher, without a thread."""


class PidfdChildWatcher(AbstractChildWatcher):
    """As AbstractChildWatcher."""


_WATCHERS = (
    AbstractChildWatcher,
    SafeChildWatcher,
    FastChildWatcher,
    PidfdChildWatcher,
    MultiLoopChildWatcher,
    ThreadedChildWatcher,
)


def _policy_get_child_watcher(self: Any) -> AbstractChildWatcher:
    watcher: AbstractChildWatcher | None = getattr(self, "_watcher", None)
    if watcher is None:
        watcher = self._watcher = PidfdChildWatcher()
    return watcher


def _policy_set_child_watcher(self: Any, watcher: AbstractChildWatcher | None) -> None:
    if watcher is not None and not isinstance(watcher, AbstractChildWatcher):
        raise TypeError(f"not a child watcher: {watcher!r}")
    self._watcher = watcher


def get_child_watcher() -> Any:
    """The child watcher of the policy."""
    return asyncio.get_event_loop_policy().get_child_watcher()  # type: ignore[attr-defined,unused-ignore]


def set_child_watcher(watcher: AbstractChildWatcher | None) -> None:
    """Give the policy another child watcher."""
    asyncio.get_event_loop_policy().set_child_watcher(watcher)  # type: ignore[attr-defined,arg-type,unused-ignore]


def install(patches: Patches, policy: Any) -> None:
    """The names that asyncio lacks, and the methods that its `policy` class does."""
    if hasattr(events, "get_child_watcher"):
        return
    for kind in _WATCHERS:
        kind.__module__ = "asyncio"
        for module in (asyncio, unix_events):
            patches.set(module, kind.__name__, kind)
    patches.set(unix_events, "BaseChildWatcher", BaseChildWatcher)
    patches.set(policy, "get_child_watcher", _policy_get_child_watcher)
    patches.set(policy, "set_child_watcher", _policy_set_child_watcher)
    for func in (get_child_watcher, set_child_watcher):
        for module in (asyncio, events):
            patches.set(module, func.__name__, func)
