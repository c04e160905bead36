"""mfrc522.BasicMFRC522 of mfrc522-python: text in any sector, by the sector's last block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..hints import no_such_name
from . import sector
from .MFRC522 import MFRC522

__all__ = ["BasicMFRC522"]

_SECTOR_SIZE = 48  # bytes, without the last block


class BasicMFRC522:
    """Tags at one reader; methods without "no" in their names sleep until there is one."""

    def __init__(self, KEY: Sequence[int] = (0xFF,) * 6, reader: Any = None) -> None:
        self.MFRC522: Any = MFRC522() if reader is None else reader
        self.KEY = KEY

    def close(self) -> None:
        """MFRC522.Close_MFRC522()."""
        self.MFRC522.Close_MFRC522()

    def _sector(self, trailer_block: int) -> tuple[Any, Sequence[int], int, Sequence[int]]:
        if (trailer_block + 1) % 4:
            raise ValueError(f"Invalid Trailer Block {trailer_block}")
        blocks = range(trailer_block - 3, trailer_block)
        return self.MFRC522, self.KEY, trailer_block, blocks

    def _until_found(self, attempt: Any) -> Any:
        return sector.until_found(self.MFRC522, attempt)

    def read_id_no_block(self) -> int | None:
        """The number of a tag in the field, or None."""
        uid = sector.find(self.MFRC522)
        return None if uid is None else sector.uid_to_num(uid)

    def read_id(self) -> int:
        """The number of a tag, as soon as there is one."""
        number: int = self._until_found(self.read_id_no_block)
        return number

    def read_no_block(self, trailer_block: int) -> tuple[int | None, str | None]:
        """(number, text) of a sector, or (None, None); without the key no text."""
        return sector.read_text(*self._sector(trailer_block)) or (None, None)

    def read_sector(self, trailer_block: int) -> tuple[int, str]:
        """(number, text) of a sector."""
        result: tuple[int, str] = self._until_found(lambda: self.read_no_block(trailer_block))
        return result

    def read_sectors(self, trailer_blocks: Iterable[int]) -> tuple[int, str]:
        """(number, text) of several sectors."""
        found = [self.read_sector(block) for block in trailer_blocks]
        return found[-1][0], "".join(text for _, text in found)

    def write_no_block(self, text: object, trailer_block: int) -> tuple[int | None, str | None]:
        """(number, the text that fits) of a sector, or (None, None)."""
        try:
            result = sector.write_text(*self._sector(trailer_block), str(text))
        except UnicodeEncodeError:
            return None, None
        return result or (None, None)

    def write_sector(self, text: object, trailer_block: int) -> tuple[int, str]:
        """Write text to a sector: (number, the text that fits)."""
        result: tuple[int, str] = self._until_found(
            lambda: self.write_no_block(text, trailer_block)
        )
        return result

    def write_sectors(self, text: str, trailer_blocks: Iterable[int]) -> tuple[int, str]:
        """Write text to several sectors, as many as it takes."""
        parts = [text[at : at + _SECTOR_SIZE] for at in range(0, len(text), _SECTOR_SIZE)]
        parts[-1] = parts[-1].ljust(_SECTOR_SIZE, "\0")
        written = [self.write_sector(*pair) for pair in zip(parts, trailer_blocks, strict=False)]
        return written[-1][0], "".join(part for _, part in written)

    def clear_no_sector(self, trailer_block: int) -> int | None:
        """Fill a sector with zeros: the tag's number, or None."""
        return sector.write_bytes(*self._sector(trailer_block), bytes(_SECTOR_SIZE))

    def clear_sector(self, trailer_block: int) -> int:
        """Fill a sector with zeros: the tag's number."""
        number: int = self._until_found(lambda: self.clear_no_sector(trailer_block))
        return number

    def clear_sectors(self, trailer_blocks: Iterable[int]) -> int:
        """Fill several sectors with zeros: the tag's number."""
        return [self.clear_sector(block) for block in trailer_blocks][-1]

    # -- tags whose UID may be changed -------------------------------------------------

    def write_block0_no_block(
        self, data: Sequence[int]
    ) -> tuple[list[int], list[int]] | tuple[None, None]:
        """(UID, block) of a tag whose block 0 was written, or (None, None)."""
        if len(data) != 16:
            raise ValueError("Block 0 data must be exactly 16 bytes.")
        if not self.MFRC522.MIFARE_OpenUidBackdoor():
            return None, None
        self.MFRC522.MFRC522_Write(0, data)
        return list(data[:4]), list(data)

    def write_block0(self, data: Sequence[int]) -> tuple[list[int], list[int]]:
        """Write block 0, as soon as there is a tag that allows it: (UID, block)."""
        result: tuple[list[int], list[int]] = self._until_found(
            lambda: self.write_block0_no_block(data)
        )
        return result

    def _block0(
        self,
        uid: Sequence[int],
        sak: int = 0x08,
        atqa: Sequence[int] | None = None,
        manufacturer_data: Sequence[int] | None = None,
    ) -> list[int]:
        if len(uid) != 4:
            raise ValueError("UID must be exactly 4 bytes.")
        bcc = uid[0] ^ uid[1] ^ uid[2] ^ uid[3]
        return [*uid, bcc, sak, *(atqa or (0x04, 0x00)), *(manufacturer_data or bytes(8))]

    def write_uid_no_block(
        self, *args: Any, **options: Any
    ) -> tuple[int, list[int]] | tuple[None, None]:
        """As write_uid(), but (None, None) without such a tag."""
        block = self._block0(*args, **options)
        uid, written = self.write_block0_no_block(block)
        if uid is None or written is None:
            return None, None
        return sector.uid_to_num(block), written

    def write_uid(self, *args: Any, **options: Any) -> tuple[int, list[int]]:
        """Change a UID of four bytes: (uid, sak=8, atqa=None, manufacturer_data=None)."""
        block = self._block0(*args, **options)
        return sector.uid_to_num(block), self.write_block0(block)[1]


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
