"""[pins] and [micropython] of a board.toml: what MicroPython programs call a board's pins.

[pins]
X1 = "GPIO17"         # machine.Pin("X1") is that pin
32 = 27               # and machine.Pin(32) this one
[micropython]
i2c = "i2c-1"         # the bus of an I2C(scl=, sda=) whose pins are none of the header's
adc = "spi0.0"        # ADC(channel) is that of an MCP3008
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .pins import parse_i2c, parse_pin, parse_spi
from .tomlfile import TomlTable

__all__ = ["BoardNames", "load_names"]


@dataclass(frozen=True)
class BoardNames:
    """The GPIO of each name, the I2C bus, and (bus, chip select) of an MCP3008; None: not said."""

    pins: Mapping[str, int] = field(default_factory=dict)
    i2c: int | None = None
    adc: tuple[int, int] | None = None


def load_names(root: TomlTable) -> BoardNames:
    """Those of a board.toml's root table.  Raises ConfigError."""
    pins: dict[str, int] = {}
    i2c = adc = None
    if "pins" in root:
        table = root.table("pins")
        for name in root.get("pins", dict):
            pins[name] = parse_pin(table.get(name, (str, int), check=parse_pin))
    if "micropython" in root:
        table = root.table("micropython")
        table.allow("i2c", "adc")
        i2c = table.get("i2c", (str, int), None, check=parse_i2c)
        adc = table.get("adc", str, None, check=parse_spi)
    return BoardNames(
        pins,
        None if i2c is None else parse_i2c(i2c),
        None if adc is None else parse_spi(adc),
    )
