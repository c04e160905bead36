"""What RC522 classes of older libraries have in common: one chip, by verbs and by registers.

Opened at the first use, used by one thread at a time, given back by close(): also in a
signal handler that interrupts a verb of the same thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from .. import _core, rc522
from ..errors import RC522Error
from .spidev import SpiDev

__all__ = ["ReaderBase"]

# ComIEnReg, DivIEnReg, TModeReg, TPrescalerReg: programs write them, to arm the interrupt or
# to see whether a register keeps what is written; the native reader set them up.
_SET_UP_ONCE = (0x02, 0x03, 0x2A, 0x2B)


class ReaderBase:
    """`options` are those of rc522.Reader."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._lock = threading.RLock()
        self._users = 0  # verbs that this thread, which has the lock, is in
        self._stopped = False
        self._to_close = False
        self._opening = False
        self._opened = contextlib.ExitStack()
        self._reader: rc522.Reader | None = None
        self._overwritten: dict[int, int] = {}  # registers, and what the reader had in them

    def _blocking(self) -> rc522.BlockingReader:
        """The native reader, opened again if it was given back, its registers as it left them."""
        reader = self._opened_reader().blocking
        overwritten, self._overwritten = self._overwritten, {}
        for address, value in overwritten.items():
            self.spi.xfer2([address << 1, value])
        return reader

    def _opened_reader(self) -> rc522.Reader:
        if self._reader is None:
            self._open()
        assert self._reader is not None
        return self._reader

    def _open(self) -> None:
        if self._opening:  # in a signal handler
            raise RuntimeError(f"{self!r} is busy: one operation at a time")
        self._opening = True
        try:
            if self._reader is None:  # looked at now: no handler opens it from here on
                self._open_now()
        finally:
            self._opening = False

    def _open_now(self) -> None:
        with contextlib.ExitStack() as opened:  # one that fails keeps nothing
            reader = opened.enter_context(contextlib.closing(rc522.Reader(**self._options)))
            self._set_up(reader, opened)
            self._opened = opened.pop_all()
        self._reader = reader

    def _set_up(self, reader: rc522.Reader, opened: contextlib.ExitStack) -> None:
        """A new reader's chip; what else belongs to it is closed with `opened`."""
        reader.blocking.open()

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """This thread's turn; whoever ends it does what close() could not in a signal handler."""
        with self._lock:
            self._users += 1
            try:
                yield
            finally:
                self._users -= 1
                if self._to_close and not self._users:
                    self._give_back()

    @property
    def native_spi(self) -> _core.SPIDevice:
        """The SPI device, which counts its messages."""
        with self._in_use():
            return self._opened_reader().spi

    @property
    def spi(self) -> SpiDev:
        """The SPI device as spidev's, for programs that talk to registers themselves."""
        return SpiDev.of_device(self.native_spi)

    def _try(self, verb: Callable[..., Any], *args: Any, **options: Any) -> tuple[bool, Any]:
        """(error, result) of a verb of the native reader."""
        with self._in_use():
            try:
                return False, verb(self._blocking(), *args, **options)
            except RC522Error:
                return True, None

    def _exchange(self, frame: bytes, bits: int) -> tuple[bool, list[int], int]:
        """(error, answer, its bits) of a frame with its CRC, and `bits` of its last byte."""
        error, answer = self._try(rc522.BlockingReader.transceive_bits, frame, bits=bits)
        if error:
            return True, [], 0
        data, last_bits = answer
        return False, list(data), 8 * len(data) - (8 - last_bits if last_bits else 0)

    def _write_register(self, address: int, value: int) -> None:
        if address in _SET_UP_ONCE and address not in self._overwritten:
            self._overwritten[address] = self._read_register(address)
        self.spi.xfer2([address << 1 & 0x7E, value])

    def _read_register(self, address: int) -> int:
        value: int = self.spi.xfer2([address << 1 & 0x7E | 0x80, 0])[1]
        return value

    def _end_waits(self) -> None:
        """End what blocks, in whatever thread."""

    def _give_back(self) -> None:
        self._reader = None
        self._overwritten.clear()
        self._to_close = False
        self._opened.close()

    def close(self) -> None:
        """End waits wherever they block, and give the reader back; idempotent.

        In a signal handler that interrupts a verb of this thread, the verb gives it back
        when it ends, which a wait does at once.
        """
        self._stopped = True
        self._end_waits()
        with self._lock:  # free as soon as the waiting thread has left
            if self._users:
                self._to_close = True
            else:
                self._give_back()
