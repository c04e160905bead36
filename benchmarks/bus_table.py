"""The table of short SPI and I2C messages: CPU of one, by who sends it."""

from __future__ import annotations

from statistics import median

from .driver import Measurement
from .quantity import quantity

ROWS = (
    ("`spidev` package, `xfer2()`, 8 bytes", "spi_message", "package"),
    ("`spi.Device.blocking.transfer()`, 8 bytes", "spi_message", "block"),
    ("`await spi.Device.transfer()`, 8 bytes", "spi_message", "await"),
    ("`i2c.Device.blocking.write()`, 1 byte", "i2c_message", "block"),
    ("`await i2c.Device.write()`, 1 byte", "i2c_message", "await"),
)


def bus_table(measured: Measurement) -> list[str]:
    """Markdown; nothing if no such case was measured."""
    loops = list(measured.versions)
    lines: list[str] = []
    for title, case, metric in ROWS:
        samples = measured.samples.get(case)
        if samples is None:
            continue
        cells = []
        for loop in loops:
            values = [each[metric] for each in samples[loop] if each and metric in each]
            cells.append(quantity(median(values), "ns") if values else "-")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    if not lines:
        return []
    heads = ["", *loops]
    return [
        "### Short messages, CPU without the kernel's",
        "",
        "| " + " | ".join(heads) + " |",
        "|---" * len(heads) + "|",
        *lines,
    ]
