"""MIFARE Classic: sectors that open by key (NXP MF1S50YYX/V1, MF1S70YYX/V1)."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from ..errors import AuthenticationError
from ..reader.port import Port, as_bytes, finish
from .tag import BlockingTag, Tag

__all__ = ["BlockingMifareClassic", "MifareClassic"]

KEY_SIZE = 6
BLOCK_SIZE = 16
_COMMANDS = {"A": 0x60, "B": 0x61}
_BLOCKS = {0x09: 20, 0x18: 256, 0x38: 256}  # by SAK; 64 otherwise


class MifareClassic(Tag):
    """A MIFARE Classic card (Mini, 1K, 4K).

    `blocks` says how many blocks of 16 bytes it has.  Reading and writing needs
    authenticate() of the sector first.
    """

    @property
    def blocks(self) -> int:
        """Number of blocks: 20, 64 or 256."""
        return _BLOCKS.get(self.sak, 64)

    def _check_block(self, block: int) -> None:
        if not isinstance(block, int) or not 0 <= block < self.blocks:
            raise ValueError(f"block must be 0 to {self.blocks - 1}, not {block!r}")

    @cached_property
    def blocking(self) -> BlockingMifareClassic:
        """The same verbs, blocking."""
        return BlockingMifareClassic(self._blocking_copy())

    async def authenticate(
        self, block: int, key: bytes = b"\xff" * KEY_SIZE, key_type: Literal["A", "B"] = "A"
    ) -> None:
        """Open the sector of `block` with a key of 6 bytes, key A or key B.

        After an error (a NAK, say) the tag is selected again first; after a wrong
        key it is selected again at once, so the next key can be tried.  Raises
        AuthenticationError, TagLostError.
        """
        self._check_block(block)
        if key_type not in _COMMANDS:
            raise ValueError(f'key_type must be "A" or "B", not {key_type!r}')
        key = as_bytes("key", key)
        if len(key) != KEY_SIZE:
            raise ValueError(f"key must have 6 bytes, not {len(key)}")
        core = self._chip.core
        async with self._port as port:
            await self._ready(port)
            try:
                await port.run(
                    core.start_authenticate,
                    _COMMANDS[key_type],
                    block,
                    key,
                    self.uid[-4:],  # NXP AN10927, 3.2.5: of a 7-byte UID the last four
                    tag=self.uid,
                )
            except AuthenticationError:
                await self._reselect(port)  # TagLostError: it was not the key
                raise

    async def _ready(self, port: Port) -> None:
        if not self._chip.core.tag_active:
            await self._reselect(port)

    async def read(self, block: int) -> bytes:
        """The 16 bytes of a block.  Raises NakError when its sector is not open."""
        self._check_block(block)
        async with self._port as port:
            return bytes(await port.run(self._chip.core.start_read, block, tag=self.uid))

    async def write(self, block: int, data: bytes) -> None:
        """Write the 16 bytes of a block.  Raises NakError when that is not allowed."""
        self._check_block(block)
        data = as_bytes("data", data)
        if len(data) != BLOCK_SIZE:
            raise ValueError(f"data must have 16 bytes, not {len(data)}")
        async with self._port as port:
            await port.run(self._chip.core.start_write, block, data, tag=self.uid)


class BlockingMifareClassic(BlockingTag):
    """A MIFARE Classic card whose verbs block."""

    _tag: MifareClassic

    @property
    def blocks(self) -> int:
        """See MifareClassic.blocks."""
        return self._tag.blocks

    def authenticate(
        self, block: int, key: bytes = b"\xff" * KEY_SIZE, key_type: Literal["A", "B"] = "A"
    ) -> None:
        """See MifareClassic.authenticate()."""
        finish(self._tag.authenticate(block, key, key_type))

    def read(self, block: int) -> bytes:
        """See MifareClassic.read()."""
        return finish(self._tag.read(block))

    def write(self, block: int, data: bytes) -> None:
        """See MifareClassic.write()."""
        finish(self._tag.write(block, data))
