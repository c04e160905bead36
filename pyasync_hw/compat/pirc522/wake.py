"""RFID.irq: an Event that is set by the interrupt pin, and whose set() ends wait_for_tag()."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator

from ... import CancelToken
from ...gpio import Input
from ..legacy.cancelled import FutureCancelledError

__all__ = ["SharedWake", "Wake"]


class Wake(threading.Event):
    """The `irq` of one reader.

    A set() that nobody waits for is kept for the next wait: a program that sets
    it while its executor has not begun to wait must not hang.  A falling edge of the pin
    sets it, too, for wait() and is_set(); wait_for_tag() has its own look at the pin.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tokens: set[CancelToken] = set()  # of those who wait
        self._line: Input | None = None
        self._fell = False

    def follow(self, line: Input) -> None:
        """`line` is the interrupt pin, until it is closed."""
        self._line = line

    def set(self) -> None:
        """End the waits that run, or the next one."""
        super().set()
        self._wake()

    def _wake(self) -> None:
        for token in list(self._tokens):
            token.cancel()

    def clear(self) -> None:
        """Forget set() and edges."""
        super().clear()
        self._take_edge()
        self._fell = False

    def _take_edge(self) -> None:
        line = self._line
        if line is None:
            return
        with contextlib.suppress(ValueError):  # it is closed
            self._fell = line._core.take("falling") is not None or self._fell
            line.clear()

    @contextlib.contextmanager
    def blind(self) -> Iterator[None]:
        """Edges that come meanwhile do not count: our own set-up tries the pin."""
        self._take_edge()
        try:
            yield
        finally:
            if self._line is not None:
                with contextlib.suppress(ValueError):  # it is closed
                    self._line.clear()

    def is_set(self) -> bool:
        """Whether set() was called, or the pin fell, since clear()."""
        self._take_edge()
        return self._fell or super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Until set() is called or the pin falls; False after `timeout` seconds."""
        line = self._line
        if line is None or line.closed:
            return super().wait(timeout)
        token = CancelToken()
        self._tokens.add(token)
        try:
            if not self.is_set():
                line.blocking.wait_for_edge("falling", timeout, token)
                self._fell = True
                self._wake()  # the others, who saw no edge
        except TimeoutError:
            return False
        except (OSError, ValueError):  # cleanup() has set() and then closed the line
            if not line.closed:
                raise
            return super().wait(timeout)
        except FutureCancelledError:
            pass  # by set(), or by the edge that another thread saw
        finally:
            self._tokens.discard(token)
        return True

    def begin(self) -> CancelToken:
        """A wait for a tag begins: the token by which set() ends it."""
        token = CancelToken()
        self._tokens.add(token)
        if super().is_set():  # since before set() could see the token
            token.cancel()
        return token

    def end(self, token: CancelToken) -> None:
        """The wait is over: the next one starts afresh."""
        self._tokens.discard(token)
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
