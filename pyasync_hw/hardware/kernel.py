"""The machine's own hardware: GPIO character devices, spidev and i2c-dev."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import _core
from .backend import LineSettings
from .names import BoardNames
from .pins import parse_pin
from .pwm import find_channel
from .wiring import ReaderWiring

__all__ = ["KernelBackend", "is_raspberry_pi"]

# The chips that carry the 40-pin header, by the device tree's "compatible".
_HEADER_CHIPS = (
    "raspberrypi,rp1-gpio",
    "brcm,bcm2711-gpio",
    "brcm,bcm2835-gpio",
)
_MODEL_FILE = "/proc/device-tree/model"


class KernelBackend:
    """The machine's own hardware, through /dev/gpiochip*, /dev/spidev* and /dev/i2c-*.

    A chip is found by label, name or device tree, never by number.
    """

    name = "real hardware"

    def __init__(
        self, readers: Sequence[ReaderWiring] = (), names: BoardNames | None = None
    ) -> None:
        self.readers = tuple(readers)
        self.names = names or BoardNames()

    def find_line(self, spec: int | str, chip: str | None = None) -> tuple[str, int]:
        """See Backend.find_line; the chip is a path.  Raises OSError, ValueError."""
        if chip is None:
            return _header_chip(), parse_pin(spec)
        path = chip if chip.startswith("/") else _core.find_chip(chip)
        if isinstance(spec, int):
            return path, spec
        return _core.find_line(spec, path)

    def request_lines(
        self,
        lines: Mapping[int | str, LineSettings],
        consumer: str = "pyasync_hw",
        *,
        chip: str | None = None,
        event_buffer_size: int = 0,
    ) -> _core.LineRequest:
        """See Backend.request_lines.  Raises OSError with a remedy, or ValueError."""
        found = [self.find_line(spec, chip) for spec in lines]
        if not found:
            raise ValueError("lines must name at least one line")
        path = found[0][0]
        return _core.request_lines(
            path,
            [offset for _, offset in found],
            list(lines.values()),
            consumer,
            event_buffer_size,
        )

    def open_pwm(self, spec: int | str, active_low: bool, rest: bool) -> _core.PWM | None:
        """The kernel's PWM of a header pin; None: no overlay has given it one."""
        found = find_channel(parse_pin(spec))
        return None if found is None else _core.open_kernel_pwm(*found, active_low, rest)

    def open_chip(self, chip: str) -> _core.GPIOChip:
        """See Backend.open_chip.  Raises OSError with a remedy."""
        return _core.open_gpiochip(chip if chip.startswith("/") else _core.find_chip(chip))

    def open_spi(
        self, bus: int, cs: int, speed_hz: int = 4_000_000, mode: int = 0
    ) -> _core.SPIDevice:
        """/dev/spidev<bus>.<cs>.  Raises OSError with a remedy."""
        return _core.open_spidev(f"/dev/spidev{bus}.{cs}", f"spi{bus}.{cs}", speed_hz, mode)

    def open_i2c(self, bus: int) -> _core.I2CBus:
        """/dev/i2c-<bus>.  Raises OSError with a remedy."""
        return _core.open_i2cdev(f"/dev/i2c-{bus}", f"i2c-{bus}")

    def __repr__(self) -> str:
        return "<KernelBackend>"


def _header_chip() -> str:
    return _core.find_compatible_chip(_HEADER_CHIPS)


def is_raspberry_pi() -> bool:
    """Does the device tree say that this machine is a Raspberry Pi?"""
    try:
        with open(_MODEL_FILE, "rb") as file:
            return file.read().startswith(b"Raspberry Pi")
    except FileNotFoundError:  # no device tree: a PC
        return False
