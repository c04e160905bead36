"""pirc522.RFID: pi-rc522's verbs and return values over the native reader.

`irq` follows the interrupt pin, for programs that arm the chip by registers and wait on it.

Quietly different: request() sleeps on the chip's interrupt instead of reading a
register 2,000 times, the field stays on between polls, halt() sends its CRC,
and each reader has an `irq` of its own.  Added: wait_for_tag() says True for a
tag and False for a timeout or a wake-up by `irq.set()`, close(), `with`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from ... import _core, rc522
from ...errors import CollisionError, CRCError, RC522Error, TagTimeoutError
from ...gpio import Input
from ..hints import no_such_name
from ..legacy.cancelled import FutureCancelledError
from ..reader_base import ReaderBase
from ..RPi import GPIO
from .util import RFIDUtil
from .wake import SharedWake, Wake

__all__ = ["RFID"]

_REG_TX_CONTROL = 0x14


class RFID(ReaderBase):
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
        super().__init__(
            {
                "spi": f"spi{bus}.{device}",
                "irq": None if pin_irq is None else GPIO.to_gpio(pin_irq),
                "reset": None if pin_rst == 0 else GPIO.to_gpio(pin_rst),
                "speed_hz": speed,
            }
        )
        if pin_irq is not None or pin_rst != 0:
            GPIO.use_beside()
        self.irq = Wake()
        RFID.irq.add(self.irq)
        self._woken = False  # wait_for_tag() has found a tag that had been halted
        self.init()

    def __repr__(self) -> str:
        return f"<pirc522.RFID on {self._options['spi']}>"

    def _set_up(self, reader: rc522.Reader, opened: contextlib.ExitStack) -> None:
        irq = self._options["irq"]
        if irq is not None:
            # Beside the reader's own: what one of them has seen, the other sees, too.
            line = Input(irq, bias="pull_up", edges="falling", consumer="pirc522 irq")
            opened.enter_context(line)
            self.irq.follow(line)
        reader.blocking.open(gain=self.antenna_gain)

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
        return self._exchange(frame, bits)

    def calculate_crc(self, data: Sequence[int]) -> list[int]:
        """CRC_A of `data`, low byte first (ISO/IEC 14443-3, annex B)."""
        return list(rc522.crc_a(bytes(data)))

    def spi_transfer(self, data: list[int]) -> list[int]:
        """One raw SPI transfer; `data` is overwritten with what came back."""
        received: list[int] = self.spi.xfer2(data)
        return received

    def dev_write(self, address: int, value: int) -> None:
        """Write a register."""
        self._write_register(address, value)

    def dev_read(self, address: int) -> int:
        """Read a register."""
        return self._read_register(address)

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
        self.authed = False
        super()._give_back()

    def _end_waits(self) -> None:
        self.irq.set()

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
