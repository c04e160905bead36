"""A reentrant lock of threads whose waits can be cancelled, as all blocking waits here."""

from __future__ import annotations

from .._core import CancelToken, Turnstile


class ThreadLock:
    """threading.RLock, first come first served; acquire() can be cancelled.

    It is handed over: who releases it makes the one who waits longest its owner, and
    cancels that one's token.  A signal handler may use it at any point: what changes
    its state is one call into C.
    """

    def __init__(self) -> None:
        self._turns = Turnstile()

    def acquire(self, timeout: float | None = None, token: CancelToken | None = None) -> bool:
        """False after `timeout` seconds.

        concurrent.futures.CancelledError when `token`, or the job of our executor that
        this is, is cancelled.
        """
        mine = CancelToken()
        try:
            self._turns.take(mine)
            if not mine.cancelled():
                mine.wait(timeout, token)
            return not self._turns.give_up(mine)
        except BaseException:
            self._turns.retreat(mine)  # it may have been handed over at the last moment
            raise

    def release(self) -> None:
        """Once for each acquire(), by the thread that has it."""
        self._turns.leave()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()
