"""RPi.GPIO's RPI_INFO: what a board's revision code says, as RPi.GPIO words it."""

from __future__ import annotations

from typing import TypedDict

from .. import hardware

__all__ = ["RpiInfo", "decode", "revision", "rpi_info"]

_REVISION_FILE = "/proc/device-tree/system/linux,revision"
# raspberrypi.com, "Raspberry Pi revision codes": one board of each simulated model.
_REVISIONS = {
    "pi-zero": 0x900093,
    "pi-zero-w": 0x9000C1,
    "pi-zero-2-w": 0x902120,
    "pi-1": 0x900032,
    "pi-2": 0xA01041,
    "pi-3": 0xA02082,
    "pi-4": 0xC03111,
    "pi-5": 0xC04170,
}
# Bits 4 to 11: the type, and its P1_REVISION (0: a compute module has no header).
_TYPES = {
    0x00: ("Model A", 2),
    0x01: ("Model B", 2),
    0x02: ("Model A+", 3),
    0x03: ("Model B+", 3),
    0x04: ("Pi 2 Model B", 3),
    0x05: ("Alpha", 3),
    0x06: ("Compute Module 1", 0),
    0x08: ("Pi 3 Model B", 3),
    0x09: ("Zero", 3),
    0x0A: ("Compute Module 3", 0),
    0x0C: ("Zero W", 3),
    0x0D: ("Pi 3 Model B+", 3),
    0x0E: ("Pi 3 Model A+", 3),
    0x10: ("Compute Module 3+", 0),
    0x11: ("Pi 4 Model B", 3),
    0x12: ("Zero 2 W", 3),
    0x13: ("Pi 400", 3),
    0x14: ("Compute Module 4", 0),
    0x17: ("Pi 5 Model B", 3),
}
_PROCESSORS = ("BCM2835", "BCM2836", "BCM2837", "BCM2711", "BCM2712")
_MANUFACTURERS = ("Sony UK", "Egoman", "Embest", "Sony Japan", "Embest", "Stadium")
_RAM = ("256M", "512M", "1G", "2G", "4G", "8G", "16G")


class RpiInfo(TypedDict):
    P1_REVISION: int
    REVISION: str
    TYPE: str
    MANUFACTURER: str
    PROCESSOR: str
    RAM: str


def decode(revision: int) -> RpiInfo:
    """A revision code; what it does not tell is "Unknown", as all is in those before 2014."""
    new_style = revision >> 23 & 1

    def word(words: tuple[str, ...], index: int) -> str:
        return words[index] if new_style and index < len(words) else "Unknown"

    unknown = ("Unknown", 3)
    type_, p1_revision = _TYPES.get(revision >> 4 & 0xFF, unknown) if new_style else unknown
    return {
        "P1_REVISION": p1_revision,
        "REVISION": f"{revision:x}",
        "TYPE": type_,
        "MANUFACTURER": word(_MANUFACTURERS, revision >> 16 & 0xF),
        "PROCESSOR": word(_PROCESSORS, revision >> 12 & 0xF),
        "RAM": word(_RAM, revision >> 20 & 0x7),
    }


def revision() -> int:
    """The revision code of the current hardware.  Raises RuntimeError if it is no Raspberry Pi."""
    model = getattr(hardware.current(), "model", None)
    if model is not None:
        return _REVISIONS[model]
    try:
        with open(_REVISION_FILE, "rb") as file:
            return int.from_bytes(file.read(4), "big")
    except FileNotFoundError:
        raise RuntimeError("This module can only be run on a Raspberry Pi!") from None


def rpi_info() -> RpiInfo:
    """Of the current hardware.  Raises RuntimeError if it is no Raspberry Pi."""
    return decode(revision())
