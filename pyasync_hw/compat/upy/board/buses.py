"""machine.I2C and machine.SPI: buses of the hardware, whatever pins the program names."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Any

from .... import hardware, i2c, sim, spi
from .chip_select import chip_select
from .default_parts import wire_default_parts
from .pins import Pin

__all__ = ["I2C", "SPI", "SoftI2C", "SoftSPI", "to_bytes"]

# (SDA, SCL) of the header's buses; 3 to 6 are a Pi 4's.
_I2C_PINS: dict[tuple[int | None, int | None], int] = {
    (2, 3): 1,
    (0, 1): 0,
    (4, 5): 3,
    (8, 9): 4,
    (6, 7): 4,
    (12, 13): 5,
    (10, 11): 5,
    (22, 23): 6,
}
_USUAL_I2C = 1
_LONG = 2048  # bytes of a message, of the 4096 that spidev takes


def to_bytes(data: Any) -> bytes:
    """What is written: a buffer, or a str, which MicroPython takes for one."""
    return data.encode() if isinstance(data, str) else bytes(memoryview(data))


def _gpio(pin: Any) -> int | None:
    return None if pin is None else (pin if isinstance(pin, Pin) else Pin(pin)).gpio


def _find_i2c(id: int, scl: Any, sda: Any) -> int:
    """The number of the bus: that of the pins, or of the board."""
    board = hardware.current()
    wire_default_parts(board)
    named = _I2C_PINS.get((_gpio(sda), _gpio(scl)))
    own = getattr(board, "names", None)
    usual = own.i2c if own is not None and own.i2c is not None else None
    if not isinstance(board, sim.Board):
        return named if named is not None else _USUAL_I2C if usual is None else usual
    wired = board.on_i2c
    for number in (named, usual, id, _USUAL_I2C):
        if number in wired:
            return int(number)
    return min(wired) if wired else _USUAL_I2C


class I2C:
    """I2C(id=-1, *, scl, sda, freq): a bus; docs/run.md says which one."""

    CONTROLLER = MASTER = 0

    def __init__(
        self,
        id: Any = -1,
        scl: Any = None,
        sda: Any = None,
        *,
        freq: int = 400_000,
        timeout: int = 50_000,
        **options: Any,
    ) -> None:
        if isinstance(id, Pin):  # I2C(scl, sda)
            id, scl, sda = -1, id, scl if sda is None else sda
        self._id, self._freq = id, freq
        self._open(scl, sda)
        self._begun: list[tuple[int, bytes | int]] = []  # written without a stop
        self._raw: bytearray | None = None  # between start() and stop()

    def init(self, scl: Any = None, sda: Any = None, *, freq: int | None = None) -> None:
        """Open it again; its rate is the bus's own."""
        self.deinit()
        self._freq = self._freq if freq is None else freq
        self._open(scl, sda)

    def _open(self, scl: Any, sda: Any) -> None:
        self._bus = i2c.BlockingBus(_find_i2c(int(self._id), scl, sda))
        weakref.finalize(self, self._bus.close)  # programs for boards close nothing

    def deinit(self) -> None:
        """Give it back."""
        self._bus.close()

    def _transfer(self, *messages: tuple[int, bytes | int], stop: bool = True) -> list[bytes]:
        everything = [*self._begun, *messages]
        if not stop:
            self._begun = everything
            return []
        self._begun = []
        return self._bus.transfer(everything)

    def scan(self) -> list[int]:
        """The addresses from 0x08 to 0x77 that answer."""
        return self._bus.scan()

    # What most devices take: bytes, as a message.

    def readfrom(self, addr: int, nbytes: int, stop: bool = True) -> bytes:
        """Read `nbytes`."""
        return self._transfer((addr, nbytes))[-1]

    def readfrom_into(self, addr: int, buf: Any, stop: bool = True) -> None:
        """Fill `buf`."""
        view = memoryview(buf).cast("B")
        view[:] = self.readfrom(addr, len(view), stop)

    def writeto(self, addr: int, buf: Any, stop: bool = True) -> int:
        """Write `buf`; how many bytes were acknowledged.  Without stop: before the next message."""
        data = to_bytes(buf)
        self._transfer((addr, data), stop=stop)
        return len(data)

    def writevto(self, addr: int, vector: Iterable[Any], stop: bool = True) -> int:
        """Write several buffers as one."""
        return self.writeto(addr, b"".join(to_bytes(part) for part in vector), stop)

    # Devices with registers.

    def readfrom_mem(self, addr: int, memaddr: int, nbytes: int, *, addrsize: int = 8) -> bytes:
        """Read `nbytes` from register `memaddr` on."""
        return self._transfer((addr, memaddr.to_bytes(addrsize // 8)), (addr, nbytes))[-1]

    def readfrom_mem_into(self, addr: int, memaddr: int, buf: Any, *, addrsize: int = 8) -> None:
        """Fill `buf` from register `memaddr` on."""
        view = memoryview(buf).cast("B")
        view[:] = self.readfrom_mem(addr, memaddr, len(view), addrsize=addrsize)

    def writeto_mem(self, addr: int, memaddr: int, buf: Any, *, addrsize: int = 8) -> None:
        """Write `buf` to register `memaddr` and those after it."""
        self._transfer((addr, memaddr.to_bytes(addrsize // 8) + to_bytes(buf)))

    # One condition at a time: what is written goes out at stop(), or before it is read.

    def start(self) -> None:
        """A start condition; the next byte that is written is the address."""
        self._flush()
        self._raw = bytearray()

    def stop(self) -> None:
        """A stop condition."""
        self._flush()
        if self._begun:
            self._transfer()

    def write(self, buf: Any) -> int:
        """Write bytes after start(); how many were acknowledged."""
        if self._raw is None:
            raise OSError("I2C.write() comes after I2C.start()")
        data = to_bytes(buf)
        self._raw += data
        return len(data)

    def readinto(self, buf: Any, nack: bool = True) -> None:
        """Read bytes after start() and an address that was written."""
        if not self._raw:
            raise OSError("I2C.readinto() comes after I2C.start() and an address")
        view = memoryview(buf).cast("B")
        address, self._raw = self._raw[0] >> 1, None
        view[:] = self._transfer((address, len(view)))[-1]

    def _flush(self) -> None:
        raw, self._raw = self._raw, None
        if raw:
            self._transfer((raw[0] >> 1, bytes(raw[1:])), stop=False)

    def __repr__(self) -> str:
        return f"I2C({self._id}, freq={self._freq})"


class SoftI2C(I2C):
    """SoftI2C(scl, sda, *, freq, timeout): the bus of these pins, or of the board."""

    def __init__(self, scl: Any, sda: Any, *, freq: int = 400_000, timeout: int = 50_000) -> None:
        super().__init__(-1, scl, sda, freq=freq, timeout=timeout)


class SPI:
    """SPI(id, baudrate, *, polarity, phase, bits, firstbit, sck, mosi, miso): `spi0.0`.

    Chip select is that device's; what is sent while a pin is low is a message.
    """

    MSB, LSB = 0, 1
    CONTROLLER = MASTER = 0

    def __init__(
        self,
        id: int = 0,
        baudrate: int = 1_000_000,
        *,
        polarity: int = 0,
        phase: int = 0,
        bits: int = 8,
        firstbit: int = MSB,
        **pins: Any,
    ) -> None:
        wire_default_parts(hardware.current())
        self._id = id
        self._device = spi.Device("spi0.0", speed_hz=baudrate, mode=polarity << 1 | phase)
        weakref.finalize(self, self._device.close)
        self._begun = b""  # of a message that waits for its end
        self._lock = threading.Lock()  # for what has been begun
        self._set_bits(bits, firstbit)

    def _set_bits(self, bits: int, firstbit: int) -> None:
        if bits != 8:
            self._device.bits_per_word = bits
        if firstbit != self.MSB:
            self._device.lsb_first = True

    def init(
        self,
        baudrate: int | None = None,
        *,
        polarity: int | None = None,
        phase: int | None = None,
        bits: int = 8,
        firstbit: int = MSB,
        **pins: Any,
    ) -> None:
        """Change what is given."""
        if baudrate is not None:
            self._device.speed_hz = baudrate
        mode = self._device.mode & 3
        if polarity is not None:
            mode = mode & 1 | polarity << 1
        if phase is not None:
            mode = mode & 2 | phase
        self._device.mode = mode
        self._set_bits(bits, firstbit)

    def deinit(self) -> None:
        """Give it back."""
        self._device.close()

    def _exchange(self, data: bytes) -> bytes:
        with self._lock:
            begun, self._begun = self._begun, b""
            message = begun + data
            return self._device.blocking.transfer(message)[len(begun) :] if message else b""

    def _end_message(self) -> None:
        self._exchange(b"")

    def read(self, nbytes: int, write: int = 0) -> bytes:
        """Read `nbytes`, while `write` goes out again and again."""
        return self._exchange(bytes([write]) * nbytes)

    def readinto(self, buf: Any, write: int = 0) -> None:
        """Fill `buf`, while `write` goes out again and again."""
        view = memoryview(buf).cast("B")
        view[:] = self.read(len(view), write)

    def write(self, buf: Any) -> None:
        """Write `buf`."""
        data = to_bytes(buf)
        if not chip_select.is_low or len(self._begun) + len(data) > _LONG:
            self._exchange(data)
            return
        with self._lock:
            self._begun += data
        chip_select.wait(self._end_message)

    def write_readinto(self, write_buf: Any, read_buf: Any) -> None:
        """Write one, and fill the other, of the same length, with what comes meanwhile."""
        data, view = to_bytes(write_buf), memoryview(read_buf).cast("B")
        if len(data) != len(view):
            raise ValueError("buffers must be the same length")
        view[:] = self._exchange(data)

    def __repr__(self) -> str:
        return f"SPI({self._id}, baudrate={self._device.speed_hz})"


class SoftSPI(SPI):
    """SoftSPI(baudrate, *, polarity, phase, bits, firstbit, sck, mosi, miso): as SPI."""

    def __init__(self, baudrate: int = 500_000, **options: Any) -> None:
        super().__init__(-1, baudrate, **options)
