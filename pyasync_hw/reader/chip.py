"""One reader chip: who uses it, what ends their waits, and when it is given back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from typing import Any

from .. import _core
from ..errors import WiringError
from .failures import Failures, Outcome
from .thread_lock import ThreadLock

__all__ = ["Chip"]


class Chip:
    """One reader chip, and what both ports share of it; whoever drops it last gives
    its bus and lines (`opened`) back."""

    def __init__(
        self,
        core: _core.MFRC522,
        failures: Failures,
        opened: contextlib.ExitStack,
    ) -> None:
        self.core = core
        self.name = failures.name
        self.failures = failures
        self.closed = False
        self._opened = opened
        self._given_back = False
        self._pid = os.getpid()
        self.wiring_error: WiringError | None = None
        self.lock = asyncio.Lock()
        self.thread_lock = ThreadLock()
        # What ends the blocking verb that runs, and those that its signal handlers run.
        self.stops: list[_core.CancelToken] = []
        self.blocks = False  # a thread is between an operation's start and its outcome
        # A card that a cancelled wait_for_tag() had just found, and when.
        self.found: tuple[Any, asyncio.AbstractEventLoop, float] | None = None

    def notice_fork(self) -> None:
        """In a forked child: locks of its own, for threads of the parent hold the others."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self.lock = asyncio.Lock()
            self.thread_lock = ThreadLock()
            self.stops.clear()
            self.blocks = False

    def check_open(self) -> None:
        """Raises ValueError once close() was called."""
        if self.closed:
            raise ValueError(f"{self.name} is closed")

    def cancel_blocking(self) -> None:
        """End the blocking waits that run."""
        for stop in list(self.stops):
            stop.cancel()

    def close(self) -> None:
        """See Reader.close()."""
        if self._given_back:
            return
        self._given_back = self.closed = True
        try:
            self.notice_fork()
            self.cancel_blocking()
            with self.thread_lock:
                self.core.close(self._opened.close)
        except BaseException:  # Ctrl+C while another thread had the lock, say
            self._given_back = False  # it can be done again
            raise

    def unwrap(self, outcome: Outcome, tag: bytes | None) -> Any:
        """The result of an operation; raises what its error means."""
        error, result = outcome
        self._check_lines()
        if error is None:
            return result
        raise self.failures.exception(error, tag)

    def _check_lines(self) -> None:
        """Say once that a line does nothing; the reader works without."""
        core, failures = self.core, self.failures
        if self.wiring_error is not None or not core.ready:
            return
        if failures.irq is not None and not core.irq_works:
            self.wiring_error = failures.dead_irq()
        elif failures.reset is not None and not core.reset_works:
            self.wiring_error = failures.dead_reset()
        else:
            return
        warnings.warn(str(self.wiring_error), RuntimeWarning, stacklevel=2)
