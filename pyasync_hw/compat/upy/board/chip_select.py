"""Chip select by hand: a program lowers a pin, writes and reads, and raises it.

A Linux SPI device has a chip select of its own, for each message.  So what is written while
the pin that was lowered last is low waits for what comes after it, to be one message: for
a read, for any pin that changes, or for a while.
"""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import Callable

from ...service import service

__all__ = ["ChipSelect", "chip_select"]

_WHILE_S = 0.25  # for a pin that is low, and no chip select: an LED's


class ChipSelect:
    """The pin that was lowered last, if it is low, and what is to be sent before one changes."""

    def __init__(self) -> None:
        self._low: weakref.ref[object] | None = None
        self._send: Callable[[], None] | None = None
        self._waits = 0  # how often it did
        self._guarded = False

    @property
    def is_low(self) -> bool:
        """May what is written be the beginning of a message?"""
        return self._low is not None and self._low() is not None

    def pin_changes(self, line: object, value: bool) -> None:
        """A pin is going to be driven to `value`."""
        self.send()
        if not value:
            self._low = weakref.ref(line)
        elif self._low is not None and self._low() is line:
            self._low = None

    def wait(self, send: Callable[[], None]) -> None:
        """Have it called when the message is over."""
        if self._send is not None:
            return
        self._send = send
        self._waits += 1
        if not self._guarded:
            self._guarded = True
            atexit.register(self.send)
            service.spawn(self._guard())

    def send(self) -> None:
        """The message is over."""
        send, self._send = self._send, None
        if send is not None:
            send()

    async def _guard(self) -> None:
        """While there are messages: send one that has waited for long."""
        try:
            while self._send is not None:
                waits = self._waits
                await asyncio.sleep(_WHILE_S)
                if self._waits == waits:
                    self.send()
        finally:
            self._guarded = False
            atexit.unregister(self.send)


chip_select = ChipSelect()
