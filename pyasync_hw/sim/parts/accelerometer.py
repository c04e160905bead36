"""Accelerometers: ADXL345 (Analog Devices, rev. G), MMA7660FC (Freescale, rev. 7) and
MPU-6050 (InvenSense, RM-MPU-6000A).
"""

from __future__ import annotations

from .i2c import I2CPart
from .values import in_range

__all__ = ["ADXL345", "MMA7660", "MPU6050"]


class _Accelerometer(I2CPart):
    options = {**I2CPart.options, "x": float, "y": float, "z": float}  # noqa: RUF012
    actions = ("set",)

    def __init__(
        self,
        *,
        x: float = 0.0,
        y: float = 0.0,
        z: float = 1.0,
        bus: int | str = 1,
        address: int | None = None,
        name: str = "",
    ) -> None:
        super().__init__(bus=bus, address=address, name=name)
        self.set(x, y, z)

    def set(self, x: float, y: float, z: float) -> None:
        """Its acceleration from now on, in g: 0, 0, 1 at rest."""
        given = {"x": x, "y": y, "z": z}.items()
        self.g = tuple(in_range(axis, g, -1000, 1000, "g") for axis, g in given)


class ADXL345(_Accelerometer):
    """Measures once bit 3 of POWER_CTL is set; ranges of 2 to 16 g, full resolution or not."""

    address = 0x53

    def __init__(self, **settings: float) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.registers[0x00] = 0xE5  # DEVID
        self.registers[0x2C] = 0x0A  # BW_RATE

    def wrote(self, register: int, value: int) -> None:
        if register >= 0x1D and not 0x32 <= register <= 0x37:
            super().wrote(register, value)

    def refresh(self) -> None:
        if not self.registers[0x2D] & 0x08:
            return
        range_bits, full = self.registers[0x31] & 3, self.registers[0x31] & 8
        per_g = 256 if full else 256 >> range_bits
        limit = 256 * (2 << range_bits) if full else 512
        for axis, g in enumerate(self.g):
            offset = int.from_bytes(self.registers[0x1E + axis : 0x1F + axis], signed=True)
            g += offset / 64  # OFSX, OFSY, OFSZ: 15.6 mg
            raw = max(-limit, min(limit - 1, round(g * per_g)))
            self.registers[0x32 + 2 * axis : 0x34 + 2 * axis] = raw.to_bytes(
                2, "little", signed=True
            )
        self.registers[0x30] |= 0x80  # DATA_READY


class MMA7660(_Accelerometer):
    """The pyboard's: 6 bits an axis, 21.33 for a g, up to 1.5 g.  Measures in active mode."""

    address = 0x4C

    def wrote(self, register: int, value: int) -> None:
        if register == 0x07 or (0x05 <= register <= 0x0A and not self.registers[0x07] & 1):
            super().wrote(register, value)  # what is set up is set up in standby

    def refresh(self) -> None:
        if not self.registers[0x07] & 1:  # MODE
            return
        for axis, g in enumerate(self.g):
            self.registers[axis] = max(-32, min(31, round(g * 64 / 3))) & 0x3F


class MPU6050(_Accelerometer):
    """Its accelerometer and thermometer; the gyroscope reads 0.  Asleep after power-on."""

    address = 0x68

    def __init__(self, **settings: float) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.celsius = 25.0
        self.registers[0x75] = 0x68  # WHO_AM_I
        self.registers[0x6B] = 0x40  # PWR_MGMT_1: SLEEP

    def wrote(self, register: int, value: int) -> None:
        if register == 0x6B and value & 0x80:  # DEVICE_RESET
            self.registers[0x19:0x75] = bytes(0x75 - 0x19)
            value = 0x40
        if not (0x3A <= register <= 0x60 or register == 0x75):
            super().wrote(register, value)

    def refresh(self) -> None:
        if self.registers[0x6B] & 0x40:
            return
        per_g = 16384 >> (self.registers[0x1C] >> 3 & 3)
        raw = [max(-32768, min(32767, round(g * per_g))) for g in self.g]
        raw.append(round((self.celsius - 36.53) * 340))
        self.registers[0x3B:0x43] = b"".join(value.to_bytes(2, "big", signed=True) for value in raw)
        self.registers[0x3A] |= 1  # DATA_RDY_INT
