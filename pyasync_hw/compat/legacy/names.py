"""Names that moved or went, where they were; and `from asyncio import *` with them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import selectors
import sys
from asyncio import base_futures, coroutines, futures, locks, queues, streams, subprocess, tasks
from types import ModuleType
from typing import Any

from ..patches import Patches
from . import compat_module, generators, test_utils
from .locks import Held

__all__ = ["install"]

# Up to Python 3.7 these were in futures; futures.Error was concurrent.futures' own.
_ERRORS: dict[str, Any] = {
    "CancelledError": asyncio.CancelledError,
    "Error": concurrent.futures._base.Error,
    "InvalidStateError": asyncio.InvalidStateError,
    "TimeoutError": asyncio.TimeoutError,
}
# Module -> what it lacks.  `async` is no identifier any more: getattr() finds it.
_NAMES: dict[ModuleType, dict[str, Any]] = {
    asyncio: {
        "JoinableQueue": asyncio.Queue,
        "async": asyncio.ensure_future,
        "compat": compat_module,
        "selectors": selectors,
        "test_utils": test_utils,
    },
    base_futures: _ERRORS,
    coroutines: {"_DEBUG": coroutines._is_debug_mode()},  # type: ignore[attr-defined]
    futures: _ERRORS,
    locks: {"_ContextManager": Held, "coroutine": generators.coroutine},
    queues: {"JoinableQueue": asyncio.Queue, "coroutine": generators.coroutine},
    streams: {
        "IncompleteReadError": asyncio.IncompleteReadError,
        "LimitOverrunError": asyncio.LimitOverrunError,
        "coroutine": generators.coroutine,
    },
    subprocess: {"coroutine": generators.coroutine},
    tasks: {
        "async": asyncio.ensure_future,
        "coroutine": generators.coroutine,
        "iscoroutine": asyncio.iscoroutine,
        "iscoroutinefunction": generators.iscoroutinefunction,
    },
}
_IN_ALL = (
    *("AbstractChildWatcher", "FastChildWatcher", "MultiLoopChildWatcher"),
    *("PidfdChildWatcher", "SafeChildWatcher", "ThreadedChildWatcher"),
    *("get_child_watcher", "set_child_watcher"),
    *("AbstractEventLoopPolicy", "DefaultEventLoopPolicy"),
    *("get_event_loop_policy", "set_event_loop_policy"),
    *("JoinableQueue", "async", "coroutine", "iscoroutinefunction"),
)


def install(patches: Patches) -> None:
    """Last of all: `__all__` lists what the others have added."""
    for module, values in _NAMES.items():
        for name, value in values.items():
            patches.add(module, name, value)
    for module in (compat_module, test_utils):
        patches.set_item(sys.modules, module.__name__, module)
    known = set(asyncio.__all__)
    added = [name for name in _IN_ALL if name in vars(asyncio) and name not in known]
    patches.set(asyncio, "__all__", (*asyncio.__all__, *added))
