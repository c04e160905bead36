"""I2C buses, and the devices on them.

    async with i2c.Device("i2c-1", 0x76) as sensor:
        (chip_id,) = await sensor.write_read(b"\\xd0", 1)

A message above 200 us (two bytes at 100 kHz) goes to the loop's executor, a shorter one
is sent at once.  Whoever uses a bus gets it in the order in which they came, by whichever
object.  `device.blocking` has the same for programs without a loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import operator
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING

from . import hardware
from .hardware import turns
from .hardware.device import BlockingLife, DeviceLife
from .hardware.pins import i2c_address, parse_i2c

if TYPE_CHECKING:
    from typing_extensions import Buffer

    Data = Buffer | int  # bytes to write, or how many to read

__all__ = ["BlockingBus", "BlockingDevice", "Bus", "Device"]

I2C_M_TEN = 0x0010  # linux/i2c.h
FUNC_SMBUS_QUICK = 0x00010000
_NO_ANSWER = (errno.EREMOTEIO, errno.ENXIO)  # a Raspberry Pi's drivers, and others
# UM10204, 3.1.12: the other 7-bit addresses are reserved.
_SCANNED = range(0x08, 0x78)
# A quick write may change an EEPROM, and a PMBus device's setting; as i2cdetect does it.
_READ_TO_SCAN = frozenset([*range(0x30, 0x38), *range(0x50, 0x60)])


def _messages(messages: Iterable[tuple[int, Data]], flags: int) -> list[tuple[int, Data, int]]:
    """As the core takes them.  TypeError: one is neither bytes nor a number."""
    checked: list[tuple[int, Data, int]] = []
    for address, data in messages:
        count = _count(data)
        if count is None:
            data = _to_write(data)  # a copy: what the caller changes meanwhile is not sent
        checked.append((address, data if count is None else count, flags))
    return checked


def _count(data: object) -> int | None:
    """A number of bytes to read.  One of numpy has a buffer, too, and must not be written."""
    try:
        return operator.index(data)  # type: ignore[arg-type]
    except TypeError:
        return None


def _each(messages: Iterable[Data]) -> Iterable[Data]:
    if isinstance(messages, (bytes, bytearray, memoryview)):  # of which each is a number
        raise TypeError(f"messages are several, such as [{bytes(messages)!r}, 1]; not bytes")
    return messages


def _to_write(data: Data) -> bytes:
    count = _count(data)
    if count is not None:  # it would be read, and bytes() of one are as many zeros
        raise TypeError(
            f"what is written is bytes, not {data!r}; for one byte write bytes([{count}])"
        )
    try:
        return bytes(memoryview(data))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"what is written is bytes, not {data!r}") from None


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nobody may answer in it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ANSWER:
            raise


class BlockingBus(BlockingLife):
    """An I2C bus: 1 or "i2c-1" is /dev/i2c-1.  Each call blocks the thread, not the GIL.

    Raises OSError with a remedy, ValueError.
    """

    __slots__ = ("core", "name")

    def __init__(self, spec: int | str = "i2c-1", *, board: hardware.Backend | None = None) -> None:
        number = parse_i2c(spec)
        self.name = f"i2c-{number}"
        self.core = hardware.chosen(board).open_i2c(number)
        hardware.use_running_loop(self.core)

    def transfer(
        self, messages: Iterable[tuple[int, Data]], *, ten_bit: bool = False
    ) -> list[bytes]:
        """1 to 42 messages with no stop between them; what was read, one for each read.

        A message is (address, bytes to write) or (address, number of bytes to read).
        OSError (EREMOTEIO or ENXIO): nothing answers.
        """
        return self.core.transfer(_messages(messages, I2C_M_TEN if ten_bit else 0))

    def scan(self) -> list[int]:
        """The 7-bit addresses that answer.  A device may take that for a command."""
        found: list[int] = []
        for address in _SCANNED:
            with _silence():
                self.core.transfer([self._probe(address)])
                found.append(address)
        return found

    def _probe(self, address: int) -> tuple[int, Data, int]:
        quick = self.core.funcs & FUNC_SMBUS_QUICK and address not in _READ_TO_SCAN
        return (address, b"" if quick else 1, 0)

    def lock(self) -> AbstractContextManager[None]:
        """`with bus.lock():` as Bus.lock(), for this thread."""
        return turns.hold_blocking(self.core)

    def device(self, address: int, *, ten_bit: bool = False) -> BlockingDevice:
        """The device at an address of this bus, which closes it."""
        return BlockingDevice(self, address, ten_bit)

    @property
    def funcs(self) -> int:
        """What its adapter can do: I2C_FUNC_* of linux/i2c.h.  ValueError when closed."""
        return self.core.funcs

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self.core.closed

    def close(self) -> None:
        """Give the bus back; idempotent.  A transfer that runs is finished."""
        self.core.close()

    def _begin(self) -> None:
        _ = self.core.funcs

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<{type(self).__name__} {self.name} {state}>"


class Bus(DeviceLife):
    """An I2C bus, whose calls are awaited; otherwise as BlockingBus."""

    __slots__ = ("blocking", "name")

    def __init__(self, spec: int | str = "i2c-1", *, board: hardware.Backend | None = None) -> None:
        self.blocking = BlockingBus(spec, board=board)
        self.name = self.blocking.name

    async def transfer(
        self, messages: Iterable[tuple[int, Data]], *, ten_bit: bool = False
    ) -> list[bytes]:
        """As BlockingBus.transfer().  Cancelled, one that has begun is finished."""
        return await self._send(_messages(messages, I2C_M_TEN if ten_bit else 0))

    async def _send(self, messages: list[tuple[int, Data, int]]) -> list[bytes]:
        return await turns.send(self.blocking.core.begin(messages))

    def lock(self) -> AbstractAsyncContextManager[None]:
        """`async with bus.lock():` nobody else's transfer comes between those in it.

        It lets in this task's transfers, by whichever object of this bus.  Other processes
        it keeps out of nothing.
        """
        return turns.hold(self.blocking.core)

    async def scan(self) -> list[int]:
        """As BlockingBus.scan(); others have their turns in between."""
        found: list[int] = []
        for address in _SCANNED:
            with _silence():
                await self._send([self.blocking._probe(address)])
                found.append(address)
            await asyncio.sleep(0)
        return found

    def device(self, address: int, *, ten_bit: bool = False) -> Device:
        """The device at an address of this bus; the bus is closed by who opened it."""
        return Device(self, address, ten_bit=ten_bit)

    @property
    def funcs(self) -> int:
        """As BlockingBus.funcs."""
        return self.blocking.funcs

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self.blocking.closed

    def close(self) -> None:
        """Give the bus back; idempotent.  A transfer that runs is finished."""
        self.blocking.close()

    def _begin(self) -> None:
        self.blocking._begin()

    def __repr__(self) -> str:
        return f"<Bus {self.name} {'closed' if self.closed else 'open'}>"


class BlockingDevice(BlockingLife):
    """A device on a bus: Device.blocking, or BlockingBus.device()."""

    __slots__ = ("address", "bus", "ten_bit")

    def __init__(self, bus: BlockingBus, address: int, ten_bit: bool = False) -> None:
        self.bus = bus
        self.address = i2c_address(address, ten_bit)
        self.ten_bit = ten_bit

    def transfer(self, messages: Iterable[Data]) -> list[bytes]:
        """Messages with no stop between them: bytes to write, or how many to read."""
        to_here = ((self.address, data) for data in _each(messages))
        return self.bus.transfer(to_here, ten_bit=self.ten_bit)

    def read(self, n: int) -> bytes:
        """Read n bytes, up to 8192."""
        return self.transfer([n])[0]

    def write(self, data: Buffer) -> None:
        """Write bytes, up to 8192."""
        self.transfer([_to_write(data)])

    def write_read(self, data: Buffer, n: int) -> bytes:
        """Write bytes, a register's address say, and read n with no stop between."""
        return self.transfer([_to_write(data), n])[0]

    @property
    def blocking(self) -> BlockingDevice:
        """Itself."""
        return self

    @property
    def closed(self) -> bool:
        """Is its bus closed?"""
        return self.bus.closed

    def close(self) -> None:
        """Close its bus; idempotent."""
        self.bus.close()

    def _begin(self) -> None:
        self.bus._begin()

    def __repr__(self) -> str:
        return f"<BlockingDevice 0x{self.address:02x} of {self.bus.name}>"


class Device(DeviceLife):
    """A device: its address on a bus ("i2c-1", 1, or a Bus that is open already).

    Of a name it opens the bus, and closes it.  Raises OSError with a remedy, ValueError.
    """

    __slots__ = ("_owns_bus", "address", "bus", "ten_bit")

    def __init__(
        self,
        bus: int | str | Bus,
        address: int,
        *,
        ten_bit: bool = False,
        board: hardware.Backend | None = None,
    ) -> None:
        address = i2c_address(address, ten_bit)
        self._owns_bus = not isinstance(bus, Bus)
        self.bus = bus if isinstance(bus, Bus) else Bus(bus, board=board)
        self.address = address
        self.ten_bit = ten_bit

    @property
    def blocking(self) -> BlockingDevice:
        """The same for programs without a loop: blocks the thread, not the GIL."""
        return BlockingDevice(self.bus.blocking, self.address, self.ten_bit)

    async def transfer(self, messages: Iterable[Data]) -> list[bytes]:
        """Messages with no stop between them: bytes to write, or how many to read.

        What was read, one for each read.  OSError (EREMOTEIO or ENXIO): nothing answers.
        """
        to_here = ((self.address, data) for data in _each(messages))
        return await self.bus.transfer(to_here, ten_bit=self.ten_bit)

    async def read(self, n: int) -> bytes:
        """Read n bytes, up to 8192."""
        return (await self.transfer([n]))[0]

    async def write(self, data: Buffer) -> None:
        """Write bytes, up to 8192."""
        await self.transfer([_to_write(data)])

    async def write_read(self, data: Buffer, n: int) -> bytes:
        """Write bytes, a register's address say, and read n with no stop between."""
        return (await self.transfer([_to_write(data), n]))[0]

    @property
    def closed(self) -> bool:
        """Is its bus closed?"""
        return self.bus.closed

    def close(self) -> None:
        """Close the bus, if this opened it; idempotent."""
        if self._owns_bus:
            self.bus.close()

    def _begin(self) -> None:
        self.bus._begin()

    def __repr__(self) -> str:
        return f"<Device 0x{self.address:02x} of {self.bus.name}>"
