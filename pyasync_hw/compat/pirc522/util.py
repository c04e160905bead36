"""pirc522.RFIDUtil: authenticates when needed, and prints, rewrites and dumps blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .rfid import RFID

__all__ = ["RFIDUtil"]

_DEFAULT_KEY = (0xFF,) * 6


class RFIDUtil:
    """Helper of one RFID; methods that talk to the tag return an error flag."""

    debug = False

    def __init__(self, rfid: RFID) -> None:
        self.rfid = rfid
        self.method: int | None = None
        self.key: Sequence[int] | None = None
        self.uid: Sequence[int] | None = None
        self.last_auth: tuple[object, ...] | None = None

    def _say(self, text: str) -> None:
        if self.debug:
            print(text)

    def block_addr(self, sector: int, block: int) -> int:
        """Number of a block of a sector of a MIFARE Classic 1K."""
        return sector * 4 + block

    def sector_string(self, block_address: int) -> str:
        """Block 7 as "S1.0B3": pi-rc522 prints the sector as a float."""
        return f"S{block_address // 4}.0B{block_address % 4}"

    def set_tag(self, uid: Sequence[int]) -> bool:
        """Select a tag for what follows; True is an error."""
        self._say(f"Selecting UID {uid}")
        if self.uid is not None:
            self.deauth()
        self.uid = uid
        return self.rfid.select_tag(uid)

    def auth(self, auth_method: int, key: Sequence[int]) -> None:
        """Remember how to authenticate: RFID.auth_a or auth_b, and six key bytes."""
        self.method = auth_method
        self.key = key
        letter = "A" if auth_method == self.rfid.auth_a else "B"
        self._say(f"Changing used auth key to {key} using method {letter}")

    def deauth(self) -> None:
        """Forget the key, and stop Crypto1."""
        self.method = None
        self.key = None
        self.last_auth = None
        self._say("Changing auth key and method to None")
        if self.rfid.authed:
            self.rfid.stop_crypto()
            self._say("Stopping crypto1")

    def is_tag_set_auth(self) -> bool:
        """Whether set_tag() and auth() were called."""
        return None not in (self.uid, self.key, self.method)

    def do_auth(self, block_address: int, force: bool = False) -> bool:
        """Authenticate for a block unless that was the last one; True is an error."""
        wanted = (block_address, self.method, self.key, self.uid)
        if self.last_auth == wanted and not force:
            self._say("Not calling card_auth - already authed")
            return False
        if self.method is None or self.key is None or self.uid is None:
            return True
        self._say(f"Calling card_auth on UID {self.uid}")
        self.last_auth = wanted
        return self.rfid.card_auth(self.method, block_address, self.key, self.uid)

    def write_trailer(
        self,
        sector: int,
        key_a: Sequence[int | None] = _DEFAULT_KEY,
        auth_bits: Sequence[int | None] = (0xFF, 0x07, 0x80),
        user_data: int | None = 0x69,
        key_b: Sequence[int | None] = _DEFAULT_KEY,
    ) -> bool:
        """Write a sector's keys and access bits; None keeps a byte.  True is an error."""
        trailer = (*key_a[:6], *auth_bits[:3], user_data, *key_b[:6])
        return self.rewrite(self.block_addr(sector, 3), trailer)

    def rewrite(self, block_address: int, new_bytes: Sequence[int | None]) -> bool:
        """Change the bytes of a block that are not None; True is an error."""
        if not self.is_tag_set_auth() or self.do_auth(block_address):
            return True
        error, data = self.rfid.read(block_address)
        if error:
            return True
        for index, new in enumerate(new_bytes):
            if new is not None:
                self._say(f"Changing pos {index} with current value {data[index]} to {new}")
                data[index] = new
        self._say(f"Writing {data} to {self.sector_string(block_address)}")
        return self.rfid.write(block_address, data)

    def read_out(self, block_address: int) -> bool | None:
        """Print a block, or that it could not be read."""
        if not self.is_tag_set_auth():
            return True
        if self.do_auth(block_address):
            print(f"Error on {self.sector_string(block_address)}")
        else:
            _, data = self.rfid.read(block_address)
            print(f"{self.sector_string(block_address)}: {data}")
        return None

    def get_access_bits(
        self, c1: Sequence[int], c2: Sequence[int], c3: Sequence[int]
    ) -> tuple[int, int, int]:
        """Bytes 6 to 8 of a sector trailer from C1, C2, C3 of its four blocks.

        MF1S50 datasheet, section 8.7.1: each nibble once as it is, once inverted.
        """
        n1, n2, n3 = (sum((bit & 1) << block for block, bit in enumerate(c)) for c in (c1, c2, c3))
        inverted1, inverted2, inverted3 = n1 ^ 0xF, n2 ^ 0xF, n3 ^ 0xF
        return inverted2 << 4 | inverted1, n1 << 4 | inverted3, n3 << 4 | n2

    def dump(self, sectors: int = 16) -> None:
        """Print all blocks of a tag of so many sectors."""
        for block in range(sectors * 4):
            self.read_out(block)
