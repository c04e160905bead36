"""py-spidev 3.8's SpiDev over pyasync_hw's SPI devices.

Its quirks are kept: a list argument is overwritten in place and returned, a tuple gives
a tuple, values are taken modulo 256, and only writebytes2() sends a buffer as its bytes.
docs/run.md has what is different, call by call.
"""

from __future__ import annotations

import errno
import io
import operator
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

from .. import hardware
from .._core import SPIDevice
from ..hardware.device import ClosedOnError
from ..hardware.pins import parse_spi
from .hints import no_such_name

__version__ = "3.8"
__all__ = ["SpiDev"]

_MAX_BYTES = 4096
_MAX_BLOCK = 65535
_BLOCK_FILE = "/sys/module/spidev/parameters/bufsiz"
_DEFAULT_HZ = 1_000_000

# Bits of the mode (linux/spi/spi.h).
_CPHA_CPOL = 0x03
_CS_HIGH = 0x04
_LSB_FIRST = 0x08
_3WIRE = 0x10
_LOOP = 0x20
_NO_CS = 0x40


def _sequence(values: Any) -> Any:
    """A list or tuple as it is, of another iterable a list."""
    if type(values) in (list, tuple):
        return values
    try:
        iterator = iter(values)
    except TypeError:
        raise TypeError("expected a sequence") from None
    return list(iterator)


def _to_bytes(sequence: Sequence[Any], limit: int | None = None) -> bytes:
    """The bytes of a sequence of integers, with py-spidev's errors."""
    if not sequence:
        raise TypeError("Empty argument list.")
    if limit is not None and len(sequence) > limit:
        raise OverflowError(f"Argument list size exceeds {limit} bytes.")
    for value in sequence:
        if not isinstance(value, int):
            raise TypeError(f"Non-Int/Long value in arguments: {value!r}.")
    return bytes([value & 0xFF for value in sequence])


def _buffer(values: Any) -> bytes | None:
    """The memory of an object that has the buffer protocol; None for others."""
    if type(values) in (list, tuple):
        return None
    try:
        view = memoryview(values)
    except TypeError:
        return None
    with view:
        return view.tobytes() if view.c_contiguous else None


def _block_size() -> int:
    """How many bytes spidev takes in one message."""
    try:
        with open(_BLOCK_FILE) as file:
            size = int(file.read())
    except (OSError, ValueError):
        return _MAX_BYTES
    return min(size, _MAX_BLOCK) if size > 0 else _MAX_BYTES


def _warn_of_nothing(backend: hardware.Backend, bus: int, device: int) -> None:
    """A simulated bus answers 0 where nothing is; a program would wait for ever."""
    used = {parse_spi(reader.bus) for reader in backend.readers}
    used.update(getattr(backend, "on_spi", ()))
    told = getattr(backend, "on_silence", None) is not None  # by the board, under `run`
    if not told and (bus, device) not in used:
        warnings.warn(
            f"nothing is attached to spi{bus}.{device} of {backend.name}, which reads as 0; "
            "say in board.toml what is wired there (run --board)",
            RuntimeWarning,
            stacklevel=4,
        )


def _cannot_delete(device: SpiDev) -> None:
    raise TypeError("Cannot delete attribute")


def _setting(
    get: Callable[[SpiDev], Any], set_: Callable[[SpiDev, Any], None], doc: str
) -> property:
    return property(get, set_, _cannot_delete, doc)


def _mode_flag(name: str, bit: int, doc: str) -> property:
    """A bit of the SPI mode as a boolean attribute."""

    def get(device: SpiDev) -> bool:
        core = device._core_if_open()
        return core is not None and bool(core.mode & bit)

    def set_(device: SpiDev, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"The {name} attribute must be boolean")
        core = device._device()
        core.mode = core.mode | bit if value else core.mode & ~bit

    return _setting(get, set_, doc)


class SpiDev:
    """SpiDev([bus, client]): an SPI device, opened now or by open()."""

    __slots__ = ("_block", "_core", "_file", "_path", "_read0")

    cshigh = _mode_flag("cshigh", _CS_HIGH, "Chip select is active high.")
    lsbfirst = _mode_flag("lsbfirst", _LSB_FIRST, "The least significant bit comes first.")
    threewire = _mode_flag("3wire", _3WIRE, "SI and SO share a wire.")
    loop = _mode_flag("loop", _LOOP, "What is sent comes back.")
    no_cs = _mode_flag("no_cs", _NO_CS, "There is no chip select.")

    _core: SPIDevice | None
    _file: io.FileIO | None
    _path: str | None  # of a real device

    def __new__(cls, *args: object, **options: object) -> Self:
        # A subclass whose __init__() does not call ours has a closed device, too.
        self = super().__new__(cls)
        self._core = self._file = self._path = None
        self._block = _MAX_BYTES
        self._read0 = False
        return self

    def __init__(self, bus: int = -1, client: int | None = None) -> None:
        if bus >= 0:
            if client is None:
                raise TypeError("open() missing required argument 'device' (pos 2)")
            self._open(bus, client)

    @classmethod
    def of_device(cls, device: SPIDevice) -> SpiDev:
        """A SpiDev over a device that is open already."""
        self = cls()
        self._core = device
        return self

    def _core_if_open(self) -> SPIDevice | None:
        # of_device() has one that its reader closes.
        return None if self._core is None or self._core.closed else self._core

    def _device(self) -> SPIDevice:
        core = self._core_if_open()
        if core is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return core

    def open(self, bus: int, device: int) -> None:
        """Open /dev/spidev<bus>.<device>."""
        self._open(bus, device)

    def _open(self, bus: int, device: int) -> None:
        bus, device = operator.index(bus), operator.index(device)
        self.close()
        backend = hardware.current()
        self._core = backend.open_spi(bus, device, _DEFAULT_HZ, 0)
        with ClosedOnError(self):
            if not isinstance(backend, hardware.KernelBackend):
                _warn_of_nothing(backend, bus, device)
            else:
                self._path = f"/dev/spidev{bus}.{device}"
                self._block = _block_size()

    def open_path(self, path: str | bytes | os.PathLike[str]) -> None:
        """Open an SPI device by its path, following symbolic links."""
        real = os.path.realpath(os.fsdecode(path))
        try:
            where = parse_spi(real)
        except ValueError:
            # open() and the first ioctl() of a file that is no SPI device
            code = errno.ENOTTY if os.path.exists(real) else errno.ENOENT
            raise OSError(code, os.strerror(code), path) from None
        self._open(*where)

    def close(self) -> None:
        """Give the device back; idempotent."""
        core, self._core = self._core, None
        file, self._file = self._file, None
        self._path = None
        if file is not None:
            file.close()
        if core is not None:
            core.close()

    def fileno(self) -> int:
        """A descriptor of the open device, for os.read(); -1 when it is closed.

        Raises io.UnsupportedOperation on the simulator, which has none.
        """
        if self._core_if_open() is None:
            return -1
        if self._path is None:
            raise io.UnsupportedOperation("a simulated SPI device has no file descriptor")
        if self._file is None:
            self._file = io.FileIO(self._path, "r+")
        return self._file.fileno()

    def __enter__(self) -> SpiDev:
        return self

    def __exit__(self, exc_type: object, exc: object, traceback: object) -> Literal[False]:
        self.close()
        return False

    # -- settings, which are 0 and False while it is closed ---------------------

    def _get_mode(self) -> int:
        core = self._core_if_open()
        return 0 if core is None else core.mode & _CPHA_CPOL

    def _set_mode(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("The mode attribute must be an integer")
        value &= 0xFF  # as C takes it
        if value > 3:
            raise TypeError("The mode attribute must be an integerbetween 0 and 3.")
        core = self._device()
        core.mode = core.mode & ~_CPHA_CPOL | value

    mode = _setting(_get_mode, _set_mode, "SPI mode, 0 to 3.")

    def _get_max_speed_hz(self) -> int:
        core = self._core_if_open()
        return 0 if core is None else core.speed_hz

    def _set_max_speed_hz(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("The max_speed_hz attribute must be an integer")
        value &= 0xFFFF_FFFF
        if value == self._get_max_speed_hz():
            return
        device = self._device()
        if value == 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        device.speed_hz = value

    max_speed_hz = _setting(_get_max_speed_hz, _set_max_speed_hz, "SPI clock.")

    def _get_bits_per_word(self) -> int:
        core = self._core_if_open()
        return 0 if core is None else core.bits_per_word or 8

    def _set_bits_per_word(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("The bits_per_word attribute must be an integer")
        value &= 0xFF
        if not 8 <= value <= 32:
            raise TypeError("invalid bits_per_word (8 to 32)")
        if value != self._get_bits_per_word():
            self._device().bits_per_word = value

    bits_per_word = _setting(_get_bits_per_word, _set_bits_per_word, "Bits of a word, 8 to 32.")

    def _get_read0(self) -> bool:
        return self._read0

    def _set_read0(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("The read0 attribute must be boolean")
        self._read0 = value

    read0 = _setting(
        _get_read0,
        _set_read0,
        "Kept for programs that set it; chip select always falls after a message.",
    )

    # -- transfers -----------------------------------------------------------

    def _transfer(
        self, data: bytes, speed_hz: int = 0, delay_usec: int = 0, bits_per_word: int = 0
    ) -> bytes:
        # As C takes them: unsigned int, short and char.
        speed_hz = operator.index(speed_hz) & 0xFFFF_FFFF
        delay_usec = operator.index(delay_usec) & 0xFFFF
        bits_per_word = operator.index(bits_per_word) & 0xFF
        if not (speed_hz or delay_usec or bits_per_word):  # as a rule
            return self._device().transfer(data)
        return self._device().message([(data, speed_hz, delay_usec, False, bits_per_word)])[0]

    def _blocks(self, data: bytes, *options: int) -> bytes:
        """As many transfers as it takes; what came back."""
        if 0 < len(data) <= self._block:
            return self._transfer(data, *options)
        starts = range(0, len(data), self._block)
        blocks = (data[start : start + self._block] for start in starts)
        return b"".join([self._transfer(block, *options) for block in blocks])

    def xfer2(
        self,
        values: Any,
        speed_hz: int = 0,
        delay_usec: int = 0,
        bits_per_word: int = 0,
        /,
    ) -> Any:
        """One transfer, chip select held; what came back, as a list, or a tuple for a tuple."""
        sequence = _sequence(values)
        data = _to_bytes(sequence, _MAX_BYTES)
        received = self._transfer(data, speed_hz, delay_usec, bits_per_word)
        if isinstance(values, tuple):
            return tuple(received)
        sequence[:] = received
        return sequence

    xfer = xfer2

    def xfer3(
        self,
        values: Any,
        speed_hz: int = 0,
        delay_usec: int = 0,
        bits_per_word: int = 0,
        /,
    ) -> tuple[int, ...]:
        """As many transfers as it takes; what came back, as a tuple."""
        data = _to_bytes(_sequence(values))
        return tuple(self._blocks(data, speed_hz, delay_usec, bits_per_word))

    def readbytes(self, count: int, /) -> list[int]:
        """Read 1 to 4096 bytes, sending zeros; fewer or more are taken for these."""
        count = min(max(operator.index(count), 1), _MAX_BYTES)
        return list(self._device().transfer(bytes(count)))

    def writebytes(self, values: Any, /) -> None:
        """Write up to 4096 bytes."""
        data = _to_bytes(_sequence(values), _MAX_BYTES)
        self._device().transfer(data)

    def writebytes2(self, values: Any, /) -> None:
        """Write any number of bytes: a buffer's memory, or integers."""
        data = _buffer(values)
        self._blocks(_to_bytes(_sequence(values)) if data is None else data)


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
