"""mfrc522's classes: what programs do with them, and what ends a wait."""

import errno
import logging
import signal
import threading

import pytest
from running import run

from pyasync_hw import executor, hardware, sim
from pyasync_hw.compat.mfrc522 import MFRC522, BasicMFRC522, SimpleMFRC522
from pyasync_hw.compat.RPi import GPIO

UID = [0xA6, 0x1D, 0x22, 0x7E, 0xE7]
NUMBER = 0xA61D227EE7
KEY = [0xFF] * 6


@pytest.fixture
def field():
    """A simulated reader that every thread sees."""
    with sim.Board() as board:
        before = hardware.set_default(board)
        yield board.attach_rc522("spi0.0", irq="BOARD18", reset="BOARD22")
        GPIO.release_all()
        hardware.set_default(before)


@pytest.fixture
def card(field):
    card = sim.MifareClassic1K(uid="a61d227e")
    field.present(card)
    return card


@pytest.fixture
def simple(field):
    reader = SimpleMFRC522()
    yield reader
    reader.READER.Close_MFRC522()


def test_a_tag_that_stays_is_found_each_time(simple, card):
    for _ in range(5):
        assert simple.read_id_no_block() == NUMBER
        assert simple.read_no_block() == (NUMBER, "\0" * 48)
        assert simple.read_id() == NUMBER
        assert simple.read() == (NUMBER, "\0" * 48)


def test_written_text_is_read(simple, card):
    assert simple.write("x" * 50) == (NUMBER, "x" * 48)
    assert simple.write_no_block("Bob") == (NUMBER, "Bob")
    assert simple.read() == (NUMBER, "Bob".ljust(48))


def test_a_wrong_key_gives_no_text(simple, card, caplog):
    simple.KEY = [0] * 6
    assert simple.read() == (NUMBER, "")
    assert simple.write("secret") == (NUMBER, "secret")
    wrong = ["AUTH ERROR!!", "AUTH ERROR(status2reg & 0x08) != 0"]
    assert caplog.messages == [*wrong, *wrong, "Error while reading!"]
    simple.KEY = KEY
    assert simple.read() == (NUMBER, "\0" * 48)


@pytest.mark.parametrize("what", ["read", "read_id", "write"])
def test_a_wait_sleeps_until_a_tag_comes(simple, field, what):
    card = sim.MifareClassic1K(uid="a61d227e")
    call = {"read": simple.read, "read_id": simple.read_id, "write": lambda: simple.write("x")}
    found = []
    thread = threading.Thread(target=lambda: found.append(call[what]()))
    spi = simple.READER.native_spi
    messages = spi.messages
    thread.start()
    while spi.messages < messages + 4:
        executor.sleep(0.01)
    field.present(card)
    thread.join(60)
    assert found == [{"read": (NUMBER, "\0" * 48), "read_id": NUMBER, "write": (NUMBER, "x")}[what]]


def test_close_ends_a_wait_in_another_thread(simple):
    errors = []

    def wait():
        try:
            simple.read()
        except OSError as exc:
            errors.append(exc.errno)

    thread = threading.Thread(target=wait)
    thread.start()
    while not simple.READER._tokens:
        executor.sleep(0.001)
    simple.READER.Close_MFRC522()
    thread.join(60)
    assert errors == [errno.EBADF]
    with pytest.raises(OSError, match="Close_MFRC522"):
        simple.read_id_no_block()


def test_close_in_a_signal_handler_ends_the_wait_that_it_interrupts(simple):
    before = signal.signal(signal.SIGALRM, lambda *_: simple.READER.Close_MFRC522())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(OSError, match="Close_MFRC522"):
            simple.read()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_cancelled_job_leaves_the_wait(simple, field):
    with executor.ThreadPoolExecutor(max_workers=1) as pool:
        job = pool.submit(simple.read)
        while not simple.READER._tokens:
            executor.sleep(0.001)
        job.token.cancel()
        with pytest.raises(executor.concurrent.futures.CancelledError):
            job.result(60)
    field.present(sim.MifareClassic1K(uid="a61d227e"))
    assert simple.read_id() == NUMBER


def test_without_the_field_there_is_no_tag(simple, card):
    simple.READER.AntennaOff()
    assert simple.read_id_no_block() is None
    simple.READER.AntennaOn()
    assert simple.read_id_no_block() == NUMBER


def test_the_reset_pin_is_an_output_of_rpi_gpio(field):
    GPIO.setmode(GPIO.BCM)
    reader = MFRC522(pin_mode=GPIO.BOARD)
    assert GPIO.getmode() == GPIO.BCM and GPIO.gpio_function(15) == GPIO.OUT
    reader.Close_MFRC522()
    assert GPIO.getmode() is None
    with_pin = MFRC522(pin_rst=22)
    assert GPIO.getmode() == GPIO.BOARD and GPIO.gpio_function(22) == GPIO.OUT
    with_pin.Close_MFRC522()
    assert field.board.line("GPIO25").consumer is None


def test_frames_and_registers(simple, card):
    reader = simple.READER
    reader.Write_MFRC522(reader.BitFramingReg, 7)
    answer = reader.MFRC522_ToCard(reader.PCD_TRANSCEIVE, [reader.PICC_REQIDL])
    assert answer == (reader.MI_OK, [0x04, 0x00], 16)
    reader.Write_MFRC522(reader.BitFramingReg, 0)
    anticollision = [reader.PICC_ANTICOLL, 0x20]
    assert reader.MFRC522_ToCard(reader.PCD_TRANSCEIVE, anticollision) == (0, UID, 40)
    select = [reader.PICC_SElECTTAG, 0x70, *UID]
    select += reader.CalulateCRC(select)
    status, answer, bits = reader.MFRC522_ToCard(reader.PCD_TRANSCEIVE, select)
    assert (status, answer[0], bits) == (reader.MI_OK, 0x08, 24)
    authenticate = [reader.PICC_AUTHENT1A, 8, *KEY, *UID[:4]]
    assert reader.MFRC522_ToCard(reader.PCD_AUTHENT, authenticate) == (reader.MI_OK, [], 0)
    read = [reader.PICC_READ, 8]
    read += reader.CalulateCRC(read)
    assert reader.MFRC522_ToCard(reader.PCD_TRANSCEIVE, read) == (0, [0] * 16, 144)
    assert reader.MFRC522_ToCard(reader.PCD_TRANSCEIVE, [0x26]) == (0, [5], 4)  # a NAK
    assert reader.MFRC522_ToCard(reader.PCD_CALCCRC, [1, 2]) == (reader.MI_ERR, [], 0)
    crc = [reader.Read_MFRC522(where) for where in (reader.CRCResultRegL, reader.CRCResultRegM)]
    assert crc == reader.CalulateCRC([1, 2])


def test_a_dump_is_logged(simple, card, caplog):
    reader = simple.READER
    reader.logger.setLevel(logging.DEBUG)
    reader.MFRC522_Request(reader.PICC_REQIDL)
    _, uid = reader.MFRC522_Anticoll()
    assert reader.MFRC522_SelectTag(uid) == 8
    reader.MFRC522_DumpClassic1K(KEY, uid)
    assert caplog.messages[:2] == ["Size: 8", f"Sector 0 {list(card.memory[:16])}"]
    assert len(caplog.messages) == 65
    reader.logger.setLevel(logging.WARNING)


def test_sectors(simple, card):
    basic = simple.BasicMFRC522
    assert isinstance(basic, BasicMFRC522)
    text = "one".ljust(48) + "two"
    assert basic.write_sectors(text, [7, 15]) == (NUMBER, text.ljust(96, "\0"))
    assert basic.read_sectors([7, 15]) == (NUMBER, text.ljust(96, "\0"))
    assert basic.clear_sector(7) == NUMBER
    assert basic.read_no_block(7) == (NUMBER, "\0" * 48)
    with pytest.raises(ValueError, match="Trailer"):
        basic.read_no_block(8)


def test_import_names_under_run(program):
    """All that programs write, also of the files that are classes' names."""
    path = program("""\
        import mfrc522
        from mfrc522 import MFRC522, SimpleMFRC522, BasicMFRC522
        from mfrc522.MFRC522 import MFRC522 as C
        from mfrc522.SimpleMFRC522 import SimpleMFRC522 as S
        import mfrc522.BasicMFRC522
        assert (mfrc522.MFRC522, mfrc522.SimpleMFRC522) == (C, S)
        assert mfrc522.BasicMFRC522 is BasicMFRC522
        print(mfrc522.name, mfrc522.SimpleMFRC522().read_id_no_block())
        """)
    assert run(path)[:2] == (0, "mfrc522 None\n")


def test_a_file_of_the_program_s_folder_is_its_own(program, tmp_path):
    program("class MFRC522: pass\n", "mfrc522.py")
    path = program("import mfrc522; print(mfrc522.__file__, mfrc522.MFRC522())")
    status, out, _ = run(path)
    assert (status, out.split()[0]) == (0, str(tmp_path / "mfrc522.py"))
    (tmp_path / "mfrc522.py").unlink()
    package = tmp_path / "mfrc522"
    package.mkdir()
    program("from .MFRC522 import MFRC522", "mfrc522/__init__.py")
    program("class MFRC522: pass\n", "mfrc522/MFRC522.py")
    path = program("from mfrc522.MFRC522 import MFRC522; print(MFRC522.__module__)")
    assert run(path)[:2] == (0, "mfrc522.MFRC522\n")


def test_a_key_that_is_too_short_is_a_wrong_one(simple, card, caplog):
    simple.KEY = KEY[:4]
    assert simple.read_no_block() == (NUMBER, "")
    assert caplog.messages[:2] == ["a key has six bytes, not 4", "AUTH ERROR!!"]


COPY = """\
import MFRC522, RPi.GPIO as GPIO
reader = MFRC522.MFRC522()
status = None
while status != reader.MI_OK:
    reader.MFRC522_Request(reader.PICC_REQIDL)
    status, uid = reader.MFRC522_Anticoll()
print(MFRC522.__name__, uid)
GPIO.cleanup()
"""
CARD = '[[event]]\nat = 0\npresent = { kind = "mifare-classic-1k", uid = "a61d227e" }\n'


def test_a_copy_of_the_file_that_is_not_there(program):
    scenario = program(CARD, "card.toml")
    status, out, err = run("--scenario", scenario, program(COPY))
    assert (status, out) == (0, f"pyasync_hw.compat.mfrc522.MFRC522 {UID}\n"), err


def test_a_copy_of_the_file_that_is_there_and_uses_spi_py(program):
    """Its registers by both forms of SPI-Py's transfer()."""
    program(
        """\
        import RPi.GPIO as GPIO, spi

        class MFRC522:
            PICC_REQIDL, MI_OK = 0x26, 0

            def __init__(self, dev="/dev/spidev0.0", spd=1000000):
                self.device = spi.openSPI(device=dev, speed=spd)
                assert self.device[b"speed"] == spd
                GPIO.setmode(GPIO.BOARD)
                GPIO.setup(22, GPIO.OUT, initial=1)
                for register, value in ((0x01, 0x0F), (0x15, 0x40), (0x11, 0x3D), (0x14, 0x83)):
                    spi.transfer((register << 1, value))
                for register, value in ((0x2A, 0x8D), (0x2B, 0x3E), (0x2D, 30), (0x2C, 0)):
                    spi.transfer(self.device, (register << 1, value))

            def _answer(self, bits, *frame):
                for register, value in ((0x01, 0), (0x0D, bits), (0x04, 0x7F), (0x0A, 0x80)):
                    spi.transfer((register << 1, value))
                for value in frame:
                    spi.transfer((0x09 << 1, value))
                spi.transfer((0x01 << 1, 0x0C))
                spi.transfer((0x0D << 1, 0x80 | bits))
                while not spi.transfer((0x04 << 1 | 0x80, 0))[1] & 0x31:
                    pass
                level = spi.transfer((0x0A << 1 | 0x80, 0))[1]
                return [spi.transfer(self.device, (0x09 << 1 | 0x80, 0))[1] for _ in range(level)]

            def MFRC522_Request(self, mode):
                return self.MI_OK, 8 * len(self._answer(7, mode))

            def MFRC522_Anticoll(self):
                uid = self._answer(0, 0x93, 0x20)
                return (self.MI_OK if len(uid) == 5 else 2), uid
        """,
        "MFRC522.py",
    )
    status, out, err = run("--scenario", program(CARD, "card.toml"), program(COPY))
    assert (status, out) == (0, f"MFRC522 {UID}\n"), err
