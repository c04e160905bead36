"""The account of a soak: what must happen exactly once, or be cancelled.

An operation calls expect() for each callback, job or result that it has coming.
Whoever does it says ran(); whoever calls it off says cancelled().  What has
happened twice, or after it was called off, fails at once; what has neither
happened nor been called off when the operations are through is lost.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Literal

LOG_LINES = 300


class Expectation:
    """One thing that must happen exactly once, or be cancelled before."""

    __slots__ = ("_account", "kind", "note", "state")

    def __init__(self, account: Account, kind: str, note: str) -> None:
        self._account = account
        self.kind = kind
        self.note = note
        self.state: Literal["coming", "ran", "cancelled"] = "coming"

    def ran(self, *_: object) -> None:
        """It happened.  Takes and ignores what a callback is given."""
        self._account.settle(self, "ran")

    def cancelled(self) -> None:
        """It was called off, and must not happen any more."""
        self._account.settle(self, "cancelled")

    def cancelled_unless_ran(self) -> None:
        """It was called off, perhaps too late: either is right."""
        self._account.settle(self, "cancelled", too_late=True)

    def __repr__(self) -> str:
        return f"{self.kind} {self.note} ({self.state})"


class Account:
    """All expectations and failures of one soak, and the log of its operations.

    Used from any thread; never in a forked child, where its lock may be held.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: set[Expectation] = set()
        self._began = time.monotonic()
        self.failures: list[str] = []
        self.operations: Counter[str] = Counter()
        self.ran: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        self.log: deque[str] = deque(maxlen=LOG_LINES)

    def note(self, text: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:9.4f} {text}")

    def fail(self, text: str) -> None:
        self.note(f"FAILED {text}")
        with self._lock:
            self.failures.append(text)

    def expect(self, kind: str, note: str = "") -> Expectation:
        expectation = Expectation(self, kind, note)
        with self._lock:
            self._coming.add(expectation)
        return expectation

    def settle(
        self,
        expectation: Expectation,
        state: Literal["ran", "cancelled"],
        *,
        too_late: bool = False,
    ) -> None:
        with self._lock:
            before = expectation.state
            if before == "coming":
                expectation.state = state
                self._coming.discard(expectation)
                (self.ran if state == "ran" else self.cancelled)[expectation.kind] += 1
                return
        if too_late and before == "ran":
            return
        self.fail(f"{state} after it was {before}: {expectation!r}")

    def coming(self) -> list[Expectation]:
        """What has neither happened nor been cancelled."""
        with self._lock:
            return list(self._coming)

    def lost(self) -> None:
        """Fail for all that is still coming: nothing is left that could bring it."""
        coming = self.coming()
        if coming:
            kinds = Counter(expectation.kind for expectation in coming)
            self.fail(f"lost: {dict(kinds)}; some of them: {coming[:10]}")
