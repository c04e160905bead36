"""The models of a Raspberry Pi, as far as a program can tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

__all__ = ["MODELS", "Model", "line_names"]


@dataclass(frozen=True)
class Model:
    """What differs between the models, as far as a program can see it."""

    chip_label: str  # of the gpiochip that has the 40-pin header
    num_lines: int
    spi: tuple[tuple[int, int], ...]  # (bus, chip select) of the header
    # us that kernel and driver take for an SPI message, apart from its bits; see docs/hardware.md
    spi_message: int
    i2c: tuple[int, ...]  # buses of the header
    i2c_funcs: int  # what their adapters can do: I2C_FUNC_* of linux/i2c.h


# i2c-bcm2835: I2C_FUNC_I2C | SMBUS_EMUL, and a transfer's only read is its last message;
# i2c-designware: 10-bit addresses and SMBus blocks, but no quick commands.
BCM_I2C = 0x0EFF0009
DW_I2C = 0x0F7E0003

_BCM2835 = Model(
    "pinctrl-bcm2835", 54, ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2)), 100, (0, 1), BCM_I2C
)
_BCM2711 = Model(
    "pinctrl-bcm2711",
    58,
    tuple((bus, cs) for bus in (0, 1, 3, 4, 5, 6) for cs in range(3 if bus == 1 else 2)),
    30,
    (0, 1, 3, 4, 5, 6),
    BCM_I2C,
)
_RP1 = Model(
    "pinctrl-rp1",
    54,
    tuple((bus, cs) for bus in (0, 1, 2, 3, 5) for cs in range(2)),
    30,
    (0, 1, 2, 3),
    DW_I2C,
)

MODELS: Mapping[str, Model] = {
    "pi-zero": _BCM2835,
    "pi-zero-w": _BCM2835,
    "pi-zero-2-w": replace(_BCM2835, spi_message=40),
    "pi-1": _BCM2835,
    "pi-2": replace(_BCM2835, spi_message=40),
    "pi-3": replace(_BCM2835, spi_message=40),
    "pi-4": _BCM2711,
    "pi-5": _RP1,
}
# Linux, arch/arm/boot/dts/broadcom/bcm2835-rpi-zero-w.dts; the Pi 4 and 5 name
# all but the first two by number.
_ZERO_NAMES = {
    2: "SDA1",
    3: "SCL1",
    4: "GPIO_GCLK",
    7: "SPI_CE1_N",
    8: "SPI_CE0_N",
    9: "SPI_MISO",
    10: "SPI_MOSI",
    11: "SPI_SCLK",
    14: "TXD1",
    15: "RXD1",
}


def line_names(model: str) -> list[str]:
    """The names of a model's lines by offset; "" for those that are not on the header."""
    own = MODELS[model]
    names = ["ID_SDA", "ID_SCL"] + [f"GPIO{offset}" for offset in range(2, 28)]
    if own.chip_label == _BCM2835.chip_label:
        for offset, name in _ZERO_NAMES.items():
            names[offset] = name
    return names + [""] * (own.num_lines - len(names))
