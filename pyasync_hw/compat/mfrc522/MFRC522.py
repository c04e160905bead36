"""mfrc522.MFRC522: its verbs, registers and return values over the native reader.

Two libraries have that import name; of the verbs of mfrc522-python, those that are
called otherwise (Request, ReadTag, ...) are here, too.

Quietly different: a request sleeps until the chip's timer says that nobody answers,
instead of reading a register 2,000 times; a tag that was selected answers the next
request, not every second one; the field stays on.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence
from typing import Any

from ... import CancelToken, executor, rc522
from ...errors import CollisionError, RC522Error
from ..hints import no_such_name
from ..legacy.cancelled import FutureCancelledError
from ..reader_base import ReaderBase
from ..RPi import GPIO
from .registers import Registers

__all__ = ["MFRC522"]

_BOARD_RESET, _BCM_RESET = 22, 15  # mfrc522's; the latter is no pin of its wiring
_ACK = 0xA
_AUTH_SIZE = 12  # command, block, key, UID
_ATQA_BITS = 16
_SAK_BITS = 24  # with CRC
_BLOCK_BITS = 144


class MFRC522(Registers, ReaderBase):
    """One RC522 at spi<bus>.<device>, without its interrupt line, as mfrc522 has it.

    `pin_mode` counts only if GPIO.setmode() was not called.  pin_rst -1 is header pin 22,
    or GPIO 15 with GPIO.BCM; it is an RPi.GPIO output.  Raises ChipNotFoundError.
    """

    serNum: Sequence[int] = ()

    def __init__(
        self,
        bus: int = 0,
        device: int = 0,
        spd: int = 1_000_000,
        pin_mode: int = GPIO.BOARD,
        pin_rst: int = -1,
        debugLevel: str = "WARNING",
    ) -> None:
        options = {"spi": f"spi{bus}.{device}", "irq": None, "reset": None, "speed_hz": spd}
        super().__init__(options)
        self._tokens: set[CancelToken] = set()  # of those who wait
        self._last_bits = 0  # BitFramingReg.TxLastBits
        self.logger = logging.getLogger("mfrc522Logger")
        if not self.logger.handlers:
            self.logger.addHandler(logging.StreamHandler())
        self.logger.setLevel(logging.getLevelName(debugLevel))
        if GPIO.getmode() is None:
            GPIO.setmode(pin_mode)
        if pin_rst == -1:
            pin_rst = _BCM_RESET if GPIO.getmode() == GPIO.BCM else _BOARD_RESET
        GPIO.setup(pin_rst, GPIO.OUT)
        GPIO.output(pin_rst, 1)
        self.MFRC522_Init()

    def __repr__(self) -> str:
        return f"<mfrc522.MFRC522 on {self._options['spi']}>"

    # -- life ------------------------------------------------------------------------

    def _closed_error(self) -> OSError:
        text = f"{os.strerror(errno.EBADF)}; Close_MFRC522() was called"
        return OSError(errno.EBADF, text, self._options["spi"])

    def _open_now(self) -> None:
        if self._stopped:
            raise self._closed_error()
        super()._open_now()

    def _end_waits(self) -> None:
        for token in list(self._tokens):
            token.cancel()

    def Close_MFRC522(self) -> None:
        """Give the reader back, and RPi.GPIO's cleanup of all channels.

        Whoever waits for a tag gets OSError (EBADF), as do all calls from now on.
        """
        self.close()
        GPIO.release_all()

    def MFRC522_Init(self) -> None:
        """Reset the chip and set it up, field on."""
        with self._in_use():
            is_new = self._reader is None
            reader = self._blocking()
            if not is_new:
                reader.open()
            self._last_bits = 0

    def MFRC522_Reset(self) -> None:
        """Reset the chip and set it up again."""
        self.MFRC522_Init()

    def wait_for_tag(self) -> None:
        """Sleep until a tag is in the field, also one that stays there.

        Raises OSError (EBADF) when Close_MFRC522() is called, in any thread, and
        concurrent.futures.CancelledError in a job of an executor that is cancelled.
        """
        with self._in_use():
            token = CancelToken()
            self._tokens.add(token)
            try:
                reader = self._blocking()
                if self._stopped:
                    raise self._closed_error()
                reader._chip.core.forget()
                reader.wait_for_tag(token=token)
            except FutureCancelledError:
                if self._stopped:
                    raise self._closed_error() from None
                raise
            finally:
                self._tokens.discard(token)

    # -- registers -------------------------------------------------------------------

    def Write_MFRC522(self, addr: int, val: int) -> None:
        """Write a register."""
        if addr == self.BitFramingReg:
            self._last_bits = val & 7
        self._write_register(addr, val)

    def Read_MFRC522(self, addr: int) -> int:
        """Read a register."""
        return self._read_register(addr)

    def SetBitMask(self, reg: int, mask: int) -> None:
        """Set bits of a register."""
        self.Write_MFRC522(reg, self.Read_MFRC522(reg) | mask)

    def ClearBitMask(self, reg: int, mask: int) -> None:
        """Clear bits of a register."""
        self.Write_MFRC522(reg, self.Read_MFRC522(reg) & ~mask & 0xFF)

    def AntennaOn(self) -> None:
        """Field on."""
        self._try(rc522.BlockingReader.configure, field=True)

    def AntennaOff(self) -> None:
        """Field off, for 5 ms at least: tags in it start afresh."""
        self._try(rc522.BlockingReader.configure, field=False)

    def CalulateCRC(self, pIndata: Sequence[int]) -> list[int]:
        """CRC_A, low byte first (ISO/IEC 14443-3, annex B)."""
        return list(rc522.crc_a(_frame(pIndata)))

    # -- frames ----------------------------------------------------------------------

    def MFRC522_ToCard(self, command: int, sendData: Sequence[int]) -> tuple[int, list[int], int]:
        """(status, answer of up to MAX_LEN bytes, bits of the whole answer).

        PCD_TRANSCEIVE sends a frame as it is, with BitFramingReg.TxLastBits of its last
        byte; PCD_AUTHENT authenticates.  Other commands are started, and are MI_ERR.
        """
        frame = _frame(sendData)
        if command == self.PCD_AUTHENT:
            return self._authenticate(frame), [], 0
        if command != self.PCD_TRANSCEIVE:
            self.Write_MFRC522(self.CommandReg, self.PCD_IDLE)
            self.Write_MFRC522(self.FIFOLevelReg, 0x80)
            for value in frame:
                self.Write_MFRC522(self.FIFODataReg, value)
            self.Write_MFRC522(self.CommandReg, command)
            return self.MI_ERR, [], 0
        error, answer, bits = self._exchange(frame, self._last_bits)
        return self._status(error), answer[: self.MAX_LEN], bits

    def _status(self, error: bool) -> int:
        return self.MI_ERR if error else self.MI_OK

    def _authenticate(self, frame: bytes) -> int:
        if len(frame) != _AUTH_SIZE:
            self.logger.error("a key has six bytes, not %s", len(frame) - 6)
            return self.MI_ERR
        letter = "A" if frame[0] == self.PICC_AUTHENT1A else "B"
        error, _ = self._try(
            rc522.BlockingReader.authenticate, frame[1], frame[2:-4], frame[-4:], letter
        )
        return self._status(error)

    def _send(self, *frame: int) -> tuple[int, list[int], int]:
        """The answer to whole bytes, to which a CRC is added."""
        data = _frame(frame)
        error, answer, bits = self._exchange(data + rc522.crc_a(data), 0)
        self._last_bits = 0
        return self._status(error), answer, bits

    # -- tags ------------------------------------------------------------------------

    def MFRC522_Request(self, reqMode: int) -> tuple[int, int]:
        """(MI_OK, 16) if a tag answers REQA or WUPA (PICC_REQALL), else (MI_ERR, 0)."""
        self._last_bits = 7
        if reqMode not in (self.PICC_REQIDL, self.PICC_REQALL):
            status, _, bits = self.MFRC522_ToCard(self.PCD_TRANSCEIVE, [reqMode])
            return (status if bits == _ATQA_BITS else self.MI_ERR), bits
        with self._in_use():
            try:
                self._blocking().request(wakeup=reqMode == self.PICC_REQALL)
            except CollisionError:  # several: anticollision chooses one
                pass
            except RC522Error:
                return self.MI_ERR, 0
        return self.MI_OK, _ATQA_BITS

    def MFRC522_Anticoll(self) -> tuple[int, list[int]]:
        """(status, [four UID bytes and their XOR]) of cascade level 1."""
        error, data = self._try(rc522.BlockingReader.anticollision)
        self._last_bits = 0
        return self._status(error), list(data or b"")

    def MFRC522_SelectTag(self, serNum: Sequence[int]) -> int:
        """SELECT on cascade level 1, UID with check byte: SAK, or 0."""
        uid = [serNum[index] for index in range(5)]
        status, answer, bits = self._send(self.PICC_SElECTTAG, 0x70, *uid)
        if status != self.MI_OK or bits != _SAK_BITS:
            return 0
        self.logger.debug("Size: %s", answer[0])
        return answer[0]

    def MFRC522_Auth(
        self, authMode: int, BlockAddr: int, Sectorkey: Sequence[int], serNum: Sequence[int]
    ) -> int:
        """MI_OK if the key of six bytes opens the block's sector."""
        status, _, _ = self.MFRC522_ToCard(
            self.PCD_AUTHENT, [authMode, BlockAddr, *Sectorkey, *serNum[:4]]
        )
        if status != self.MI_OK:
            self.logger.error("AUTH ERROR!!")
            self.logger.error("AUTH ERROR(status2reg & 0x08) != 0")
        return status

    def MFRC522_StopCrypto1(self) -> None:
        """Leave the authenticated state."""
        self._try(rc522.BlockingReader.stop_crypto)

    def MFRC522_Read(self, blockAddr: int) -> list[int] | None:
        """The 16 bytes of a block, or None."""
        status, answer, bits = self._send(self.PICC_READ, blockAddr)
        block = answer[:16]
        if bits == _BLOCK_BITS and bytes(answer[16:]) != rc522.crc_a(bytes(block)):
            status = self.MI_ERR
        if status != self.MI_OK:
            self.logger.error("Error while reading!")
        if status != self.MI_OK or bits != _BLOCK_BITS:
            return None
        self.logger.debug("Sector %s %s", blockAddr, block)
        return block

    def MFRC522_Write(self, blockAddr: int, writeData: Sequence[int]) -> None:
        """Write 16 bytes to a block; "Error while writing" is logged."""
        data = [writeData[index] for index in range(16)]
        status, answer, bits = self._send(self.PICC_WRITE, blockAddr)
        code = answer[0] & 0x0F if answer else None
        self.logger.debug("%s backdata &0x0F == 0x0A %s", bits, code)
        if status != self.MI_OK or bits != 4 or code != _ACK:
            return
        status, answer, bits = self._send(*data)
        if status != self.MI_OK or bits != 4 or answer[0] & 0x0F != _ACK:
            self.logger.error("Error while writing")
        if status == self.MI_OK:
            self.logger.debug("Data written")

    def MFRC522_DumpClassic1K(self, key: Sequence[int], uid: Sequence[int]) -> None:
        """Read all blocks of a 1K tag with key A; at debugLevel "DEBUG" they are logged."""
        for block in range(64):
            if self.MFRC522_Auth(self.PICC_AUTHENT1A, block, key, uid) == self.MI_OK:
                self.MFRC522_Read(block)
            else:
                self.logger.error("Authentication error")

    # -- what mfrc522-python calls otherwise, or adds ------------------------------------

    Init = MFRC522_Init
    Reset = MFRC522_Reset
    Close = Close_MFRC522
    WriteReg = Write_MFRC522
    ReadReg = Read_MFRC522
    Request = MFRC522_Request
    Anticoll = MFRC522_Anticoll
    SelectTag = MFRC522_SelectTag
    Authenticate = MFRC522_Auth
    StopCrypto1 = StopAuth = MFRC522_StopCrypto1
    ReadTag = MFRC522_Read
    WriteTag = MFRC522_Write

    def Halt(self) -> int:
        """HLTA: the tag stays silent until WUPA, or until it leaves the field."""
        error, _ = self._try(rc522.BlockingReader.halt)
        return self._status(error)

    def MIFARE_OpenUidBackdoor(self) -> bool:
        """Open block 0 of a tag whose UID may be changed, if it is one."""
        self.Halt()
        executor.sleep(0.1)
        for command, bits in ((0x40, 7), (0x43, 0)):
            self.Write_MFRC522(self.BitFramingReg, bits)
            status, _, _ = self.MFRC522_ToCard(self.PCD_TRANSCEIVE, [command])
            if status != self.MI_OK:
                number = 1 if bits else 2
                self.logger.error(
                    "MIFARE_OpenUidBackdoor: magic command %s (%#04x) failed.", number, command
                )
                return False
        return True


def _frame(data: Sequence[int]) -> bytes:
    return bytes([value & 0xFF for value in data])


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
