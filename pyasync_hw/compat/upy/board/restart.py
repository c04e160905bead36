"""machine.reset(): the program begins anew, in the same process."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

__all__ = ["CAUSES", "allow", "cause", "restart"]

CAUSES = ("power on", "hard", "wdt", "deepsleep", "soft")
_VARIABLE = "PYASYNC_HW_RESET"
_began_in: list[str] = []  # empty: this process is not run's


def allow() -> None:
    """`run` has the process: what begins anew is the command that it was started by."""
    _began_in.append(os.getcwd())


def restart(cause: str) -> NoReturn:
    """Begin anew, from any thread.  Where this process is not `run`'s, end it: SystemExit."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # None, or closed
            stream.flush()
    if not _began_in:
        raise SystemExit(f"machine.reset(): {cause}")
    os.environ[_VARIABLE] = cause
    os.chdir(_began_in[0])
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def cause() -> int:
    """Why the program began: the place in CAUSES."""
    return CAUSES.index(os.environ.get(_VARIABLE, CAUSES[0]))
