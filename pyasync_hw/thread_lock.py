"""A reentrant lock of threads whose waits can be cancelled, as all blocking waits here."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

from ._core import CancelToken


class ThreadLock:
    """threading.RLock, first come first served; acquire() can be cancelled.

    It is handed over: who releases it makes the one who waits longest its owner, and
    wakes it by its token.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()  # held for a few lines only
        self._owner: int | None = None
        self._depth = 0
        self._waiters: deque[tuple[CancelToken, int]] = deque()

    def acquire(self, timeout: float | None = None, token: CancelToken | None = None) -> bool:
        """False after `timeout` seconds.

        concurrent.futures.CancelledError when `token`, or the job of our executor that
        this is, is cancelled.
        """
        me = threading.get_ident()
        waiter = (CancelToken(), me)
        try:
            with self._mutex:
                if self._owner is None or self._owner == me:
                    self._owner = me
                    self._depth += 1
                    return True
                self._waiters.append(waiter)
            waiter[0].wait(timeout, token)
        except BaseException:
            if not self._give_up(waiter) and waiter[0].cancelled():
                self.release()  # it was handed over at the last moment
            raise
        return not self._give_up(waiter)

    def _give_up(self, waiter: tuple[CancelToken, int]) -> bool:
        """False: it does not wait (any more)."""
        with self._mutex:
            if waiter not in self._waiters:
                return False
            self._waiters.remove(waiter)
            return True

    def release(self) -> None:
        """Once for each acquire(), by the thread that has it."""
        with self._mutex:
            if self._owner != threading.get_ident():
                raise RuntimeError("cannot release un-acquired lock")
            self._depth -= 1
            if self._depth > 0:
                return
            self._owner = None
            if self._waiters:
                token, self._owner = self._waiters.popleft()
                self._depth = 1
                token.cancel()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
