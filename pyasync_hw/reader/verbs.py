"""The verbs of a reader, each once, whether it is awaited or blocks; see port.py."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from ..tags import BlockingTag, Tag, make_tag
from .port import Port, as_bytes

__all__ = ["Verbs"]

FRESH = 1.0  # seconds; so long a tag that a cancelled wait had found is still news


class Verbs:
    """Every verb of a reader, over a port that awaits or blocks."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._chip = port.chip

    async def open(self, gain: int | None) -> int:
        core = self._chip.core
        async with self._port as port:
            version = int(await port.run(core.start_open))
            if gain is not None:
                await port.run(core.start_configure, gain, core.field)
        return version

    async def configure(self, gain: int | None, field: bool | None) -> None:
        core = self._chip.core
        async with self._port as port:
            await port.run(
                core.start_configure,
                core.gain if gain is None else gain,
                core.field if field is None else field,
            )

    async def wait_for_tag(self, poll_interval: float) -> Tag:
        async with self._port as port:
            card = self._take_found()
            if card is None:
                try:
                    card = await port.run(self._chip.core.start_poll, poll_interval)
                except asyncio.CancelledError:
                    self._keep_found()
                    raise
            return make_tag(self._chip, *card)

    def _keep_found(self) -> None:
        """A card that was found as the task was cancelled is for the next wait."""
        try:
            outcome = self._chip.core.take()
        except Exception:  # it was closed, say; but who is cancelled reports the cancel
            return
        if outcome is not None and outcome[0] is None:
            loop = asyncio.get_running_loop()
            self._chip.found = outcome[1], loop, loop.time()

    def _take_found(self) -> Any:
        if self._chip.found is None:
            return None
        card, loop, when = self._chip.found
        self._chip.found = None
        if loop.is_closed() or loop.time() - when > FRESH:
            self._chip.core.forget()  # if it is still there, it is found again
            return None
        return card

    async def wait_for_removal(self, tag: Tag | BlockingTag | bytes, poll_interval: float) -> None:
        uid = tag.uid if isinstance(tag, (Tag, BlockingTag)) else as_bytes("tag", tag)
        async with self._port as port:
            await port.run(self._chip.core.start_absence, uid, poll_interval)

    async def request(self, wakeup: bool) -> bytes:
        async with self._port as port:
            return bytes(await port.run(self._chip.core.start_request, wakeup))

    async def anticollision(self, level: int) -> bytes:
        async with self._port as port:
            return bytes(await port.run(self._chip.core.start_anticollision, level))

    async def select(self, uid: bytes | None) -> Tag:
        async with self._port as port:
            card = await port.run(self._chip.core.start_select, uid)
        return make_tag(self._chip, *card)

    async def transceive(
        self, data: bytes, crc: bool, bits: int, timeout: float
    ) -> tuple[bytes, int]:
        async with self._port as port:
            answer = await port.run(self._chip.core.start_transceive, data, bits, crc, crc, timeout)
        return bytes(answer[0]), int(answer[1])

    async def halt(self) -> None:
        async with self._port as port:
            await port.run(self._chip.core.start_halt)

    async def authenticate(
        self, block: int, key: bytes, uid: bytes, key_type: Literal["A", "B"]
    ) -> None:
        if key_type not in ("A", "B"):
            raise ValueError(f'key_type must be "A" or "B", not {key_type!r}')
        command = 0x60 if key_type == "A" else 0x61
        async with self._port as port:
            await port.run(
                self._chip.core.start_authenticate,
                command,
                block,
                as_bytes("key", key),
                as_bytes("uid", uid)[-4:],
            )

    async def read(self, block: int) -> bytes:
        async with self._port as port:
            return bytes(await port.run(self._chip.core.start_read, block))

    async def write(self, block: int, data: bytes) -> None:
        async with self._port as port:
            await port.run(self._chip.core.start_write, block, as_bytes("data", data))

    async def stop_crypto(self) -> None:
        async with self._port as port:
            await port.run(self._chip.core.start_stop_crypto)
