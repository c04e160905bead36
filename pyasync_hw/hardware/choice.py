"""Which hardware a program uses: the kernel's, or a simulated board.

`current()` is the one that devices use when they are not given one (board=): the
innermost `with board:`, else the process's default, else what PYASYNC_HW says (sim,
real or auto).
"""

from __future__ import annotations

import os
import sys
import threading
from contextvars import ContextVar

from .. import _core
from .backend import Backend
from .kernel import KernelBackend, is_raspberry_pi

__all__ = ["Use", "chosen", "current", "keep_to_the_end", "set_default", "use"]

_current: ContextVar[Use | None] = ContextVar("pyasync_hw.hardware", default=None)
_lock = threading.RLock()  # a signal handler may come back here
if hasattr(_lock, "_at_fork_reinit"):  # as the standard library's modules do with theirs
    os.register_at_fork(after_in_child=_lock._at_fork_reinit)
_in_use: list[Use] = []  # for threads, which inherit no context
_default: Backend | None = None
_fallback: Backend | None = None  # the simulated board that nobody asked for


class Use:
    """One use(); close() ends it, in whatever context."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.ended = False
        self.before = _innermost()
        _current.set(self)
        with _lock:
            _in_use.append(self)

    def close(self) -> None:
        """The backend that was current before is current again; idempotent."""
        # Tasks that began meanwhile have it in their contexts: they see that it ended.
        self.ended = True
        _current.set(_innermost())
        with _lock:
            if self in _in_use:
                _in_use.remove(self)


def _innermost() -> Use | None:
    """The use of this context that began last and has not ended."""
    one = _current.get()
    while one is not None and one.ended:
        one = one.before
    return one


def use(backend: Backend) -> Use:
    """Make `backend` the current one: of this context, and of threads without one."""
    return Use(_checked(backend))


def _checked(backend: Backend) -> Backend:
    if not isinstance(backend, Backend):
        raise TypeError(f"board must be a sim.Board or another Backend, not {backend!r}")
    return backend


def chosen(board: Backend | None, chip: str | None = None) -> Backend:
    """`board`, or without one the current backend.  Raises TypeError for what is none.

    Where nobody has chosen one, a `chip` that this machine has is taken at its word.
    """
    if board is not None:
        return _checked(board)
    if chip is not None and not _was_chosen() and _machine_has(chip):
        return KernelBackend()
    return current()


def _was_chosen() -> bool:
    """Has the program or PYASYNC_HW said what the current backend is?"""
    if _innermost() is not None:
        return True
    with _lock:
        if _in_use or _default is not None:
            return bool(_in_use) or _default is not _fallback
    return (os.environ.get("PYASYNC_HW") or "auto") != "auto"


def _machine_has(chip: str) -> bool:
    if chip.startswith("/"):
        return os.path.exists(chip)
    try:
        _core.find_chip(chip)
    except OSError:
        return os.path.exists(f"/dev/{chip}")  # one that may not be opened
    return True


def set_default(backend: Backend | None) -> Backend | None:
    """Make `backend` the process's default, seen by all threads; the one before.

    None: decide again at the next current().
    """
    global _default
    if backend is not None:
        _checked(backend)
    with _lock:
        before = _default
        _default = backend
    return before


def keep_to_the_end(backend: Backend) -> None:
    """Let a default backend outlive all that uses it, also in a __del__ as Python exits."""
    # Module sys is the last one to go; all others are collected at once, in any order.
    sys._pyasync_hw_backend = backend  # type: ignore[attr-defined]


def current() -> Backend:
    """The backend that devices use when they are given none.

    Raises ValueError when PYASYNC_HW is none of sim, real, auto.
    """
    global _default
    innermost = _innermost()
    if innermost is not None:
        return innermost.backend
    with _lock:
        if _in_use:
            return _in_use[-1].backend
        if _default is None:
            _default = _choose()
        return _default


def _choose() -> Backend:
    global _fallback
    wanted = os.environ.get("PYASYNC_HW") or "auto"
    if wanted not in ("sim", "real", "auto"):
        raise ValueError(f"PYASYNC_HW must be sim, real or auto, not {wanted!r}")
    if wanted == "real" or (wanted == "auto" and is_raspberry_pi()):
        return KernelBackend()
    if wanted == "auto":
        print(
            "pyasync_hw: this is no Raspberry Pi: using a simulated board "
            "(PYASYNC_HW=real|sim chooses)",
            file=sys.stderr,
        )
    from ..sim import Board

    board = Board("pi-zero-w")
    keep_to_the_end(board)
    if wanted == "auto":
        _fallback = board
    return board
