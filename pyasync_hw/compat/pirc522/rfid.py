"""pirc522.RFID: pi-rc522's verbs and return values over the native reader.

`irq` follows the interrupt pin, for programs that arm the chip by registers and wait on it.

Quietly different: request() sleeps on the chip's interrupt instead of reading a
register 2,000 times, the field stays on between polls, halt() sends its CRC,
and each reader has an `irq` of its own.  Added: wait_for_tag() says True for a
tag and False for a timeout or a wake-up by `irq.set()`, close(), `with`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ... import _core, rc522
from ...errors import CollisionError, CRCError, RC522Error, TagTimeoutError
from ...gpio import Input
from ..hints import no_such_name
from ..legacy.cancelled import FutureCancelledError
from ..RPi import GPIO
from ..spidev import SpiDev
from .util import RFIDUtil
from .wake import SharedWake, Wake

__all__ = ["RFID"]

_REG_TX_CONTROL = 0x14


class RFID:
    """One RC522.  Pins are numbered by `pin_mode` (default: header pins).

    pin_rst 0: the reset line is not wired.  pin_irq None: nor is the interrupt,
    so wait_for_tag() raises NotImplementedError.  pin_ce must be 0: chip select
    is the SPI device's.
    """

    pin_rst = 22
    pin_ce = 0
    pin_irq: int | None = 18

    mode_idle = 0x00
    mode_auth = 0x0E
    mode_receive = 0x08
    mode_transmit = 0x04
    mode_transrec = 0x0C
    mode_reset = 0x0F
    mode_crc = 0x03

    auth_a = 0x60
    auth_b = 0x61

    act_read = 0x30
    act_write = 0xA0
    act_increment = 0xC1
    act_decrement = 0xC0
    act_restore = 0xC2
    act_transfer = 0xB0

    act_reqidl = 0x26
    act_reqall = 0x52
    act_anticl = 0x93
    act_anticl2 = 0x95
    act_anticl3 = 0x97
    act_select = 0x93
    act_end = 0x50

    reg_tx_control = _REG_TX_CONTROL
    length = 16
    antenna_gain = 0x04
    authed = False
    irq: Any = SharedWake()  # an instance has a Wake

    def __init__(
        self,
        bus: int = 0,
        device: int = 0,
        speed: int = 1_000_000,
        pin_rst: int = 22,
        pin_ce: int = 0,
        pin_irq: int | None = 18,
        pin_mode: int | None = GPIO.BOARD,
        antenna_gain: int | None = None,
    ) -> None:
        if pin_ce != 0:
            raise ValueError("pin_ce must be 0: choose the chip select with device=")
        if pin_mode is not None:
            GPIO.setmode(pin_mode)
        self.pin_rst = pin_rst
        self.pin_irq = pin_irq
        if antenna_gain is not None:
            self.antenna_gain = antenna_gain
        self._options: dict[str, Any] = {
            "spi": f"spi{bus}.{device}",
            "irq": None if pin_irq is None else GPIO.to_gpio(pin_irq),
            "reset": None if pin_rst == 0 else GPIO.to_gpio(pin_rst),
            "speed_hz": speed,
        }
        if pin_irq is not None or pin_rst != 0:
            GPIO.use_beside()
        self.irq = Wake()
        RFID.irq.add(self.irq)
        self._lock = threading.RLock()
        self._users = 0  # verbs that this thread, which has the lock, is in
        self._stopped = False
        self._to_close = False
        self._opening = False
        self._opened = contextlib.ExitStack()
        self._woken = False  # wait_for_tag() has found a tag that had been halted
        self._reader: rc522.Reader | None = None
        self.init()

    def __repr__(self) -> str:
        return f"<pirc522.RFID on {self._options['spi']}>"

    # -- the native reader -----------------------------------------------------

    def _blocking(self) -> rc522.BlockingReader:
        """The native reader, opened again if cleanup() has closed it."""
        if self._reader is None:
            self._open()
        assert self._reader is not None
        return self._reader.blocking

    def _open(self) -> None:
        if self._opening:  # in a signal handler
            raise RuntimeError(f"{self!r} is busy: one operation at a time")
        self._opening = True
        try:
            if self._reader is None:  # looked at now: no handler opens it from here on
                self._open_now()
        finally:
            self._opening = False

    def _open_now(self) -> None:
        irq = self._options["irq"]
        with contextlib.ExitStack() as opened:  # one that fails keeps nothing
            reader = opened.enter_context(contextlib.closing(rc522.Reader(**self._options)))
            if irq is not None:
                # Beside the reader's own: what one of them has seen, the other sees, too.
                line = Input(irq, bias="pull_up", edges="falling", consumer="pirc522 irq")
                opened.enter_context(line)
                self.irq.follow(line)
            reader.blocking.open(gain=self.antenna_gain)
            self._opened = opened.pop_all()
        self._reader = reader

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """This thread's turn; whoever ends it does what close() could not in a signal handler."""
        with self._lock:
            self._users += 1
            try:
                yield
            finally:
                self._users -= 1
                if self._to_close and not self._users:
                    self._give_back()

    @property
    def native_spi(self) -> _core.SPIDevice:
        """The SPI device, which counts its messages."""
        with self._in_use():
            self._blocking()
            assert self._reader is not None
            return self._reader.spi

    @property
    def spi(self) -> SpiDev:
        """The SPI device as spidev's, for programs that talk to registers themselves."""
        return SpiDev.of_device(self.native_spi)

    def _try(self, verb: Callable[..., Any], *args: Any, **options: Any) -> tuple[bool, Any]:
        """(error, result) of a verb of the native reader."""
        with self._in_use():
            try:
                return False, verb(self._blocking(), *args, **options)
            except RC522Error:
                return True, None

    # -- finding tags ------------------------------------------------------------

    def wait_for_tag(self, timeout: float = 0) -> bool:
        """Block until a tag is in the field: True.

        False after `timeout` seconds (0: never), or at once when irq.set() or
        cleanup() is called, from any thread.
        """
        if self.pin_irq is None:
            raise NotImplementedError("Waiting not implemented if IRQ is not used")
        with self._in_use():
            token = self.irq.begin()
            try:
                if self._stopped or token.cancelled():
                    return False
                return self._wait(self._blocking(), timeout or None, token)
            finally:
                self.irq.end(token)

    def _wait(
        self, reader: rc522.BlockingReader, timeout: float | None, token: _core.CancelToken
    ) -> bool:
        # pi-rc522 resets the field here: a tag that stays, halted or not, counts.
        self._woken = True
        try:
            reader.request(wakeup=True, token=token)
            return True
        except CollisionError:
            return True
        except (TagTimeoutError, CRCError):
            self._woken = False  # nobody there yet
        except FutureCancelledError:
            return False
        try:
            reader.wait_for_tag(timeout, token)
            return True
        except (TagTimeoutError, FutureCancelledError):
            return False

    def irq_callback(self, not_used: object = None) -> None:
        """End wait_for_tag(), as irq.set() does."""
        self.irq.set()

    def request(self, req_mode: int = act_reqidl) -> tuple[bool, int | None]:
        """(False, 16) if a tag answers REQA (or WUPA: act_reqall), else (True, None)."""
        with self._in_use():
            # A tag that was halted falls back to that, and is deaf to REQA.
            wakeup, self._woken = req_mode == self.act_reqall or self._woken, False
            try:
                self._blocking().request(wakeup=wakeup)
            except CollisionError:
                return False, 16
            except RC522Error:
                return True, None
            return False, 16

    def _anticollision(self, level: int) -> tuple[bool, list[int]]:
        error, data = self._try(rc522.BlockingReader.anticollision, level)
        return error, list(data or b"")

    def anticoll(self) -> tuple[bool, list[int]]:
        """(error, [four UID bytes and their XOR]) of cascade level 1."""
        return self._anticollision(1)

    def anticoll2(self) -> tuple[bool, list[int]]:
        """(error, [four UID bytes and their XOR]) of cascade level 2."""
        return self._anticollision(2)

    def read_id(self, as_number: bool = False) -> list[int] | int | None:
        """The UID (4 or 7 bytes) of a tag in the field, or None."""
        error, _ = self.request()
        if error:
            return None
        error, uid = self.anticoll()
        if error:
            return None
        whole = uid[:4]
        if uid[0] == 0x88:  # cascade tag: three bytes here, four on the next level
            if self.select_tag(uid):
                return None
            error, rest = self.anticoll2()
            if error:
                return None
            whole = uid[1:4] + rest[:4]
        return int.from_bytes(bytes(whole), "big") if as_number else whole

    def select_tag(self, uid: Sequence[int]) -> bool:
        """SELECT on cascade level 1, `uid` with check byte; True is an error."""
        frame = bytes([self.act_select, 0x70, *uid[:5]])
        error, answer = self._try(rc522.BlockingReader.transceive, frame, crc=True)
        return error or len(answer) != 1

    # -- MIFARE Classic ------------------------------------------------------------

    def card_auth(
        self, auth_mode: int, block_address: int, key: Sequence[int], uid: Sequence[int]
    ) -> bool:
        """Authenticate for a block with auth_a or auth_b; True is an error."""
        letter = "A" if auth_mode == self.auth_a else "B"
        error, _ = self._try(
            rc522.BlockingReader.authenticate,
            block_address,
            bytes(key),
            bytes(uid[:4]),
            letter,
        )
        self.authed = self.authed or not error
        return error

    def stop_crypto(self) -> None:
        """Leave the authenticated state."""
        self._try(rc522.BlockingReader.stop_crypto)
        self.authed = False

    def halt(self) -> None:
        """HLTA: the tag stays silent until WUPA, or until it leaves the field."""
        self._try(rc522.BlockingReader.halt)
        self.authed = False

    def read(self, block_address: int) -> tuple[bool, list[int]]:
        """(error, 16 bytes) of a block that was authenticated for."""
        error, data = self._try(rc522.BlockingReader.read, block_address)
        return error, list(data or b"")

    def write(self, block_address: int, data: Sequence[int]) -> bool:
        """Write 16 bytes to a block that was authenticated for; True is an error."""
        error, _ = self._try(rc522.BlockingReader.write, block_address, bytes(data[:16]))
        return error

    # -- frames and registers ------------------------------------------------------

    def card_write(self, command: int, data: Sequence[int]) -> tuple[bool, list[int], int]:
        """Send a frame (mode_transrec) or authenticate (mode_auth): (error, answer, bits).

        The frame is sent as it is: it brings its CRC.  A lone REQA or WUPA has 7 bits.
        """
        frame = bytes(data)
        if command == self.mode_auth:
            error = self.card_auth(frame[0], frame[1], frame[2:8], frame[8:12])
            return error, [], 0
        if command != self.mode_transrec:
            raise ValueError(f"command must be mode_transrec or mode_auth, not {command:#x}")
        bits = 7 if frame in (bytes([self.act_reqidl]), bytes([self.act_reqall])) else 0
        try:
            with self._in_use():
                answer, last_bits = self._blocking().transceive_bits(frame, bits=bits)
        except RC522Error:
            return True, [], 0
        length = 8 * len(answer) - (8 - last_bits if last_bits else 0)
        return False, list(answer), length

    def calculate_crc(self, data: Sequence[int]) -> list[int]:
        """CRC_A of `data`, low byte first (ISO/IEC 14443-3, annex B)."""
        return list(rc522.crc_a(bytes(data)))

    def spi_transfer(self, data: list[int]) -> list[int]:
        """One raw SPI transfer; `data` is overwritten with what came back."""
        received: list[int] = self.spi.xfer2(data)
        return received

    def dev_write(self, address: int, value: int) -> None:
        """Write a register."""
        self.spi_transfer([address << 1 & 0x7E, value])

    def dev_read(self, address: int) -> int:
        """Read a register."""
        return self.spi_transfer([address << 1 & 0x7E | 0x80, 0])[1]

    def set_bitmask(self, address: int, mask: int) -> None:
        """Set bits of a register."""
        self.dev_write(address, self.dev_read(address) | mask)

    def clear_bitmask(self, address: int, mask: int) -> None:
        """Clear bits of a register."""
        self.dev_write(address, self.dev_read(address) & ~mask & 0xFF)

    def set_antenna(self, state: bool) -> None:
        """Field on or off."""
        with self._in_use():
            self._blocking().configure(field=bool(state))

    def set_antenna_gain(self, gain: int) -> None:
        """Receiver gain, 0 to 7 (RFCfgReg.RxGain: 18 to 48 dB)."""
        if not 0 <= gain <= 7:
            raise ValueError("Antenna gain has to be in the range 0...7")
        self.antenna_gain = gain
        with self._in_use():
            self._blocking().configure(gain=gain)

    # -- life ------------------------------------------------------------------------

    def init(self) -> None:
        """Reset the chip and set it up, field on; it may wait for tags again after cleanup()."""
        with self._in_use(), self.irq.blind():
            self._stopped = False
            self.authed = False
            is_new = self._reader is None
            reader = self._blocking()
            if not is_new:
                reader.open(gain=self.antenna_gain)

    def reset(self) -> None:
        """Reset the chip and set it up again: every tag in the field starts afresh."""
        with self._in_use(), self.irq.blind():
            self.authed = False
            self._blocking().open()

    def _give_back(self) -> None:
        self._reader = None
        self._to_close = False
        self.authed = False
        self._opened.close()

    def close(self) -> None:
        """End wait_for_tag() wherever it blocks, and give the reader back; idempotent.

        In a signal handler that interrupts a verb of this thread, the verb gives it back
        when it ends, which wait_for_tag() does at once.
        """
        self._stopped = True
        self.irq.set()
        with self._lock:  # free as soon as the waiting thread has left
            if self._users:
                self._to_close = True
            else:
                self._give_back()

    def cleanup(self) -> None:
        """close(), and RPi.GPIO's cleanup of all channels.

        Safe while another thread, or this one, is in wait_for_tag().
        """
        self.close()
        GPIO.release_all()

    def __enter__(self) -> RFID:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def util(self) -> RFIDUtil:
        """A helper for MIFARE Classic tags."""
        return RFIDUtil(self)


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
