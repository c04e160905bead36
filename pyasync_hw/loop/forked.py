"""In the child of a fork, the loops that it inherits are closed, and the parent's go on.

A loop that has never run is the child's own instead, with all that was scheduled.
The C half closes the child's copies of epolls and eventfds, or makes them anew, and
cuts devices off (csrc/py/fork.h); here is what is the interpreter's: the self-pipe,
signals, the current loop.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from asyncio import events, unix_events
from typing import Any

from .. import _core
from . import EventLoop

__all__: list[str] = []


def _after_fork() -> None:
    failure: OSError | None = None
    for inherited in _core._after_fork():
        if isinstance(inherited, _core.ThreadPool):
            inherited.drop_inherited()
        if not isinstance(inherited, EventLoop):
            continue
        if not inherited.is_closed():
            try:
                _renew_self_pipe(inherited)
                continue
            except OSError as error:  # no descriptor left
                failure = error
                inherited._closed = True
        _close_copy(inherited)
    _let_go_of_ctrl_c()
    if sys.version_info < (3, 12):  # later ones do it themselves
        _forget_current_loop()
    if failure is not None:
        raise failure


def _renew_self_pipe(loop: Any) -> None:
    if getattr(loop, "_csock", None) is None:
        return  # it was just being made or closed
    old_ssock, old_csock = loop._ssock, loop._csock
    loop._remove_reader(old_ssock.fileno())
    loop._internal_fds -= 1
    loop._make_self_pipe()
    current = signal.set_wakeup_fd(-1)
    if current == old_csock.fileno():
        current = loop._csock.fileno()
    if current != -1:
        signal.set_wakeup_fd(current)
    old_ssock.close()
    old_csock.close()


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
    current = policy._local._loop if mine else None
    if isinstance(current, EventLoop) and current.is_closed():
        policy._local = type(policy._local)()


os.register_at_fork(after_in_child=_after_fork)
