"""The program's side, bare: line settings, and a reader by its registers, polled."""

from __future__ import annotations

from typing import Any

from pyasync_hw import VirtualClock
from pyasync_hw._core import EdgeEvent, LineRequest, SPIDevice
from pyasync_hw.hardware import LineSettings
from pyasync_hw.sim.cards import crc_a

COMMAND, COM_IRQ, ERROR, FIFO_DATA, FIFO_LEVEL = 0x01, 0x04, 0x06, 0x09, 0x0A
CONTROL, BIT_FRAMING, STATUS_2, TX_CONTROL, TX_ASK = 0x0C, 0x0D, 0x08, 0x14, 0x15
IDLE, TRANSCEIVE, MF_AUTHENT = 0x00, 0x0C, 0x0E
FIELD_GUARD = 0.005  # s, ISO/IEC 14443-3


def settings(direction: Any = "input", **others: Any) -> LineSettings:
    """LineSettings of an input."""
    return LineSettings(direction=direction, **others)


def events(request: LineRequest) -> list[EdgeEvent]:
    """All edges that are queued."""
    taken = []
    while (event := request.take()) is not None:
        taken.append(event)
    return taken


class Chip:
    """An MFRC522 by its registers (datasheet chapter 9)."""

    def __init__(self, spi: SPIDevice, clock: VirtualClock) -> None:
        self.spi = spi
        self.clock = clock

    def read(self, addr: int) -> int:
        return self.spi.transfer(bytes((0x80 | addr << 1, 0)))[1]

    def write(self, addr: int, *values: int) -> None:
        self.spi.transfer(bytes((addr << 1, *values)))

    def field(self, on: bool) -> None:
        self.write(TX_ASK, 0x40)
        self.write(TX_CONTROL, 0x83 if on else 0x80)
        self.clock.advance(FIELD_GUARD)

    def command(self, code: int, data: bytes, bits: int = 0, wait: float = 0.02) -> bytes:
        """Run a command on the FIFO's content; what the FIFO holds `wait` s later."""
        self.write(COMMAND, IDLE)
        self.write(COM_IRQ, 0x7F)
        self.write(FIFO_LEVEL, 0x80)
        self.write(FIFO_DATA, *data)
        self.write(BIT_FRAMING, bits)
        self.write(COMMAND, code)
        if code == TRANSCEIVE:
            self.write(BIT_FRAMING, 0x80 | bits)
        self.clock.advance(wait)
        level = self.read(FIFO_LEVEL)
        return bytes(self.read(FIFO_DATA) for _ in range(level))

    def transceive(self, data: bytes, bits: int = 0) -> bytes:
        return self.command(TRANSCEIVE, data, bits)

    def request(self, wakeup: bool = False) -> bytes:
        return self.transceive(b"\x52" if wakeup else b"\x26", 7)

    def select(self) -> tuple[bytes, int]:
        """(the cascade levels' bytes, the last SAK) of the one card in the field."""
        levels = b""
        for sel in (0x93, 0x95, 0x97):
            part = self.transceive(bytes((sel, 0x20)))
            answer = self.transceive(frame(bytes((sel, 0x70)) + part))
            levels += part
            if not answer[0] & 0x04:
                return levels, answer[0]
        raise AssertionError("more than three cascade levels")

    def authenticate(self, block: int, key: bytes, uid: bytes, key_type: int = 0x60) -> bool:
        self.command(MF_AUTHENT, bytes((key_type, block)) + key + uid)
        return bool(self.read(STATUS_2) & 0x08)

    def stop_crypto(self) -> None:
        self.write(STATUS_2, 0x00)


def frame(data: bytes) -> bytes:
    """`data` with its CRC_A."""
    return data + crc_a(data)
