"""What one operation of the soak is given, and the table of all operations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from .account import Account, Expectation


@dataclass
class Shared:
    """What the operations on one loop share."""

    loop: asyncio.AbstractEventLoop
    account: Account
    native: bool  # ours: then asyncio's weaknesses are not excused
    new_loop: Callable[[], asyncio.AbstractEventLoop]
    tokens: bool = False  # does the default executor give its jobs cancel tokens?
    locks: dict[object, asyncio.Lock] = field(default_factory=dict)


class Step:
    """One operation's own random numbers, and the account."""

    def __init__(self, shared: Shared, name: str, number: int, seed: int) -> None:
        self.loop = shared.loop
        self.account = shared.account
        self.native = shared.native
        self.new_loop = shared.new_loop
        self.shared = shared
        self.name = name
        self.number = number
        self.rng = Random(seed)

    def expect(self, kind: str, note: object = "") -> Expectation:
        return self.account.expect(kind, f"of {self.name} {self.number} {note}")

    def note(self, text: str) -> None:
        self.account.note(f"{self.name} {self.number}: {text}")

    def check(self, right: object, text: str) -> None:
        if not right:
            self.account.fail(f"{self.name} {self.number}: {text}")

    def lock(self, key: object) -> asyncio.Lock:
        """Of what the process has only one of, as a signal's handler."""
        return self.shared.locks.setdefault(key, asyncio.Lock())

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    async def turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)


Operation = Callable[[Step], Awaitable[None]]
OPERATIONS: dict[str, tuple[Operation, float]] = {}


def operation(weight: float) -> Callable[[Operation], Operation]:
    """Put a coroutine function into the table; one of weight 2 runs twice as often."""

    def add(function: Operation) -> Operation:
        name = function.__name__  # type: ignore[attr-defined]
        assert name not in OPERATIONS
        OPERATIONS[name] = (function, weight)
        return function

    return add
