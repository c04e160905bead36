"""RC522 readers (NXP MFRC522 on SPI).

    async with rc522.Reader("spi0.0", irq="GPIO24", reset="GPIO25") as reader:
        tag = await reader.wait_for_tag()

The chip has no "tag arrived" interrupt: someone must ask.  wait_for_tag() asks
every poll_interval, in two SPI messages, with the field always on; the chip's own
timer ends each exchange by its interrupt line.  No thread, no busy wait.
`reader.blocking` has the same verbs for programs without a loop.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from . import _core, hardware
from .errors import WiringError
from .hardware import LineSettings, ReaderWiring
from .hardware.device import BlockingLife, ClosedOnError, DeviceLife
from .hardware.wiring import MAX_SPI_HZ
from .reader.chip import Chip
from .reader.failures import Failures, SimulatedFailures
from .reader.port import AwaitingPort, BlockingPort, finish
from .reader.verbs import Verbs
from .spi import Device, check_speed
from .tags import BlockingTag, Tag

if TYPE_CHECKING:
    from .sim import SimReader

__all__ = ["BlockingReader", "Reader", "Stats", "crc_a"]

POLL_INTERVAL = 0.025  # seconds
REMOVAL_INTERVAL = 0.1

_Pin = int | str | None
_UNSET: Any = object()


def crc_a(data: bytes) -> bytes:
    """CRC_A of `data`: 2 bytes, low byte first (ISO/IEC 14443-3, annex B)."""
    return _core.MFRC522.crc_a(data)


class Stats(NamedTuple):
    """What the reader has done so far."""

    messages: int  # SPI messages
    transfers: int  # transfers in them
    exchanges: int  # RF exchanges
    edges_missed: int  # interrupts that the chip raised and the line did not show


def _kept(opened: contextlib.ExitStack, part: Any) -> Any:
    """`part`, which `opened` closes later; at once, if there is no memory to tell it."""
    with ClosedOnError(part):
        opened.callback(part.close)
    return part


class _Face(BlockingLife):
    """A reader but for its verbs, which are awaited or block."""

    __slots__ = ("_chip", "_spi", "_verbs")

    # The chip and no Reader, which refers to its blocking face: no cycle keeps the lines.
    _chip: Chip
    _spi: _core.SPIDevice

    @property
    def spi(self) -> _core.SPIDevice:
        """The SPI device, which counts its messages."""
        return self._spi

    @property
    def version(self) -> int:
        """VersionReg: 0x91 or 0x92 for the MFRC522, 0x88 for a FM17522; 0 before open()."""
        return self._chip.core.version

    @property
    def gain(self) -> int:
        """RFCfgReg.RxGain, 0 to 7 (18, 23, 18, 23, 33, 38, 43, 48 dB)."""
        return self._chip.core.gain

    @property
    def field(self) -> bool:
        """Whether the field is to be on."""
        return self._chip.core.field

    @property
    def wiring_error(self) -> WiringError | None:
        """What is wrong with the interrupt or reset line, or None; it works without them."""
        return self._chip.wiring_error

    @property
    def stats(self) -> Stats:
        """What the reader has done so far."""
        core = self._chip.core
        return Stats(self._spi.messages, self._spi.transfers, core.exchanges, core.edges_missed)

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self._chip.closed

    def close(self) -> None:
        """Antenna off, bus and lines given back; idempotent.

        Waits that run end with OSError (EBADF), blocking ones are cancelled.
        """
        self._chip.close()


class Reader(DeviceLife, _Face):
    """An RC522 reader.

    spi: "spi0.0" (bus 0, chip select 0).  irq, reset: header pins, as gpio.Input's;
    None: not wired (without irq the chip is polled, which costs more).  What is not
    given comes from the board file's reader on that SPI device (without spi=: its
    first), else "spi0.0", "GPIO24", "GPIO25".  speed_hz: up to 10 MHz (datasheet
    8.1.2).  name: for messages.

    Readers may share a reset line; it may be driven by the program, too.  One whose chip
    is so reset sets it up again before its next exchange, and its waits go on; an exchange
    in the middle raises RC522Error.  Each needs an interrupt line of its own.

    The constructor opens bus and lines; the first verb (or `async with`) resets and
    sets up the chip.  Raises OSError with a remedy, ValueError.  Verbs raise
    ChipNotFoundError when no chip answers.
    """

    __slots__ = ("blocking", "name")

    def __init__(
        self,
        spi: str | None = None,
        *,
        irq: _Pin = _UNSET,
        reset: _Pin = _UNSET,
        speed_hz: int | None = None,
        board: hardware.Backend | None = None,
        name: str | None = None,
    ) -> None:
        backend = hardware.chosen(board)
        wired = _wiring(backend, spi)
        irq = wired.irq if irq is _UNSET else irq
        reset = wired.reset if reset is _UNSET else reset
        speed = wired.speed_hz if speed_hz is None else speed_hz
        check_speed(speed, MAX_SPI_HZ)
        self.name = name or wired.name
        opened = contextlib.ExitStack()
        try:
            device: Device = _kept(opened, Device(wired.bus, speed_hz=speed, board=backend))
            self._spi = device.core
            lines = []
            for pin, settings in ((irq, _IRQ_SETTINGS), (reset, _RESET_SETTINGS)):
                line = None
                if pin is not None:
                    line = _kept(opened, backend.request_lines({pin: settings}, "pyasync_hw rc522"))
                lines.append(line)
            core = _core.MFRC522(self._spi, *lines)
            label = self.name if self.name == wired.bus else f"{self.name} ({wired.bus})"
            what = (f"RC522 reader {label}", wired.bus, irq, reset)
            simulated = self._spi.simulated
            failures = SimulatedFailures(*what, backend) if simulated else Failures(*what)
            self._chip = Chip(core, failures, opened)
            self._verbs = Verbs(AwaitingPort(self._chip))
            self.blocking = BlockingReader(self._chip, self._spi)
        except BaseException:
            opened.close()
            raise

    async def open(self, *, gain: int | None = None) -> int:
        """Reset and set up the chip, now: its version.  Every verb does it when needed."""
        return await self._verbs.open(gain)

    def _begin(self) -> None:
        self.blocking.open()

    async def _begin_awaiting(self) -> None:
        await self.open()

    def __repr__(self) -> str:
        return f"<Reader {self.name} {'closed' if self.closed else 'open'}>"

    # Verbs.

    async def configure(self, *, gain: int | None = None, field: bool | None = None) -> None:
        """Receiver gain, 0 to 7 (RFCfgReg.RxGain); field on or off.  None: as it is.

        Switching the field off resets every tag in it; it stays off for 5.1 ms at least.
        """
        await self._verbs.configure(gain, field)

    async def wait_for_tag(self, *, poll_interval: float = POLL_INTERVAL) -> Tag:
        """Wait until a tag is in the field, and select it.

        Asks every poll_interval seconds.  Each arrival is reported once: the tag
        that was reported before is halted when the next wait begins, and answers
        again only after it has left the field.  Cancelling leaves the chip idle and
        loses no tag: one that was just found is given to the next wait (if that
        begins within a second).  A tag that appears and leaves between two waits,
        or stays for less than two intervals and its power-up time, is not seen.
        """
        return await self._verbs.wait_for_tag(poll_interval)

    async def wait_for_removal(
        self, tag: Tag | BlockingTag | bytes, *, poll_interval: float = REMOVAL_INTERVAL
    ) -> None:
        """Wait until `tag` (or the tag with that UID) answers no more.

        It is woken and halted again every poll_interval seconds, so it must be
        selected anew to be used meanwhile, and is not reported by wait_for_tag().
        """
        await self._verbs.wait_for_removal(tag, poll_interval)

    async def request(self, *, wakeup: bool = False) -> bytes:
        """REQA, or WUPA, which halted tags answer too: ATQA, 2 bytes, low byte first.

        A tag that was selected falls back to IDLE and answers as well.  Raises
        TagTimeoutError when no tag answers.
        """
        return await self._verbs.request(wakeup)

    async def anticollision(self, level: int = 1) -> bytes:
        """One cascade level after request(): 4 bytes of UID and BCC, nothing selected."""
        return await self._verbs.anticollision(level)

    async def select(self, uid: bytes | None = None) -> Tag:
        """After request(): the tag with that UID, or whichever wins the anticollision."""
        return await self._verbs.select(uid)

    async def transceive(
        self, data: bytes, *, crc: bool = True, bits: int = 0, timeout: float = 0.025
    ) -> bytes:
        """Send a frame, return the answer.

        data: up to 64 bytes, 62 with crc.  crc: CRC_A is added, and checked and cut
        off the answer; a 4-bit ACK is b"\\x0a", a NAK raises NakError.  bits: how many
        bits of the last byte are sent (0: all; only without crc).  timeout: seconds
        until the answer must have begun, 25 us to 1.6 s.
        """
        return (await self._verbs.transceive(data, crc, bits, timeout))[0]

    async def transceive_bits(
        self, data: bytes, *, crc: bool = False, bits: int = 0, timeout: float = 0.025
    ) -> tuple[bytes, int]:
        """transceive(), and how many bits of the answer's last byte are valid (0: all)."""
        return await self._verbs.transceive(data, crc, bits, timeout)

    async def halt(self) -> None:
        """HLTA to the selected tag, and cipher off."""
        await self._verbs.halt()

    async def authenticate(
        self, block: int, key: bytes, uid: bytes, key_type: Literal["A", "B"] = "A"
    ) -> None:
        """MFAuthent for the selected tag; see tags.MifareClassic for the easy way."""
        await self._verbs.authenticate(block, key, uid, key_type)

    async def read(self, block: int) -> bytes:
        """MIFARE READ: 16 bytes."""
        return await self._verbs.read(block)

    async def write(self, block: int, data: bytes) -> None:
        """MIFARE WRITE of 16 bytes."""
        await self._verbs.write(block, data)

    async def stop_crypto(self) -> None:
        """Switch the cipher off (Status2Reg.MFCrypto1On); the tag must be selected anew."""
        await self._verbs.stop_crypto()


class BlockingReader(_Face):
    """The verbs of a reader, blocking, without the GIL; from any thread.

    A second thread waits until the first is done.  While a loop awaits a verb, a
    blocking one raises RuntimeError.  Signal handlers run meanwhile (PEP 475).
    """

    __slots__ = ()

    def __init__(self, chip: Chip, spi: _core.SPIDevice) -> None:
        self._chip = chip
        self._spi = spi
        self._verbs = Verbs(BlockingPort(chip))

    @property
    def name(self) -> str:
        """The reader, for messages."""
        return self._chip.name

    @property
    def blocking(self) -> BlockingReader:
        """Itself."""
        return self

    def _begin(self) -> None:
        self.open()

    def __repr__(self) -> str:
        return f"<BlockingReader {self.name} {'closed' if self.closed else 'open'}>"

    def cancel(self) -> None:
        """End the blocking wait that runs, from another thread or a signal handler.

        It raises concurrent.futures.CancelledError; the chip is left idle.
        """
        self._chip.cancel_blocking()

    def open(self, *, gain: int | None = None) -> int:
        """See Reader.open()."""
        return finish(self._verbs.open(gain))

    def configure(self, *, gain: int | None = None, field: bool | None = None) -> None:
        """See Reader.configure()."""
        finish(self._verbs.configure(gain, field))

    def wait_for_tag(
        self,
        timeout: float | None = None,
        token: _core.CancelToken | None = None,
        *,
        poll_interval: float = POLL_INTERVAL,
    ) -> BlockingTag:
        """See Reader.wait_for_tag(); a tag whose verbs block.

        TagTimeoutError after `timeout` seconds.
        """
        port = BlockingPort(self._chip, timeout, token)
        return finish(Verbs(port).wait_for_tag(poll_interval)).blocking

    def wait_for_removal(
        self,
        tag: Tag | BlockingTag | bytes,
        timeout: float | None = None,
        token: _core.CancelToken | None = None,
        *,
        poll_interval: float = REMOVAL_INTERVAL,
    ) -> None:
        """See Reader.wait_for_removal().  TagTimeoutError after `timeout` seconds."""
        port = BlockingPort(self._chip, timeout, token)
        finish(Verbs(port).wait_for_removal(tag, poll_interval))

    def request(self, *, wakeup: bool = False, token: _core.CancelToken | None = None) -> bytes:
        """See Reader.request()."""
        return finish(Verbs(BlockingPort(self._chip, None, token)).request(wakeup))

    def anticollision(self, level: int = 1) -> bytes:
        """See Reader.anticollision()."""
        return finish(self._verbs.anticollision(level))

    def select(self, uid: bytes | None = None) -> BlockingTag:
        """See Reader.select(); a tag whose verbs block."""
        return finish(self._verbs.select(uid)).blocking

    def transceive(
        self, data: bytes, *, crc: bool = True, bits: int = 0, timeout: float = 0.025
    ) -> bytes:
        """See Reader.transceive()."""
        return finish(self._verbs.transceive(data, crc, bits, timeout))[0]

    def transceive_bits(
        self, data: bytes, *, crc: bool = False, bits: int = 0, timeout: float = 0.025
    ) -> tuple[bytes, int]:
        """See Reader.transceive_bits()."""
        return finish(self._verbs.transceive(data, crc, bits, timeout))

    def halt(self) -> None:
        """See Reader.halt()."""
        finish(self._verbs.halt())

    def authenticate(
        self, block: int, key: bytes, uid: bytes, key_type: Literal["A", "B"] = "A"
    ) -> None:
        """See Reader.authenticate()."""
        finish(self._verbs.authenticate(block, key, uid, key_type))

    def read(self, block: int) -> bytes:
        """See Reader.read()."""
        return finish(self._verbs.read(block))

    def write(self, block: int, data: bytes) -> None:
        """See Reader.write()."""
        finish(self._verbs.write(block, data))

    def stop_crypto(self) -> None:
        """See Reader.stop_crypto()."""
        finish(self._verbs.stop_crypto())


_IRQ_SETTINGS = LineSettings(direction="input", edge_detection="falling", bias="pull_up")
_RESET_SETTINGS = LineSettings(direction="output", output_value=True)


def _wiring(backend: hardware.Backend, spi: str | None) -> ReaderWiring | SimReader:
    """How the reader on that SPI device is wired; without one, the first reader."""
    for entry in backend.readers:
        if spi is None or entry.bus == spi:
            return entry
    return ReaderWiring(spi or "spi0.0", spi or "spi0.0")
