"""Bosch's BMP180: pressure and temperature (data sheet BST-BMP180-DS000-09)."""

from __future__ import annotations

from .i2c import I2CPart
from .values import in_range

__all__ = ["BMP180"]

ID, RESET, CONTROL, RESULT = 0xD0, 0xE0, 0xF4, 0xF6
POWER_ON = 0xB6  # written to RESET
TEMPERATURE, PRESSURE = 0x2E, 0x34
START = 0x20  # Sco, until the conversion is over
SECONDS = (0.0045, 0.0075, 0.0135, 0.0255)  # table 3, by oversampling
# The data sheet's own example, figure 4.
CALIBRATION = {
    "AC1": 408,
    "AC2": -72,
    "AC3": -14383,
    "AC4": 32741,
    "AC5": 32757,
    "AC6": 23153,
    "B1": 6190,
    "B2": 4,
    "MB": -32768,
    "MC": -8711,
    "MD": 2868,
}


def _b5(ut: int) -> int:
    c = CALIBRATION
    x1 = (ut - c["AC6"]) * c["AC5"] >> 15
    return x1 + (c["MC"] << 11) // (x1 + c["MD"])


def _celsius(ut: int) -> float:
    return (_b5(ut) + 8 >> 4) / 10


def _pascal(ut: int, up: int, oversampling: int) -> int:
    """Figure 4, as drivers do it."""
    c = CALIBRATION
    b6 = _b5(ut) - 4000
    x3 = (c["B2"] * (b6 * b6 >> 12) >> 11) + (c["AC2"] * b6 >> 11)
    b3 = ((c["AC1"] * 4 + x3 << oversampling) + 2) // 4
    x3 = (c["AC3"] * b6 >> 13) + (c["B1"] * (b6 * b6 >> 12) >> 16) + 2 >> 2
    b4 = c["AC4"] * (x3 + 32768) >> 15
    b7 = (up - b3) * (50000 >> oversampling)
    p = b7 * 2 // b4
    x1 = (p >> 8) * (p >> 8) * 3038 >> 16
    return p + (x1 + (-7357 * p >> 16) + 3791 >> 4)


def _first(low: int, high: int, reached: object) -> int:
    """The smallest number from which on reached(number) holds."""
    assert callable(reached)
    while low < high:
        middle = (low + high) // 2
        if reached(middle):
            high = middle
        else:
            low = middle + 1
    return low


class BMP180(I2CPart):
    """A barometer: `celsius` and `pascal` are what it measures."""

    address = 0x77
    options = {**I2CPart.options, "celsius": float, "pascal": float}  # noqa: RUF012
    actions = ("set",)

    def __init__(
        self,
        *,
        celsius: float = 20.0,
        pascal: float = 101325.0,
        bus: int | str = 1,
        address: int | None = None,
        name: str = "",
    ) -> None:
        super().__init__(bus=bus, address=address, name=name)
        self.set(celsius, pascal)
        self.registers[ID] = 0x55
        for number, value in enumerate(CALIBRATION.values()):
            self.registers[0xAA + 2 * number : 0xAC + 2 * number] = (value & 0xFFFF).to_bytes(2)
        self._reset()

    def _reset(self) -> None:
        self.registers[CONTROL] = 0
        self.registers[RESULT : RESULT + 3] = b"\x80\0\0"
        self._done_at: float | None = None

    def set(self, celsius: float, pascal: float) -> None:
        """What it measures from now on: -40 to 85 degrees, 30,000 to 110,000 Pa."""
        celsius = in_range("celsius", celsius, -40, 85, "degrees")
        self.pascal = in_range("pascal", pascal, 30_000, 110_000, "Pa")
        self.celsius = celsius

    def wrote(self, register: int, value: int) -> None:
        if register == RESET and value == POWER_ON:
            self._reset()
        if register != CONTROL:
            return  # all else is read only
        self.registers[CONTROL] = value
        if not value & START:
            return
        ut = _first(0, 0xFFFF, lambda ut: _celsius(ut) >= round(self.celsius, 1))
        if value & 0x1F == TEMPERATURE & 0x1F:
            result, seconds = ut << 8, SECONDS[0]
        else:
            oversampling = value >> 6
            up = _first(
                0,
                (1 << 16 + oversampling) - 1,
                lambda up: _pascal(ut, up, oversampling) >= self.pascal,
            )
            result, seconds = up << 8 - oversampling, SECONDS[oversampling]
        self._result = result.to_bytes(3)
        self._done_at = self.board.time() + seconds

    def refresh(self) -> None:
        if self._done_at is not None and self.board.time() >= self._done_at:
            self._done_at = None
            self.registers[CONTROL] &= ~START
            self.registers[RESULT : RESULT + 3] = self._result
