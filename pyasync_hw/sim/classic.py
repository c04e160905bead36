"""MIFARE Classic 1K (NXP MF1S50YYX/V1): sectors, keys, access bits, read and write.

The cipher is not modelled: what is authenticated and what is encrypted is.
"""

from __future__ import annotations

from collections.abc import Iterable

from .cards import Card, CardState, Reply, crc_a, seconds_up_to_1

__all__ = ["MifareClassic1K"]

AUTH_KEY_A = 0x60
AUTH_KEY_B = 0x61
READ = 0x30
WRITE = 0xA0
DECREMENT = 0xC0
INCREMENT = 0xC1
RESTORE = 0xC2
TRANSFER = 0xB0

ACK = (b"\x0a", 4)
NAK_INVALID_OPERATION = 0x4  # MF1S50YYX/V1, table 10; 0 with a valid transfer buffer
NAK_CRC = 0x5  # 1 with a valid transfer buffer

BLOCK_SIZE = 16
DEFAULT_KEY = b"\xff" * 6
DELIVERY_TRAILER = DEFAULT_KEY + b"\xff\x07\x80\x69" + DEFAULT_KEY
WRITE_TIME = 0.0025  # s, of the EEPROM; the reader must wait up to 10 ms

A, B, AB, NEVER = "A", "B", "AB", ""

# MF1S50YYX/V1, table 8: (C1, C2, C3) -> which key may
# read, write, increment, decrement/transfer/restore a data block.
DATA_ACCESS = {
    (0, 0, 0): (AB, AB, AB, AB),
    (0, 1, 0): (AB, NEVER, NEVER, NEVER),
    (1, 0, 0): (AB, B, NEVER, NEVER),
    (1, 1, 0): (AB, B, B, AB),
    (0, 0, 1): (AB, NEVER, NEVER, AB),
    (0, 1, 1): (B, B, NEVER, NEVER),
    (1, 0, 1): (B, NEVER, NEVER, NEVER),
    (1, 1, 1): (NEVER, NEVER, NEVER, NEVER),
}
# Table 7: which key may write key A, write the access bits, read key B, write key B.
# The access bits can be read by either key, but key B only where it is a key;
# key A can never be read.
TRAILER_ACCESS = {
    (0, 0, 0): (A, NEVER, A, A),
    (0, 1, 0): (NEVER, NEVER, A, NEVER),
    (1, 0, 0): (B, NEVER, NEVER, B),
    (1, 1, 0): (NEVER, NEVER, NEVER, NEVER),
    (0, 0, 1): (A, A, A, A),
    (0, 1, 1): (B, B, NEVER, B),
    (1, 0, 1): (NEVER, B, NEVER, NEVER),
    (1, 1, 1): (NEVER, NEVER, NEVER, NEVER),
}


def access_conditions(trailer: bytes) -> list[tuple[int, int, int]] | None:
    """(C1, C2, C3) of a sector's four blocks; None when the stored bits contradict."""
    b6, b7, b8 = trailer[6:9]
    c1, c2, c3 = b7 >> 4, b8 & 0x0F, b8 >> 4
    if (b6 & 0x0F, b6 >> 4, b7 & 0x0F) != (c1 ^ 0x0F, c2 ^ 0x0F, c3 ^ 0x0F):
        return None
    return [(c1 >> i & 1, c2 >> i & 1, c3 >> i & 1) for i in range(4)]


class MifareClassic1K(Card):
    """A MIFARE Classic 1K card: 16 sectors of 4 blocks of 16 bytes.

    `memory` is a bytearray of 1024 bytes, as delivered: keys FF FF FF FF FF FF,
    block 0 with the UID.  `write_time`: seconds that programming a block takes.
    """

    product = "MIFARE Classic 1K"
    atqa = b"\x04\x00"
    sak = 0x08
    blocks = 64

    def __init__(
        self,
        uid: str | bytes | Iterable[int],
        *,
        power_up: float = 0.0005,
        write_time: float = WRITE_TIME,
    ) -> None:
        super().__init__(uid, power_up=power_up)
        if len(self.uid) == 10:
            raise ValueError("a MIFARE Classic has a UID of 4 or 7 bytes")
        self.write_time = seconds_up_to_1("write_time", write_time)
        self.memory = bytearray(self.blocks * BLOCK_SIZE)
        for sector in range(self.blocks // 4):
            self.set_block(4 * sector + 3, DELIVERY_TRAILER)
        manufacturer = self.uid
        if len(self.uid) == 4:
            manufacturer += self.cascade_bytes(0)[4:]
        manufacturer += bytes((self.sak,)) + self.atqa
        self.memory[: len(manufacturer)] = manufacturer

    # For tests: the memory, without a reader.

    def block(self, number: int) -> bytes:
        """The 16 bytes of a block, keys and all."""
        return bytes(self.memory[self._slice(number)])

    def set_block(self, number: int, data: bytes) -> None:
        """Set a block's 16 bytes, whatever the access bits say."""
        if len(data) != BLOCK_SIZE:
            raise ValueError(f"a block has 16 bytes, not {len(data)}")
        self.memory[self._slice(number)] = data

    def _slice(self, number: int) -> slice:
        if not isinstance(number, int) or not 0 <= number < self.blocks:
            raise ValueError(f"block must be 0 to {self.blocks - 1}, not {number!r}")
        return slice(number * BLOCK_SIZE, (number + 1) * BLOCK_SIZE)

    # On the air.

    def deauthenticate(self) -> None:
        super().deauthenticate()
        self._sector = -1
        self._key = ""  # "A" or "B"; "" may do nothing
        self._pending: tuple[int, int] | None = None  # first half of (command, block)
        self._transfer: bytes | None = None  # transfer buffer: a value

    def authenticate(self, key_type: int, block: int, key: bytes, uid: bytes) -> bool | None:
        active = self.state in (CardState.ACTIVE, CardState.ACTIVE_STAR)
        if not active or block >= self.blocks or key_type not in (AUTH_KEY_A, AUTH_KEY_B):
            self.give_up()
            return None
        trailer = self.block(block | 3)
        is_a = key_type == AUTH_KEY_A
        if key != (trailer[:6] if is_a else trailer[10:]) or uid != self.uid[-4:]:
            self.give_up()
            return False
        self.deauthenticate()
        self.authenticated = True
        self._sector = block // 4
        self._key = "A" if is_a else "B"
        conditions = access_conditions(trailer)
        if not is_a and (conditions is None or TRAILER_ACCESS[conditions[3]][2]):
            self._key = ""  # a key B that can be read is data: it opens nothing
        return True

    def receive(self, frame: bytes, bits: int) -> Reply:
        if self.authenticated and bits >= 24 and bits % 8 == 0:
            if crc_a(frame[:-2]) != frame[-2:]:
                return self.bad_frame(frame, bits)
            if self._pending is not None:
                return self._second_half(frame[:-2])
        return super().receive(frame, bits)

    def bad_frame(self, frame: bytes, bits: int) -> Reply:
        return self._nak(NAK_CRC)

    def command(self, data: bytes) -> Reply:
        if len(data) != 2:
            return self._nak(NAK_INVALID_OPERATION)
        code, block = data
        if not self.authenticated or block // 4 != self._sector:
            return self._nak(NAK_INVALID_OPERATION)
        if code == READ:
            return self._read(block)
        if code == TRANSFER:
            return self._write_value(block)
        if code in (WRITE, INCREMENT, DECREMENT, RESTORE) and self._allowed(code, block):
            self._pending = (code, block)
            return ACK
        return self._nak(NAK_INVALID_OPERATION)

    def _nak(self, code: int) -> Reply:
        if self._transfer is not None:
            code &= 0x1
        self.give_up()
        return bytes((code,)), 4

    def _conditions(self, block: int) -> tuple[int, int, int] | None:
        """Of one block; None: the sector's access bits are broken, or no key is in."""
        conditions = access_conditions(self.block(block | 3))
        return None if conditions is None or not self._key else conditions[block % 4]

    def _allowed(self, code: int, block: int) -> bool:
        condition = self._conditions(block)
        if condition is None:
            return False
        if block % 4 == 3:
            key_a, bits, _, key_b = TRAILER_ACCESS[condition]
            return code == WRITE and self._key in key_a + bits + key_b
        if code == WRITE and block == 0:
            return False  # manufacturer block: write-protected in the factory
        read, write, increment, decrement = DATA_ACCESS[condition]
        allowed = {READ: read, WRITE: write, INCREMENT: increment}.get(code, decrement)
        return self._key in allowed

    def _read(self, block: int) -> Reply:
        condition = self._conditions(block)
        if condition is None or (block % 4 != 3 and not self._allowed(READ, block)):
            return self._nak(NAK_INVALID_OPERATION)
        data = bytearray(self.block(block))
        if block % 4 == 3:
            data[:6] = bytes(6)
            if self._key not in TRAILER_ACCESS[condition][2]:
                data[10:] = bytes(6)
        return self.with_crc(bytes(data))

    def _second_half(self, data: bytes) -> Reply:
        assert self._pending is not None
        (code, block), self._pending = self._pending, None
        if code == WRITE:
            if len(data) != BLOCK_SIZE:
                return self._nak(NAK_INVALID_OPERATION)
            self._write(block, data)
            return *ACK, self.write_time
        value = self._value(block)
        if len(data) != 4 or value is None:
            return self._nak(NAK_INVALID_OPERATION)
        operand = int.from_bytes(data, "little")
        step = {INCREMENT: operand, DECREMENT: -operand, RESTORE: 0}[code]
        result = (value + step + 2**31) % 2**32 - 2**31
        self._transfer = self.value_block(result, self.block(block)[12])
        return None  # the second half of these is never acknowledged

    def _write(self, block: int, data: bytes) -> None:
        if block % 4 != 3:
            self.set_block(block, data)
            return
        condition = self._conditions(block)
        assert condition is not None
        key_a, bits, _, key_b = TRAILER_ACCESS[condition]
        old = self.block(block)
        self.set_block(
            block,
            (data if self._key in key_a else old)[:6]
            + (data if self._key in bits else old)[6:10]
            + (data if self._key in key_b else old)[10:],
        )

    # Value blocks (MF1S50YYX/V1, 8.6.2.1).

    @staticmethod
    def value_block(value: int, address: int = 0) -> bytes:
        """The 16 bytes of a value block: value, inverted, value, address four times."""
        plain = value.to_bytes(4, "little", signed=True)
        inverted = bytes(byte ^ 0xFF for byte in plain)
        return plain + inverted + plain + bytes((address, address ^ 0xFF) * 2)

    def _value(self, block: int) -> int | None:
        data = self.block(block)
        value = int.from_bytes(data[:4], "little", signed=True)
        return value if data == self.value_block(value, data[12]) else None

    def _write_value(self, block: int) -> Reply:
        if self._transfer is None or not self._allowed(TRANSFER, block) or block % 4 == 3:
            return self._nak(NAK_INVALID_OPERATION)
        self.set_block(block, self._transfer)
        self._transfer = None
        return *ACK, self.write_time
