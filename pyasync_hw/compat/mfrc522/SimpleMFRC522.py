"""mfrc522.SimpleMFRC522: the number of a tag, and 48 characters on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..hints import no_such_name
from . import sector
from .BasicMFRC522 import BasicMFRC522
from .MFRC522 import MFRC522

__all__ = ["SimpleMFRC522"]


class SimpleMFRC522:
    """Tags at one reader, READER; the arguments are those of MFRC522.

    read(), read_id() and write() sleep until there is a tag; see MFRC522.wait_for_tag()
    for what else ends them.  A tag that stays is read again and again.
    """

    READER: Any = None
    KEY: Sequence[int] = [0xFF] * 6
    BLOCK_ADDRS: Sequence[int] = [8, 9, 10]
    TRAILER_BLOCK = 11

    def __init__(self, *args: Any, **options: Any) -> None:
        self.READER = MFRC522(*args, **options)

    def _sector(self) -> tuple[Any, Sequence[int], int, Sequence[int]]:
        return self.READER, self.KEY, self.TRAILER_BLOCK, self.BLOCK_ADDRS

    def uid_to_num(self, uid: Sequence[int]) -> int:
        """The number of a UID: four bytes and their check byte, the first one highest."""
        return sector.uid_to_num(uid)

    def read_id_no_block(self) -> int | None:
        """The number of a tag in the field, or None."""
        uid = sector.find(self.READER)
        return None if uid is None else self.uid_to_num(uid)

    def read_id(self) -> int:
        """The number of a tag, as soon as there is one."""
        number: int = sector.until_found(self.READER, self.read_id_no_block)
        return number

    def read_no_block(self) -> tuple[int | None, str | None]:
        """(number, text) of a tag in the field, or (None, None); without the key no text."""
        return sector.read_text(*self._sector()) or (None, None)

    def read(self) -> tuple[int, str]:
        """(number, text) of a tag, as soon as there is one."""
        result: tuple[int, str] = sector.until_found(self.READER, self.read_no_block)
        return result

    def write_no_block(self, text: str) -> tuple[int | None, str | None]:
        """(number, the text that fits) of a tag that was written to, or (None, None)."""
        return sector.write_text(*self._sector(), text) or (None, None)

    def write(self, text: str) -> tuple[int, str]:
        """Write to a tag, as soon as there is one: (number, the text that fits)."""
        result: tuple[int, str] = sector.until_found(self.READER, lambda: self.write_no_block(text))
        return result

    # -- as mfrc522-python has it --------------------------------------------------------

    @property
    def MFRC522(self) -> Any:
        """READER."""
        return self.READER

    @property
    def BasicMFRC522(self) -> BasicMFRC522:
        """The same reader, for all sectors."""
        return BasicMFRC522(self.KEY, self.READER)

    def close(self) -> None:
        """READER.Close_MFRC522()."""
        self.READER.Close_MFRC522()

    def write_uid(self, *args: Any, **options: Any) -> tuple[int, list[int]]:
        """See BasicMFRC522.write_uid()."""
        return self.BasicMFRC522.write_uid(*args, **options)

    def write_block0(self, data: Sequence[int]) -> tuple[list[int], list[int]]:
        """See BasicMFRC522.write_block0()."""
        return self.BasicMFRC522.write_block0(data)


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
