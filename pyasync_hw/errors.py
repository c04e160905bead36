"""Exceptions of this package; every one of them is also a standard one."""

from __future__ import annotations


class SleepForeverError(RuntimeError):
    """On a virtual clock: nothing is ready, and nothing is due, ever."""


class TimeLimitError(SleepForeverError):
    """On a virtual clock: nothing is ready, and nothing is due before its limit."""


class RC522Error(OSError):
    """A command to the reader or to a tag failed."""


class TagTimeoutError(RC522Error, TimeoutError):
    """No answer in time: no tag in the field, or it left."""


class TagLostError(TagTimeoutError):
    """The tag that answered before does not answer any more."""


class CollisionError(RC522Error):
    """Several tags answered at once (MFRC522 datasheet, ErrorReg.CollErr)."""


class CRCError(RC522Error):
    """An answer with a wrong CRC_A, parity or length (ISO/IEC 14443-3)."""


class NakError(RC522Error):
    """The tag refused the command with a NAK (4-bit answer other than 0xA)."""


class AuthenticationError(RC522Error):
    """MIFARE Classic authentication failed: wrong key, or the tag left."""


class ChipNotFoundError(RC522Error):
    """No MFRC522 answers on this SPI device."""


class WiringError(RC522Error):
    """The chip answers, but a line (IRQ or reset) does not do what it should."""
