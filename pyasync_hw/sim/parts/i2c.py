"""What has registers on an I2C bus: a pointer, which goes on by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...hardware.pins import i2c_address, parse_i2c
from .part import Part

__all__ = ["I2CPart"]


class I2CPart(Part):
    """One with 256 registers of 8 bits, in `registers`, at `address` of an I2C bus.

    The first byte of a write says where to read or write.  A subclass has wrote(register,
    value) for what a write does, and fills `registers` before they are read, in refresh().
    """

    address: ClassVar[int]
    options = {"bus": (int, str), "address": int}  # noqa: RUF012

    def __init__(self, *, bus: int | str = 1, address: int | None = None, name: str = "") -> None:
        super().__init__(name=name)
        at = i2c_address(self.address if address is None else address)
        if not 0x08 <= at <= 0x77:
            raise ValueError(f"address must be 0x08 to 0x77, not {at:#x}")
        self.where = parse_i2c(bus), at
        self.registers = bytearray(256)
        self._pointer = 0

    def claims(self) -> Mapping[str, str]:
        """See Part.claims()."""
        return {"address": "address {1:#04x} of i2c-{0}".format(*self.where)}

    def on_attach(self) -> None:
        self.board.attach_i2c(*self.where, self)

    def write(self, data: bytes) -> bool | None:
        """A message's bytes, from the program."""
        if data:
            self._pointer = data[0]
            for value in data[1:]:
                self.wrote(self._pointer, value)
                self._pointer = (self._pointer + 1) % 256
        return None

    def read(self, n: int) -> bytes:
        """The next registers."""
        self.refresh()
        found = bytes(self.registers[(self._pointer + i) % 256] for i in range(n))
        self._pointer = (self._pointer + n) % 256
        return found

    def wrote(self, register: int, value: int) -> None:
        """The program has written a register."""
        self.registers[register] = value

    def refresh(self) -> None:
        """Registers are going to be read."""
