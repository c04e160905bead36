"""SPI devices.

    async with spi.Device("spi0.0", speed_hz=1_000_000) as device:
        answer = await device.transfer(bytes([0x37 << 1 | 0x80, 0]))

`device.blocking` has the same for programs without a loop, with the GIL let go.  What the
devices of a bus send goes in order of arrival, whoever sends it.  A message is sent by the
kernel's spidev driver, by the simulated board, or, when asked for by via="spidev" or
PYASYNC_HW_SPI=spidev, by the `spidev` package of PyPI.
"""

from __future__ import annotations

import errno
import importlib.util
import os
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, Literal, NamedTuple

from . import _core, hardware
from .hardware import turns
from .hardware.device import BlockingLife, ClosedOnError, DeviceLife
from .hardware.pins import parse_spi

__all__ = ["BlockingDevice", "Device", "SpidevPackageBus", "Stats", "Transfer"]


_REMEDIES = {
    errno.ENOENT: "; switch SPI on (raspi-config, or dtparam=spi=on)",
    errno.EACCES: "; add the user to group spi, and log in again",
}


def check_speed(speed_hz: int, limit: int) -> None:
    """Raises ValueError for what is no clock rate up to `limit`."""
    if not isinstance(speed_hz, int) or not 0 < speed_hz <= limit:
        raise ValueError(f"speed_hz must be a whole number, 1 to {limit} Hz, not {speed_hz!r}")


# Flags of a mode, linux/spi/spi.h.
CS_HIGH, LSB_FIRST, THREE_WIRE, LOOPBACK, NO_CS, READY = 0x04, 0x08, 0x10, 0x20, 0x40, 0x80


class Transfer(NamedTuple):
    """One transfer of a message (struct spi_ioc_transfer of linux/spi/spidev.h).

    `data`: what goes out, or how many bytes to read while zeros do.  Zero is the device's
    own setting; `cs_change`: chip select goes up between this
    transfer and the next, which takes 10 us.
    """

    data: bytes | int
    speed_hz: int = 0
    delay_us: int = 0
    cs_change: bool = False
    bits_per_word: int = 0


def _each(transfers: Iterable[bytes | int | Transfer]) -> Iterable[bytes | int | Transfer]:
    if isinstance(transfers, (bytes, bytearray, memoryview, Transfer)):  # each item is a number
        raise TypeError(f"transfers are several, such as [{transfers!r}]; or is it transfer()?")
    return transfers


class Stats(NamedTuple):
    """What has been sent so far."""

    messages: int
    transfers: int


def _flag(bit: int, doc: str) -> property:
    """A property of a device: one flag of its mode."""

    def get(device: _Settings) -> bool:
        return bool(device.core.mode & bit)

    def put(device: _Settings, value: bool) -> None:
        mode = device.core.mode
        device.core.mode = mode | bit if value else mode & ~bit

    return property(get, put, doc=doc)


class _Settings(BlockingLife):
    """What both faces of a device have: its settings, which raise ValueError when closed."""

    __slots__ = ("_package", "core", "spec")

    cs_high = _flag(CS_HIGH, "Is chip select active high?")
    lsb_first = _flag(LSB_FIRST, "Does the lowest bit of a word go first?")
    three_wire = _flag(THREE_WIRE, "Is there one wire for both directions?")
    loopback = _flag(LOOPBACK, "Does the controller hear itself?")
    no_cs = _flag(NO_CS, "Does chip select stay as it is?")
    ready = _flag(READY, "May the device pull its line low to pause?")

    def __init__(self, spec: str, core: _core.SPIDevice, package: SpidevPackageBus | None) -> None:
        self.spec = spec
        self.core = core
        self._package = package

    @property
    def speed_hz(self) -> int:
        """Clock rate, in Hz."""
        return self.core.speed_hz

    @speed_hz.setter
    def speed_hz(self, value: int) -> None:
        self.core.speed_hz = value

    @property
    def mode(self) -> int:
        """SPI mode, and its flags, as the kernel has accepted them."""
        return self.core.mode

    @mode.setter
    def mode(self, value: int) -> None:
        self.core.mode = value

    @property
    def bits_per_word(self) -> int:
        """Bits per word."""
        return self.core.bits_per_word

    @bits_per_word.setter
    def bits_per_word(self, value: int) -> None:
        self.core.bits_per_word = value

    @property
    def stats(self) -> Stats:
        """How many messages and transfers were sent; also when closed."""
        return Stats(self.core.messages, self.core.transfers)

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self.core.closed

    def close(self) -> None:
        """Give the device back; idempotent.  A message that runs is finished."""
        self.core.close()
        if self._package is not None:
            self._package.close()

    def _begin(self) -> None:
        _ = self.core.mode

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<{type(self).__name__} {self.spec!r} {state}>"


class BlockingDevice(_Settings):
    """The verbs of a Device, blocking, without the GIL; from any thread: Device.blocking."""

    __slots__ = ()

    def transfer(self, data: bytes | int) -> bytes:
        """Send bytes (int: so many zeros) under one chip select; what came back meanwhile."""
        return self.core.transfer(data)

    def message(self, transfers: Iterable[bytes | int | Transfer]) -> list[bytes]:
        """Transfers in one message; what came back in each.

        What is longer than the driver's buffer (spidev.bufsiz, 4096 bytes by default) is
        sent in several calls, cut where chip select goes up.  Raises OSError (EMSGSIZE) when
        what goes out under one chip select is longer, before anything is sent.
        """
        return self.core.message(_each(transfers))

    def lock(self) -> AbstractContextManager[None]:
        """`with device.blocking.lock():` as Device.lock(), for this thread."""
        return turns.hold_blocking(self.core)

    @property
    def blocking(self) -> BlockingDevice:
        """Itself."""
        return self


class Device(DeviceLife, _Settings):
    """An SPI device: "spi0.0" is chip select 0 of bus 0.

    speed_hz: clock rate in Hz; mode: 0 to 3, and the flags of linux/spi/spi.h, of which six
    have arguments, and properties, of their own.  via: "board" or "spidev" (the package).
    Raises OSError with a remedy, ValueError.
    """

    __slots__ = ("blocking",)

    def __init__(
        self,
        spec: str = "spi0.0",
        *,
        speed_hz: int = 4_000_000,
        mode: int = 0,
        bits_per_word: int = 8,
        cs_high: bool = False,
        lsb_first: bool = False,
        three_wire: bool = False,
        loopback: bool = False,
        no_cs: bool = False,
        ready: bool = False,
        board: hardware.Backend | None = None,
        via: Literal["board", "spidev"] | None = None,
    ) -> None:
        bus, cs = parse_spi(spec)
        check_speed(speed_hz, 2**32 - 1)
        if not isinstance(mode, int) or not 0 <= mode < 2**32:
            raise ValueError(f"mode must be 0 to 3 and flags of linux/spi/spi.h, not {mode!r}")
        for flag, wanted in (
            (CS_HIGH, cs_high),
            (LSB_FIRST, lsb_first),
            (THREE_WIRE, three_wire),
            (LOOPBACK, loopback),
            (NO_CS, no_cs),
            (READY, ready),
        ):
            mode |= flag if wanted else 0
        chosen = via or os.environ.get("PYASYNC_HW_SPI") or "board"
        if chosen not in ("board", "spidev"):
            raise ValueError(f"via (or PYASYNC_HW_SPI) must be board or spidev, not {chosen!r}")
        package: SpidevPackageBus | None = None
        if chosen == "spidev":
            package = SpidevPackageBus(bus, cs, speed_hz, mode)
            with ClosedOnError(package):
                core = _core.adapt_spi(package, f"spi{bus}.{cs}", speed_hz, mode)
        else:
            core = hardware.chosen(board).open_spi(bus, cs, speed_hz, mode)
        super().__init__(spec, core, package)
        with ClosedOnError(self):
            self.blocking = BlockingDevice(spec, core, package)
            hardware.use_running_loop(core)
            if bits_per_word != core.bits_per_word:
                core.bits_per_word = bits_per_word

    async def transfer(self, data: bytes | int) -> bytes:
        """As BlockingDevice.transfer(); see message()."""
        return (await turns.send(self.core.begin([data])))[0]

    async def message(self, transfers: Iterable[bytes | int | Transfer]) -> list[bytes]:
        """As BlockingDevice.message(), and the loop goes on meanwhile.

        What takes up to 200 us is sent on the loop, for another thread costs more; the rest
        by the loop's executor.  A cancel ends the wait at once.  What is being sent stops
        at the next end of a frame, where chip select goes up, and has the bus until then.
        """
        return await turns.send(self.core.begin(_each(transfers)))

    def lock(self) -> AbstractAsyncContextManager[None]:
        """`async with device.lock():` nobody else's message comes between those in it.

        It is for the whole bus, and lets in this task's messages to any device there;
        other processes it keeps out of nothing.
        """
        return turns.hold(self.core)


_PACKAGES_FLAGS = {
    CS_HIGH: "cshigh",
    LSB_FIRST: "lsbfirst",
    THREE_WIRE: "threewire",
    LOOPBACK: "loop",
    NO_CS: "no_cs",
}


class SpidevPackageBus:
    """Messages by the `spidev` package, whose calls are one chip select frame each.

    A message is therefore one ioctl per frame, not one in all.
    """

    def __init__(self, bus: int, cs: int, speed_hz: int, mode: int) -> None:
        unknown = mode & ~sum(_PACKAGES_FLAGS) & ~3
        if unknown:
            raise ValueError(f"the spidev package has no mode flag {unknown:#x}")
        self._speed_hz = speed_hz
        self._spi = _spidev_package().SpiDev()
        try:
            with ClosedOnError(self._spi):
                self._spi.open(bus, cs)
                self._spi.max_speed_hz = speed_hz
                self._spi.mode = mode & 3
                for flag, name in _PACKAGES_FLAGS.items():
                    if mode & flag:
                        setattr(self._spi, name, True)
        except OSError as error:
            if error.errno is None:  # a text of the package's own
                raise
            remedy = _REMEDIES.get(error.errno, "")
            raise OSError(
                error.errno, f"{error.strerror}{remedy}", f"/dev/spidev{bus}.{cs}"
            ) from error

    def transfer(self, transfers: list[tuple[bytes, int, int, bool, int]]) -> list[bytes]:
        """The transfers of one message; what came back in each.  Raises OSError."""
        answers: list[bytes] = []
        frame: list[bytes] = []
        for data, speed_hz, delay_us, cs_change, bits_per_word in transfers:
            frame.append(data)
            if not cs_change and len(answers) + len(frame) < len(transfers):
                continue  # chip select stays: the next one is of this frame
            answer = bytes(
                self._spi.xfer2(
                    list(b"".join(frame)), speed_hz or self._speed_hz, delay_us, bits_per_word or 8
                )
            )
            for part in frame:
                answers.append(answer[: len(part)])
                answer = answer[len(part) :]
            frame.clear()
        return answers

    def close(self) -> None:
        """Close the package's device; idempotent."""
        self._spi.close()


def _spidev_package() -> Any:
    """The package itself, also where our compat module stands in its place."""
    spec = PathFinder.find_spec("spidev")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(
            'the spidev package is not installed: pip install "pyasync_hw[spidev]"',
            name="spidev",
        )
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
