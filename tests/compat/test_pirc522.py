"""pirc522.RFID on a simulated reader."""

import threading
import time

import pytest

from pyasync_hw import VirtualClock, sim
from pyasync_hw.compat.pirc522 import RFID, RFIDUtil
from pyasync_hw.compat.RPi import GPIO

UID = "a61d227e"
UID5 = [0xA6, 0x1D, 0x22, 0x7E, 231]  # with BCC
KEY = [0xFF] * 6


@pytest.fixture
def card(reader):
    card = sim.MifareClassic1K(uid=UID)
    reader.present(card)
    return card


class Waiter(threading.Thread):
    """A thread in wait_for_tag()."""

    def __init__(self, rfid, **options):
        super().__init__(daemon=True)
        self._rfid = rfid
        self._options = options
        self.result = None
        self.start()

    def run(self):
        self.result = self._rfid.wait_for_tag(**self._options)

    def wait(self):
        self.join(10)
        assert not self.is_alive()
        return self.result


def test_request_and_anticoll(rfid, card):
    assert rfid.request() == (False, 16)
    assert rfid.anticoll() == (False, UID5)
    assert rfid.request() == (False, 16)
    assert rfid.read_id() == UID5[:4]
    assert rfid.read_id(as_number=True) == int(UID, 16)


def test_nobody_there(rfid):
    assert rfid.request() == (True, None)
    error, uid = rfid.anticoll()
    assert error and not uid
    assert rfid.read_id() is None


def test_request_without_a_card_is_cheap():
    """pi-rc522 takes 2,013 SPI transactions for it."""
    clock = VirtualClock()
    with sim.Board(clock=clock) as board:
        board.attach_rc522("spi0.0", irq="BOARD18", reset="BOARD22")
        with RFID() as rfid:
            rfid.request()
            before, began = rfid.native_spi.messages, clock.time()
            assert rfid.request() == (True, None)
            assert rfid.native_spi.messages - before < 10
            assert clock.time() - began < 0.010
    GPIO.release_all()


def test_a_tag_of_seven_bytes(rfid, reader):
    reader.present(sim.Card(uid="04a1b2c3d4e5f6"))
    assert rfid.request() == (False, 16)
    assert rfid.anticoll()[1][0] == 0x88
    assert rfid.read_id() == [0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6]


def test_wait_for_tag(rfid, reader):
    assert rfid.wait_for_tag(timeout=0.02) is False
    waiter = Waiter(rfid)
    reader.present(sim.MifareClassic1K(uid=UID))
    assert waiter.wait() is True
    assert rfid.request() == (False, 16)
    assert rfid.anticoll() == (False, UID5)


def test_a_tag_that_stays_is_found_again_and_halted_or_not(rfid, card):
    for _ in range(3):
        assert rfid.wait_for_tag() is True
        assert rfid.request() == (False, 16)
        assert rfid.anticoll() == (False, UID5)
    rfid.select_tag(UID5)
    rfid.halt()
    assert rfid.request() == (True, None)
    assert rfid.wait_for_tag() is True


@pytest.mark.parametrize("wake", ["instance", "class", "callback", "cleanup", "close"])
def test_wait_for_tag_is_woken_at_once(rfid, reader, wake):
    waiter = Waiter(rfid)
    while not reader.field_on:
        time.sleep(0.001)
    began = time.monotonic()
    {
        "instance": rfid.irq.set,
        "class": RFID.irq.set,
        "callback": rfid.irq_callback,
        "cleanup": rfid.cleanup,
        "close": rfid.close,
    }[wake]()
    assert waiter.wait() is False
    assert time.monotonic() - began < 1
    if wake in ("cleanup", "close"):
        assert rfid.wait_for_tag() is False  # and does not block for ever


def test_a_wake_up_before_the_wait_is_kept(rfid):
    rfid.irq.set()
    assert Waiter(rfid).wait() is False
    assert not rfid.irq.is_set()
    assert rfid.wait_for_tag(timeout=0.01) is False


def test_set_then_cleanup_as_the_seed_does(rfid, reader):
    waiter = Waiter(rfid)
    rfid.irq.set()
    rfid.cleanup()
    assert waiter.wait() is False
    assert GPIO.getmode() is None
    assert [reader.board.line(pin).consumer for pin in (reader.irq, reader.reset)] == [None] * 2
    rfid.cleanup()


def test_read_and_write_blocks(rfid, card):
    rfid.request()
    _, uid = rfid.anticoll()
    assert rfid.select_tag(uid) is False
    assert rfid.card_auth(rfid.auth_a, 8, KEY, uid) is False
    assert rfid.authed
    assert rfid.write(8, list(range(16))) is False
    assert rfid.read(8) == (False, list(range(16)))
    rfid.stop_crypto()
    assert not rfid.authed
    rfid.request()
    rfid.anticoll()
    rfid.select_tag(uid)
    assert rfid.card_auth(rfid.auth_a, 8, [0] * 6, uid) is True
    assert rfid.read(8)[0] is True


def test_util(rfid, card, capsys):
    util = rfid.util()
    assert isinstance(util, RFIDUtil)
    rfid.request()
    _, uid = rfid.anticoll()
    assert util.set_tag(uid) is False
    assert util.read_out(8) is True
    util.auth(rfid.auth_a, KEY)
    assert util.is_tag_set_auth()
    assert util.rewrite(9, [1, None, 3]) is False
    util.read_out(9)
    assert capsys.readouterr().out == f"S2.0B1: {[1, 0, 3] + [0] * 13}\n"
    util.deauth()
    assert not util.is_tag_set_auth()
    # MF1S50 datasheet, 8.7.1: the transport configuration is FF 07 80.
    assert util.get_access_bits((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 1)) == (0xFF, 0x07, 0x80)


def test_registers(rfid):
    assert rfid.dev_read(0x37) == 0x92
    rfid.dev_write(0x24, 0x12)
    rfid.set_bitmask(0x24, 0x01)
    rfid.clear_bitmask(0x24, 0x10)
    assert rfid.dev_read(0x24) == 0x03
    assert rfid.calculate_crc([0x50, 0x00]) == [0x57, 0xCD]


def test_card_write(rfid, card):
    assert rfid.card_write(rfid.mode_transrec, [rfid.act_reqidl]) == (False, [0x04, 0x00], 16)
    error, answer, bits = rfid.card_write(rfid.mode_transrec, [rfid.act_anticl, 0x20])
    assert (error, answer, bits) == (False, UID5, 40)


@pytest.mark.parametrize("close", ["close", "cleanup", "spi"])
def test_spi_of_a_reader_that_was_closed(rfid, close):
    spi = rfid.spi
    spi.max_speed_hz = 500_000
    {"close": rfid.close, "cleanup": rfid.cleanup, "spi": rfid.spi.close}[close]()
    assert (spi.mode, spi.max_speed_hz, spi.bits_per_word, spi.cshigh) == (0, 0, 0, False)
    assert spi.fileno() == -1
    for use in (lambda: spi.xfer2([0x37 << 1 | 0x80, 0]), lambda: setattr(spi, "mode", 0)):
        with pytest.raises(OSError, match="Bad file descriptor"):
            use()
    spi.close()


def test_antenna(rfid, reader, card):
    rfid.set_antenna(False)
    assert not reader.field_on
    rfid.set_antenna(True)
    assert reader.field_on
    rfid.set_antenna_gain(7)
    assert reader.registers[0x26] >> 4 & 7 == 7
    with pytest.raises(ValueError, match=r"0\.\.\.7"):
        rfid.set_antenna_gain(8)


def test_gpio_cleanup_is_for_the_readers_pins_too(reader, recwarn):
    with RFID() as rfid:
        GPIO.cleanup()
        assert GPIO.getmode() is None and len(recwarn) == 0
        assert rfid.request() == (True, None)
        GPIO.cleanup()
        assert "nothing to clean up" in str(recwarn.pop(RuntimeWarning).message)
    with RFID(pin_irq=None, pin_rst=0):
        GPIO.cleanup()
    assert "nothing to clean up" in str(recwarn.pop(RuntimeWarning).message)


def test_arguments(reader):
    with pytest.raises(ValueError, match="device="):
        RFID(pin_ce=24)
    with RFID(pin_irq=None, speed=500_000) as rfid:
        with pytest.raises(NotImplementedError, match="IRQ is not used"):
            rfid.wait_for_tag()
        assert rfid.request() == (True, None)
        assert rfid.spi.max_speed_hz == 500_000
    GPIO.release_all()
    with pytest.raises(ValueError, match="A different mode"):
        GPIO.setmode(GPIO.BCM)
        RFID()
    GPIO.release_all()
    with RFID(pin_mode=GPIO.BCM, pin_irq=24, pin_rst=25) as rfid:
        assert rfid.request() == (True, None)


def test_a_program_writes_the_registers_that_the_reader_set_up(rfid, card):
    """pi-rc522's values, as programs write them to see whether the chip keeps them."""
    for address, value in ((0x02, 0xA0), (0x03, 0x80), (0x2A, 0x8D), (0x2B, 0x3E), (0x2D, 30)):
        rfid.dev_write(address, value)
        assert rfid.dev_read(address) == value
    assert rfid.wait_for_tag() is True
    assert rfid.read_id() == UID5[:4]
    rfid.dev_write(0x2A, 0x8D)
    assert rfid.request() == (False, 16)
