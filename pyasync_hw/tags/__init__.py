"""Tags: what a reader has found, by class.

match await reader.wait_for_tag():
    case MifareClassic() as tag:
        await tag.authenticate(4, key=b"\\xff" * 6)
        data = await tag.read(4)
    case tag:
        print(tag.uid.hex(), tag.product)
"""

from __future__ import annotations

from ..reader.chip import Chip
from .mifare_classic import BlockingMifareClassic, MifareClassic
from .tag import BlockingTag, Tag, product_of

__all__ = [
    "BlockingMifareClassic",
    "BlockingTag",
    "MifareClassic",
    "Tag",
    "make_tag",
    "product_of",
]

# NXP AN10833, table 6: bit 4 of SAK (0x08) says MIFARE Classic.
_SAK_CLASSIC = 0x08


def make_tag(chip: Chip, atqa: bytes | None, uid: bytes, sak: int) -> Tag:
    """The tag class for what the card has answered (SAK decides; ATQA may collide)."""
    kind = MifareClassic if sak & _SAK_CLASSIC else Tag
    return kind(chip, uid, atqa, sak)
