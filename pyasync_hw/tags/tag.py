"""A tag of which no more is known than ISO/IEC 14443-3 says."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from ..reader.chip import Chip
from ..reader.port import AwaitingPort, BlockingPort, Port, finish

__all__ = ["BlockingTag", "Tag", "product_of"]

# NXP AN10833 and AN10834: SAK of complete UIDs.
_PRODUCTS = {
    0x00: "MIFARE Ultralight or NTAG",
    0x08: "MIFARE Classic 1K",
    0x09: "MIFARE Mini",
    0x10: "MIFARE Plus 2K",
    0x11: "MIFARE Plus 4K",
    0x18: "MIFARE Classic 4K",
    0x20: "ISO/IEC 14443-4 card",
    0x28: "MIFARE Classic 1K on an ISO/IEC 14443-4 card",
    0x38: "MIFARE Classic 4K on an ISO/IEC 14443-4 card",
    0x88: "MIFARE Classic 1K (Infineon)",
}


def product_of(sak: int) -> str:
    """What a SAK says that a card is, in words."""
    return _PRODUCTS.get(sak, f"ISO/IEC 14443-3 type A tag, SAK {sak:02x}")


class Tag:
    """A selected tag.

    uid: 4, 7 or 10 bytes.  atqa: 2 bytes as received (low byte first), None when
    the tag was selected without request.  sak: of the last cascade level.  A verb
    whose tag does not answer raises TagLostError.
    """

    __match_args__ = ("uid",)

    def __init__(
        self, chip: Chip, uid: bytes, atqa: bytes | None, sak: int, port: Port | None = None
    ) -> None:
        self.uid = uid
        self.atqa = atqa
        self.sak = sak
        self._chip = chip
        self._port: Port = port if port is not None else AwaitingPort(chip)

    @property
    def product(self) -> str:
        """What the SAK says that it is, in words."""
        return product_of(self.sak)

    def _blocking_copy(self) -> Tag:
        """The same tag, whose verbs block."""
        return type(self)(self._chip, self.uid, self.atqa, self.sak, BlockingPort(self._chip))

    @cached_property
    def blocking(self) -> BlockingTag:
        """The same verbs, blocking."""
        return BlockingTag(self._blocking_copy())

    async def transceive(
        self, data: bytes, *, crc: bool = True, bits: int = 0, timeout: float = 0.025
    ) -> bytes:
        """Send a frame to the tag; see Reader.transceive()."""
        async with self._port as port:
            answer, _ = await port.run(
                self._chip.core.start_transceive, data, bits, crc, crc, timeout, tag=self.uid
            )
        return bytes(answer)

    async def halt(self) -> None:
        """HLTA: the tag is silent until it leaves the field, or is woken by WUPA."""
        async with self._port as port:
            await port.run(self._chip.core.start_halt, tag=self.uid)

    async def reselect(self) -> None:
        """Wake and select this tag again: after an error it has fallen back to IDLE.

        Raises TagLostError when it is not there.
        """
        async with self._port as port:
            await self._reselect(port)

    async def _reselect(self, port: Port) -> None:
        core = self._chip.core
        await port.run(core.start_request, True, tag=self.uid)
        await port.run(core.start_select, self.uid, tag=self.uid)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uid.hex()} {self.product}>"


class BlockingTag:
    """A selected tag whose verbs block; the GIL is released meanwhile."""

    __match_args__ = ("uid",)

    def __init__(self, tag: Tag) -> None:
        self._tag = tag

    @property
    def uid(self) -> bytes:
        """See Tag."""
        return self._tag.uid

    @property
    def atqa(self) -> bytes | None:
        """See Tag."""
        return self._tag.atqa

    @property
    def sak(self) -> int:
        """See Tag."""
        return self._tag.sak

    @property
    def product(self) -> str:
        """See Tag.product."""
        return self._tag.product

    @property
    def blocking(self) -> Self:
        """Itself."""
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uid.hex()} {self.product}>"

    def transceive(
        self, data: bytes, *, crc: bool = True, bits: int = 0, timeout: float = 0.025
    ) -> bytes:
        """See Tag.transceive()."""
        return finish(self._tag.transceive(data, crc=crc, bits=bits, timeout=timeout))

    def halt(self) -> None:
        """See Tag.halt()."""
        finish(self._tag.halt())

    def reselect(self) -> None:
        """See Tag.reselect()."""
        finish(self._tag.reselect())
