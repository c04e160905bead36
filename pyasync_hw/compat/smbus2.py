"""smbus2 0.6.1's SMBus, i2c_msg and I2cFunc over pyasync_hw's I2C buses.

Also found as `smbus`.  docs/run.md has what is different.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable, Iterator
from enum import IntFlag
from typing import Any, Self

from .. import hardware
from .._core import I2CBus
from ..hardware.device import ClosedOnError
from ..hardware.pins import parse_i2c
from .hints import no_such_name

__version__ = "0.6.1"
__all__ = ["I2cFunc", "SMBus", "SMBusWrapper", "i2c_msg"]

_BLOCK_MAX = 32
_READ = 0x0001  # I2C_M_RD

# I2C_SMBUS_* of linux/i2c.h.
_QUICK, _BYTE, _BYTE_DATA, _WORD_DATA, _PROC_CALL, _BLOCK_DATA = range(6)
_BLOCK_PROC_CALL, _I2C_BLOCK = 7, 8


class I2cFunc(IntFlag):
    """What an adapter can do, to be tested on SMBus.funcs."""

    I2C = 0x00000001
    ADDR_10BIT = 0x00000002
    PROTOCOL_MANGLING = 0x00000004
    SMBUS_PEC = 0x00000008
    NOSTART = 0x00000010
    SLAVE = 0x00000020
    SMBUS_BLOCK_PROC_CALL = 0x00008000
    SMBUS_QUICK = 0x00010000
    SMBUS_READ_BYTE = 0x00020000
    SMBUS_WRITE_BYTE = 0x00040000
    SMBUS_READ_BYTE_DATA = 0x00080000
    SMBUS_WRITE_BYTE_DATA = 0x00100000
    SMBUS_READ_WORD_DATA = 0x00200000
    SMBUS_WRITE_WORD_DATA = 0x00400000
    SMBUS_PROC_CALL = 0x00800000
    SMBUS_READ_BLOCK_DATA = 0x01000000
    SMBUS_WRITE_BLOCK_DATA = 0x02000000
    SMBUS_READ_I2C_BLOCK = 0x04000000
    SMBUS_WRITE_I2C_BLOCK = 0x08000000
    SMBUS_HOST_NOTIFY = 0x10000000
    SMBUS_BYTE = 0x00060000
    SMBUS_BYTE_DATA = 0x00180000
    SMBUS_WORD_DATA = 0x00600000
    SMBUS_BLOCK_DATA = 0x03000000
    SMBUS_I2C_BLOCK = 0x0C000000
    SMBUS_EMUL = 0x0EFF0008


class i2c_msg(ctypes.Structure):
    """One message of SMBus.i2c_rdwr(), as struct i2c_msg of linux/i2c.h."""

    _fields_ = (
        ("addr", ctypes.c_uint16),
        ("flags", ctypes.c_uint16),
        ("len", ctypes.c_uint16),
        ("buf", ctypes.POINTER(ctypes.c_char)),
    )

    @staticmethod
    def read(address: int, length: int) -> i2c_msg:
        """A message that reads `length` bytes; they are in it after i2c_rdwr()."""
        room = ctypes.create_string_buffer(length)
        return i2c_msg(addr=address, flags=_READ, len=length, buf=room)

    @staticmethod
    def write(address: int, buf: str | Iterable[int]) -> i2c_msg:
        """A message that writes bytes, integers or the characters of a str."""
        data = bytes(map(ord, buf)) if isinstance(buf, str) else bytes(buf)
        room = ctypes.create_string_buffer(data, len(data))
        return i2c_msg(addr=address, flags=0, len=len(data), buf=room)

    def __iter__(self) -> Iterator[int]:
        return iter(bytes(self))

    def __len__(self) -> int:
        return int(self.len)

    def __bytes__(self) -> bytes:
        return ctypes.string_at(self.buf, self.len)

    def __repr__(self) -> str:
        return f"i2c_msg({self.addr},{self.flags},{bytes(self)!r})"

    def __str__(self) -> str:
        return bytes(self).decode(errors="ignore")


def _block(data: Iterable[int]) -> bytes:
    values = list(data)
    if len(values) > _BLOCK_MAX:
        raise ValueError(f"Data length cannot exceed {_BLOCK_MAX} bytes")
    return bytes([len(values), *(value & 0xFF for value in values)])  # as C takes them


def _word(value: int) -> bytes:
    return (value & 0xFFFF).to_bytes(2, "little")


class SMBus:
    """SMBus([bus[, force]]): an I2C bus by its number or path, opened now or by open()."""

    def __init__(self, bus: int | str | None = None, force: bool = False) -> None:
        self._core: I2CBus | None = None
        self.funcs = I2cFunc(0)
        self.address: int | None = None
        self.force = force
        self._pec = 0
        if bus is not None:
            self.open(bus)

    def open(self, bus: int | str) -> None:
        """Open /dev/i2c-<bus>, or a bus by its path."""
        if not isinstance(bus, int | str):
            raise TypeError(f"Unexpected type(bus)={type(bus)}")
        if isinstance(bus, str):
            bus = _number_of(bus)
        self.close()
        self._core = hardware.current().open_i2c(int(bus))
        with ClosedOnError(self):
            self.funcs = I2cFunc(self._core.funcs)

    def close(self) -> None:
        """Give the bus back; idempotent."""
        core, self._core = self._core, None
        self._pec = 0
        self.address = None
        if core is not None:
            core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def fd(self) -> int | None:
        """None: it is closed; else -1, for the descriptor is pyasync_hw's own."""
        return None if self._core is None else -1

    def _get_pec(self) -> int:
        return self._pec

    def enable_pec(self, enable: bool | int = True) -> None:
        """Packet error codes, of SMBus 1.1, from now on."""
        if not self.funcs & I2cFunc.SMBUS_PEC:
            raise OSError("SMBUS_PEC is not a feature")
        self._pec = int(enable)

    pec = property(_get_pec, enable_pec, doc="Are there packet error codes?  0 or 1.")

    def _call(
        self,
        address: int,
        read: bool,
        command: int,
        size: int,
        data: bytes = b"",
        force: bool | None = None,
    ) -> bytes:
        if self._core is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        use_force = (self.force if force is None else force) is True
        answer = self._core.smbus(
            address, read, command & 0xFF, size, data, bool(self._pec), use_force
        )
        self.address = address
        return answer

    def write_quick(self, i2c_addr: int, force: bool | None = None) -> None:
        """Address it, and no more."""
        self._call(i2c_addr, False, 0, _QUICK, force=force)

    def read_byte(self, i2c_addr: int, force: bool | None = None) -> int:
        """Read a byte, without a register."""
        return self._call(i2c_addr, True, 0, _BYTE, force=force)[0]

    def write_byte(self, i2c_addr: int, value: int, force: bool | None = None) -> None:
        """Write a byte, without a register."""
        self._call(i2c_addr, False, value, _BYTE, force=force)

    def read_byte_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        """Read a register of a byte."""
        return self._call(i2c_addr, True, register, _BYTE_DATA, force=force)[0]

    def write_byte_data(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> None:
        """Write a register of a byte."""
        self._call(i2c_addr, False, register, _BYTE_DATA, bytes([value & 0xFF]), force)

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        """Read a register of two bytes, the low one first."""
        answer = self._call(i2c_addr, True, register, _WORD_DATA, force=force)
        return int.from_bytes(answer, "little")

    def write_word_data(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> None:
        """Write a register of two bytes, the low one first."""
        self._call(i2c_addr, False, register, _WORD_DATA, _word(value), force)

    def process_call(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> int:
        """Send a word, and read the one that answers."""
        answer = self._call(i2c_addr, False, register, _PROC_CALL, _word(value), force)
        return int.from_bytes(answer, "little")

    def read_block_data(self, i2c_addr: int, register: int, force: bool | None = None) -> list[int]:
        """Read a block, whose length comes before it."""
        return list(self._call(i2c_addr, True, register, _BLOCK_DATA, force=force))

    def write_block_data(
        self, i2c_addr: int, register: int, data: Iterable[int], force: bool | None = None
    ) -> None:
        """Write a block, and its length before it."""
        self._call(i2c_addr, False, register, _BLOCK_DATA, _block(data), force)

    def block_process_call(
        self, i2c_addr: int, register: int, data: Iterable[int], force: bool | None = None
    ) -> list[int]:
        """Send a block, and read the one that answers."""
        return list(self._call(i2c_addr, False, register, _BLOCK_PROC_CALL, _block(data), force))

    def read_i2c_block_data(
        self,
        i2c_addr: int,
        register: int,
        length: int = _BLOCK_MAX,  # as smbus has it, not smbus2
        force: bool | None = None,
    ) -> list[int]:
        """Read up to 32 bytes from a register on."""
        if length > _BLOCK_MAX:
            raise ValueError(f"Desired block length over {_BLOCK_MAX} bytes")
        data = bytes([length & 0xFF])
        return list(self._call(i2c_addr, True, register, _I2C_BLOCK, data, force))

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Iterable[int], force: bool | None = None
    ) -> None:
        """Write up to 32 bytes from a register on."""
        self._call(i2c_addr, False, register, _I2C_BLOCK, _block(data), force)

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Messages of i2c_msg.read() and write(), with no stop between them."""
        if self._core is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        messages: list[tuple[int, Any, int]] = []
        for message in i2c_msgs:
            data = message.len if message.flags & _READ else bytes(message)
            messages.append((message.addr, data, message.flags))
        answers = iter(self._core.transfer(messages))
        for message in i2c_msgs:
            if message.flags & _READ:
                ctypes.memmove(message.buf, next(answers), message.len)


def _number_of(path: str) -> int:
    try:
        return parse_i2c(os.path.realpath(path))
    except ValueError:
        # open() and the first ioctl() of a file that is no I2C bus
        code = errno.ENOTTY if os.path.exists(path) else errno.ENOENT
        raise OSError(code, os.strerror(code), path) from None


class SMBusWrapper:
    """What smbus2 had up to 0.3: a bus for the length of a with statement."""

    def __init__(self, bus_number: int = 0, auto_cleanup: bool = True, force: bool = False) -> None:
        self.bus_number, self.auto_cleanup, self.force = bus_number, auto_cleanup, force

    def __enter__(self) -> SMBus:
        self.bus = SMBus(self.bus_number, self.force)
        return self.bus

    def __exit__(self, *exc_info: object) -> None:
        if self.auto_cleanup:
            self.bus.close()


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
