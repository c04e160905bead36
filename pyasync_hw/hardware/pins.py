"""Names of header pins, SPI devices and I2C buses, written as gpiozero writes them.

17, "17", "GPIO17", "BCM17", "BOARD11", "J8:11" and wiringPi's "WPI0" are the same pin of
the 40-pin header (Raspberry Pi B+ and later).
"""

from __future__ import annotations

import re

BOARD_TO_BCM = {
    3: 2,
    5: 3,
    7: 4,
    8: 14,
    10: 15,
    11: 17,
    12: 18,
    13: 27,
    15: 22,
    16: 23,
    18: 24,
    19: 10,
    21: 9,
    22: 25,
    23: 11,
    24: 8,
    26: 7,
    29: 5,
    31: 6,
    32: 12,
    33: 13,
    35: 19,
    36: 16,
    37: 26,
    38: 20,
    40: 21,
}
HEADER_GPIOS = range(28)
_WIRINGPI = (17, 18, 27, 22, 23, 24, 25, 4, 2, 3, 8, 7, 10, 9, 11, 14, 15)
WPI_TO_BCM = dict(enumerate(_WIRINGPI)) | dict(
    zip(range(21, 32), (5, 6, 13, 19, 26, 12, 16, 20, 21, 0, 1), strict=True)
)
_SYSFS_BASE = 512  # of /sys/class/gpio, since Linux 6.6

_PIN = re.compile(r"(GPIO|BCM|BOARD|J8:|WPI)?(\d{1,3})", re.IGNORECASE)
_SPI = re.compile(r"(?:/dev/spidev|spi)(\d{1,3})\.(\d{1,3})")
_I2C = re.compile(r"(?:/dev/)?i2c-?(\d{1,3})")


def parse_pin(spec: int | str) -> int:
    """The GPIO (BCM) number of a header pin.  Raises ValueError or TypeError."""
    if isinstance(spec, bool) or not isinstance(spec, (int, str)):
        raise TypeError(f"a pin is a GPIO number or a name such as 'GPIO17', not {spec!r}")
    match = _PIN.fullmatch(str(spec))
    if match is None:
        raise ValueError(
            f"{spec!r} is not a pin; write GPIO0..GPIO27 or BOARD3..BOARD40, "
            "and chip= for a line by its own name"
        )
    number = int(match[2])
    numbering = (match[1] or "").upper()
    if numbering in ("BOARD", "J8:"):
        if number not in BOARD_TO_BCM:
            pins = ", ".join(map(str, BOARD_TO_BCM))
            raise ValueError(f"pin {number} of the header carries no GPIO; allowed: {pins}")
        return BOARD_TO_BCM[number]
    if numbering == "WPI":
        if number not in WPI_TO_BCM:
            raise ValueError(f"{spec!r}: wiringPi numbers pins 0 to 16 and 21 to 31")
        return WPI_TO_BCM[number]
    if number not in HEADER_GPIOS:
        raise ValueError(f"{spec!r} is not on the header; allowed: GPIO0..GPIO27{_meant(number)}")
    return number


def _meant(number: int) -> str:
    """In which other numbering a number may have been meant."""
    if number in BOARD_TO_BCM:
        return f"; if it counts the pins of the header, write 'BOARD{number}'"
    if number - _SYSFS_BASE in HEADER_GPIOS:
        return f"; if it is from /sys/class/gpio, write 'GPIO{number - _SYSFS_BASE}'"
    return ""


def parse_spi(spec: str) -> tuple[int, int]:
    """(bus, chip select) of "spi0.1" or "/dev/spidev0.1".  Raises ValueError or TypeError."""
    if not isinstance(spec, str):
        raise TypeError(f"an SPI device is a name such as 'spi0.0', not {spec!r}")
    match = _SPI.fullmatch(spec)
    if match is None:
        raise ValueError(f"{spec!r} is not an SPI device; write 'spi<bus>.<chip select>'")
    return int(match[1]), int(match[2])


def parse_i2c(spec: int | str) -> int:
    """The number of an I2C bus: 1, "i2c-1" or "/dev/i2c-1".  ValueError or TypeError."""
    if isinstance(spec, bool) or not isinstance(spec, (int, str)):
        raise TypeError(f"an I2C bus is a number or a name such as 'i2c-1', not {spec!r}")
    if isinstance(spec, int):
        if spec < 0:
            raise ValueError(f"an I2C bus is 0 or more, not {spec}")
        return spec
    match = _I2C.fullmatch(spec)
    if match is None:
        raise ValueError(f"{spec!r} is not an I2C bus; write 'i2c-<bus>'")
    return int(match[1])


def i2c_address(value: int, ten_bit: bool = False) -> int:
    """The address of an I2C device.  Raises ValueError or TypeError."""
    last = 0x3FF if ten_bit else 0x7F
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"an I2C address is a whole number, not {value!r}")
    if not 0 <= value <= last:
        hint = (
            ""
            if ten_bit or value > 0x3FF or value < 0
            else (
                f"; a data sheet may give it with the read/write bit: 0x{value >> 1:02x} then"
                if value <= 0xFF
                else "; or is it of ten_bit=True?"
            )
        )
        raise ValueError(
            f"an I2C address of {10 if ten_bit else 7} bits is 0x00 to 0x{last:02x}, "
            f"not {value:#04x}{hint}"
        )
    return value
