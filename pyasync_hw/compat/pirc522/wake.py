"""RFID.irq: an Event that ends a blocked wait_for_tag() when it is set."""

from __future__ import annotations

import threading
import weakref

from ... import CancelToken

__all__ = ["SharedWake", "Wake"]


class Wake(threading.Event):
    """The `irq` of one reader.

    A set() that nobody waits for is kept for the next wait: a program that sets
    it while its executor has not begun to wait must not hang.
    """

    def __init__(self) -> None:
        super().__init__()
        self._token: CancelToken | None = None

    def set(self) -> None:
        """End the wait that runs, or the next one."""
        super().set()
        if (token := self._token) is not None:
            token.cancel()

    def begin(self) -> CancelToken:
        """A wait begins: the token that ends it."""
        token = self._token = CancelToken()
        if self.is_set():  # since before set() could see the token
            token.cancel()
        return token

    def end(self) -> None:
        """The wait is over: the next one starts afresh."""
        self._token = None
        self.clear()


class SharedWake(threading.Event):
    """The class attribute RFID.irq, which pi-rc522's readers share: sets all of them."""

    def __init__(self) -> None:
        super().__init__()
        self._wakes: weakref.WeakSet[Wake] = weakref.WeakSet()

    def add(self, wake: Wake) -> None:
        """`wake` belongs to a reader that is there."""
        self._wakes.add(wake)

    def set(self) -> None:
        """End the waits of all readers."""
        super().set()
        for wake in list(self._wakes):
            wake.set()
