"""In the child of a fork, the loops that it inherits are closed, and the parent's go on.

The C half closes the child's copies of epolls and eventfds and cuts devices off
(csrc/py/fork.h); here is what is the interpreter's: signals, the current loop.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from asyncio import events, unix_events
from typing import Any

from . import _core
from .loop import EventLoop

__all__: list[str] = []


def _after_fork() -> None:
    for inherited in _core._after_fork():
        if isinstance(inherited, EventLoop):
            _close_copy(inherited)
    _let_go_of_ctrl_c()
    if sys.version_info < (3, 12):  # later ones do it themselves
        _forget_current_loop()


def _close_copy(loop: Any) -> None:
    """What close() does, but to the parent's half of it."""
    wakeup_socket = getattr(loop, "_csock", None)  # None: it was just being made
    if wakeup_socket is None:
        return
    for sig in list(loop._signal_handlers):
        if signal.getsignal(sig) is unix_events._sighandler_noop:  # type: ignore[attr-defined]
            default = signal.SIG_DFL if sig != signal.SIGINT else signal.default_int_handler
            signal.signal(sig, default)
    loop._signal_handlers.clear()
    current = signal.set_wakeup_fd(-1)
    if current not in (-1, wakeup_socket.fileno()):
        signal.set_wakeup_fd(current)
    loop._ssock.close()
    wakeup_socket.close()


def _let_go_of_ctrl_c() -> None:
    """A handler of the parent's Runner would cancel a task that is not run here."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, functools.partial):
        runner: Any = getattr(handler.func, "__self__", None)
        if isinstance(runner, asyncio.Runner) and isinstance(
            getattr(runner, "_loop", None), EventLoop
        ):
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _forget_current_loop() -> None:
    policy = events._event_loop_policy  # type: ignore[attr-defined]
    mine = isinstance(policy, events.BaseDefaultEventLoopPolicy)
    if mine and isinstance(policy._local._loop, EventLoop):
        policy._local = type(policy._local)()


os.register_at_fork(after_in_child=_after_fork)
