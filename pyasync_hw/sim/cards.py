"""A card in Python: the ISO/IEC 14443-3 type A state machine, to build cards on.

The simulated field (`_core.SimWorld`) needs no more of a card than this:

    card.power_up                         seconds from field on until it answers
    card.power_on()                       the field came (back): forget everything volatile
    card.receive(frame, bits)             one frame, as it was on the air
    card.noise()                          a frame that makes no sense: it is encrypted and
                                          the card is not, or the reverse
    card.authenticate(key_type, block, key, uid)   MFAuthent of the reader's chip:
                                          True, False (wrong key), or None: no answer
    card.authenticated                    whether that still holds

A frame is bytes, the first bit on the air is bit 0 of byte 0; `bits` says how
many there are, parity not counted.  The CRC_A, where the frame has one, is part of it.  An
answer is None (silence), (bytes, bits), or (bytes, bits, seconds) for a card that
takes its time: so much longer than the frame delay time of ISO/IEC 14443-3
(about 90 microseconds).  Everything runs inside the SPI message that starts the
exchange; to the card, time stands still.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

__all__ = ["Card", "CardState", "Reply", "crc_a"]

Reply = tuple[bytes, int] | tuple[bytes, int, float] | None

REQA = 0x26
WUPA = 0x52
HLTA = bytes((0x50, 0x00))
SEL = (0x93, 0x95, 0x97)  # cascade levels 1 to 3
CASCADE_TAG = 0x88
SAK_UID_NOT_COMPLETE = 0x04


def crc_a(data: bytes) -> bytes:
    """The CRC_A of `data`, low byte first (ISO/IEC 14443-3, annex B)."""
    crc = 0x6363
    for byte in data:
        byte ^= crc & 0xFF
        byte = (byte ^ (byte << 4)) & 0xFF
        crc = (crc >> 8) ^ (byte << 8) ^ (byte << 3) ^ (byte >> 4)
    return crc.to_bytes(2, "little")


class CardState(enum.Enum):
    """The states of ISO/IEC 14443-3, 6.3; the starred ones are those after HALT."""

    OFF = "OFF"
    IDLE = "IDLE"
    READY = "READY"
    ACTIVE = "ACTIVE"
    HALT = "HALT"
    READY_STAR = "READY*"
    ACTIVE_STAR = "ACTIVE*"


_STARRED = (CardState.READY_STAR, CardState.ACTIVE_STAR, CardState.HALT)


def parse_uid(uid: str | bytes | Iterable[int]) -> bytes:
    """A UID of 4, 7 or 10 bytes, from hex digits or bytes.  Raises ValueError."""
    try:
        if isinstance(uid, int):
            raise TypeError  # bytes() would make so many zeros of it
        value = bytes.fromhex(uid.replace(":", " ")) if isinstance(uid, str) else bytes(uid)
    except (TypeError, ValueError) as error:
        raise ValueError(f"uid must be hex digits or bytes, not {uid!r}") from error
    if len(value) not in (4, 7, 10):
        raise ValueError(f"uid must have 4, 7 or 10 bytes, not {len(value)}: {uid!r}")
    if value[0] == CASCADE_TAG:
        raise ValueError("uid must not begin with 88: that is the cascade tag (ISO/IEC 14443-3)")
    return value


def seconds_up_to_1(name: str, value: float) -> float:
    """Raises ValueError when `value` is no number from 0 to 1."""
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be 0 to 1 second, not {value!r}")
    return float(value)


class Card:
    """A PICC of ISO/IEC 14443-3 type A that can be found, selected and halted.

    Subclasses override `command()` for what an active card understands, and
    may override `receive()` to misbehave.  `uid`: 4, 7 or 10 bytes, as bytes
    or hex digits.  `power_up`: seconds from field on to the first answer
    (the standard allows up to 5 ms).
    """

    product = "ISO 14443-3A card"
    authenticated = False
    atqa = b"\x04\x00"
    sak = 0x00

    def __init__(
        self,
        uid: str | bytes | Iterable[int],
        *,
        power_up: float = 0.0005,
        atqa: bytes | None = None,
        sak: int | None = None,
    ) -> None:
        self.uid = parse_uid(uid)
        self.power_up = seconds_up_to_1("power_up", power_up)
        size = {4: 0x00, 7: 0x40, 10: 0x80}[len(self.uid)]
        if atqa is not None and not (isinstance(atqa, bytes) and len(atqa) == 2):
            raise ValueError(f"atqa must be 2 bytes, low byte first, not {atqa!r}")
        if sak is not None and not (isinstance(sak, int) and 0 <= sak <= 0xFF):
            raise ValueError(f"sak must be 0 to 0xff, not {sak!r}")
        self.atqa = atqa or bytes((self.atqa[0] & 0x3F | size, self.atqa[1]))
        self.sak = self.sak if sak is None else sak
        self.state = CardState.OFF
        self._level = 0  # cascade level that is being resolved, from 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uid.hex()} {self.state.value}>"

    # What the field calls.

    def power_on(self) -> None:
        """The field came on, `power_up` seconds ago.  Nothing volatile is left."""
        self.state = CardState.IDLE
        self._level = 0
        self.deauthenticate()

    def receive(self, frame: bytes, bits: int) -> Reply:
        """One frame from the reader; the answer, or None to stay silent."""
        state = self.state
        if bits == 7 and frame[0] in (REQA, WUPA):
            return self._short_frame(frame[0])
        if state in (CardState.READY, CardState.READY_STAR):
            return self._anticollision(frame, bits)
        if state in (CardState.ACTIVE, CardState.ACTIVE_STAR):
            return self._active(frame, bits)
        return None

    def noise(self) -> None:
        """A frame that is nothing but noise to this card: an error."""
        self.give_up()

    def authenticate(self, key_type: int, block: int, key: bytes, uid: bytes) -> bool | None:
        """MFAuthent (MFRC522 datasheet, 10.3.1.9).  `key_type`: 0x60 key A, 0x61 key B.

        True: accepted; False: it rejected the key; None: it did not answer.
        This card knows no authentication.
        """
        self.give_up()
        return None

    # What subclasses override or use.

    def command(self, data: bytes) -> Reply:
        """A command to the active card, CRC checked and taken off.

        The answer is on the air as returned: `self.with_crc(data)`, a 4-bit
        `(bytes, 4)`, or None.  Whatever this card does not know makes it fall
        back to IDLE (or HALT) without a word.
        """
        self.give_up()
        return None

    def deauthenticate(self) -> None:
        """The card leaves what an authentication opened."""
        self.authenticated = False

    def give_up(self) -> None:
        """An error: back to IDLE, or to HALT when it was woken from there."""
        if self.state is not CardState.OFF:
            self.state = CardState.HALT if self.state in _STARRED else CardState.IDLE
        self._level = 0
        self.deauthenticate()

    @staticmethod
    def with_crc(data: bytes) -> tuple[bytes, int]:
        """`data` and its CRC_A, as a reply."""
        return data + crc_a(data), 8 * (len(data) + 2)

    # Inside.

    def _short_frame(self, command: int) -> Reply:
        if self.state is CardState.IDLE:
            self.state = CardState.READY
        elif self.state is CardState.HALT and command == WUPA:
            self.state = CardState.READY_STAR
        elif self.state in (CardState.OFF, CardState.HALT):
            return None
        else:
            # A request is an error for a card that is not waiting for one.
            self.give_up()
            return None
        self._level = 0
        return self.atqa, 16

    def cascade_bytes(self, level: int) -> bytes:
        """UID CLn and BCC: the 5 bytes of cascade level `level` (from 0)."""
        rest = self.uid[3 * level :]
        part = rest[:4] if len(rest) == 4 else bytes((CASCADE_TAG,)) + rest[:3]
        bcc = part[0] ^ part[1] ^ part[2] ^ part[3]
        return part + bytes((bcc,))

    def _anticollision(self, frame: bytes, bits: int) -> Reply:
        if bits < 16 or frame[0] != SEL[self._level]:
            self.give_up()
            return None
        nvb = frame[1]
        known = 8 * (nvb >> 4) + (nvb & 0x0F) - 16
        mine = self.cascade_bytes(self._level)
        if nvb == 0x70:
            return self._select(frame, bits, mine)
        if not 0 <= known < 40 or bits != known + 16:
            self.give_up()
            return None
        own = int.from_bytes(mine, "little")
        given = int.from_bytes(frame[2:], "little")
        if (own ^ given) & ((1 << known) - 1):
            self.give_up()
            return None
        left = 40 - known
        return (own >> known).to_bytes((left + 7) // 8, "little"), left

    def _select(self, frame: bytes, bits: int, mine: bytes) -> Reply:
        if bits != 72 or frame[2:7] != mine or crc_a(frame[:7]) != frame[7:9]:
            self.give_up()
            return None
        self._level += 1
        if len(self.uid) > 3 * self._level + 1:
            return self.with_crc(bytes((SAK_UID_NOT_COMPLETE,)))
        self._level = 0
        starred = self.state is CardState.READY_STAR
        self.state = CardState.ACTIVE_STAR if starred else CardState.ACTIVE
        return self.with_crc(bytes((self.sak,)))

    def _active(self, frame: bytes, bits: int) -> Reply:
        if bits < 24 or bits % 8 or crc_a(frame[:-2]) != frame[-2:]:
            return self.bad_frame(frame, bits)
        data = frame[:-2]
        if data == HLTA:
            self.state = CardState.HALT
            self.deauthenticate()
            return None
        return self.command(data)

    def bad_frame(self, frame: bytes, bits: int) -> Reply:
        """A frame with a wrong CRC or length reached the active card."""
        self.give_up()
        return None
