"""py-spidev's SpiDev and its quirks, against an MFRC522 on a simulated bus."""

import array
import ctypes
import errno
import importlib.util
import io
import mmap

import pytest

from pyasync_hw import sim
from pyasync_hw.compat import shims
from pyasync_hw.compat.spidev import SpiDev

READ_VERSION = 0x37 << 1 | 0x80


@pytest.fixture
def spi():
    with sim.Board() as board:
        board.attach_rc522("spi0.0", version=0x92)
        with SpiDev(0, 0) as spi:
            yield spi


def test_a_list_is_overwritten_and_returned(spi):
    values = [READ_VERSION, 0]
    assert spi.xfer2(values) is values
    assert values[1] == 0x92
    assert spi.xfer([READ_VERSION, 0], 500_000, 0, 8)[1] == 0x92


def test_other_arguments(spi):
    assert spi.xfer2((READ_VERSION, 0))[1] == 0x92
    assert isinstance(spi.xfer2((READ_VERSION, 0)), tuple)
    assert spi.xfer2(bytes((READ_VERSION, 0)))[1] == 0x92
    assert isinstance(spi.xfer2(bytearray((READ_VERSION, 0))), list)
    assert spi.xfer2([READ_VERSION + 256, -256])[1] == 0x92
    assert spi.xfer3([READ_VERSION, 0])[1] == 0x92
    assert len(spi.readbytes(3)) == 3
    # FIFODataReg takes what is written; FIFOLevelReg counts it.
    spi.writebytes([0x09 << 1, 1, 2])
    spi.writebytes2(bytes([0x09 << 1, 3]))
    assert spi.xfer2([0x0A << 1 | 0x80, 0])[1] == 3


@pytest.mark.parametrize("verb", ["xfer", "xfer2", "xfer3", "writebytes", "writebytes2"])
def test_wrong_arguments(spi, verb):
    with pytest.raises(TypeError, match="Empty argument list"):
        getattr(spi, verb)([])
    with pytest.raises(TypeError, match="Non-Int/Long value in arguments"):
        getattr(spi, verb)([1.5])
    with pytest.raises(TypeError, match="expected a sequence"):
        getattr(spi, verb)(5)


@pytest.mark.parametrize("verb", ["xfer", "xfer2", "writebytes"])
def test_too_long(spi, verb):
    with pytest.raises(OverflowError, match=r"Argument list size exceeds 4096 bytes\."):
        getattr(spi, verb)([0] * 4097)


def test_settings(spi):
    spi.max_speed_hz = 500_000
    assert (spi.mode, spi.bits_per_word, spi.max_speed_hz) == (0, 8, 500_000)
    assert not any((spi.cshigh, spi.lsbfirst, spi.threewire, spi.loop, spi.no_cs, spi.read0))
    with pytest.raises(TypeError, match="between 0 and 3"):
        spi.mode = 4
    with pytest.raises(TypeError, match="8 to 32"):
        spi.bits_per_word = 7
    with pytest.raises(TypeError, match="cshigh attribute must be boolean"):
        spi.cshigh = 1
    with pytest.raises(TypeError, match="max_speed_hz attribute must be an integer"):
        spi.max_speed_hz = 1e6


def test_open_and_close(spi):
    spi.close()
    spi.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        spi.xfer2([0])
    with pytest.raises(FileNotFoundError):
        spi.open(7, 0)
    spi.open(0, 0)
    assert spi.xfer2([READ_VERSION, 0])[1] == 0x92


FIFO = 0x09 << 1  # FIFODataReg takes what is written; FIFOLevelReg counts it
LEVEL = 0x0A << 1


def in_fifo(spi):
    """How many bytes were written since the last call."""
    count = spi.xfer2([LEVEL | 0x80, 0])[1]
    spi.xfer2([LEVEL, 0x80])
    return count


def page():
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    memory[0] = FIFO
    return memory


BUFFERS = {
    "bytes": (lambda: bytes([FIFO, 1, 2]), 2),
    "bytearray": (lambda: bytearray([FIFO, 1, 2]), 2),
    "memoryview": (lambda: memoryview(bytes([FIFO, 1, 2])), 2),
    "words": (lambda: array.array("H", [FIFO | FIFO << 8, 0x0302]), 3),
    "view of words": (lambda: memoryview(array.array("H", [FIFO | FIFO << 8, 0x0302])), 3),
    "two dimensions": (lambda: memoryview(bytes([FIFO, 1, 2, 3])).cast("B", (2, 2)), 3),
    "ctypes": (lambda: (ctypes.c_ubyte * 4)(FIFO, 1, 2, 3), 3),
    "ctypes words": (lambda: (ctypes.c_uint16 * 2)(FIFO | FIFO << 8, 2), 3),
    "ctypes structure": (lambda: ctypes.c_uint32(FIFO * 0x01010101), 3),
    "mmap": (page, 64),
    # Not one piece of memory: its elements are sent.
    "every second byte": (lambda: memoryview(bytes([FIFO, 0, 1, 0, 2, 0]))[::2], 2),
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_writebytes2_sends_a_buffers_memory(spi, kind):
    make, count = BUFFERS[kind]
    in_fifo(spi)
    assert spi.writebytes2(make()) is None
    assert in_fifo(spi) == count


def test_an_empty_buffer_is_no_error_and_an_empty_list_is(spi):
    for empty in (b"", array.array("H"), memoryview(b"")):
        assert spi.writebytes2(empty) is None
    with pytest.raises(TypeError, match=r"Empty argument list\."):
        spi.writebytes2([])


@pytest.mark.parametrize("verb", ["xfer", "xfer2", "xfer3", "writebytes"])
def test_the_others_send_elements(spi, verb):
    """Also of a buffer: words modulo 256."""
    send = getattr(spi, verb)
    for values in (
        array.array("H", [FIFO + 256, 257]),
        (value for value in [FIFO, 1]),
        {FIFO: "address", 1: "data"},
        memoryview(array.array("H", [FIFO, 1])),
        range(FIFO, FIFO + 2),
    ):
        in_fifo(spi)
        send(values)
        assert in_fifo(spi) == 1
    with pytest.raises(TypeError, match="Non-Int/Long value in arguments"):
        send(page())  # whose elements are bytes objects
    with pytest.raises(TypeError, match="Non-Int/Long value in arguments"):
        send("ab")
    with pytest.raises(ZeroDivisionError):
        send(1 / 0 for _ in [0])


def test_only_lists_themselves_are_changed_in_place(spi):
    class Values(list):
        pass

    class Pair(tuple):
        __slots__ = ()

    values = Values([READ_VERSION, 0])
    got = spi.xfer2(values)
    assert (type(got), got[1], values) == (list, 0x92, [READ_VERSION, 0])
    assert type(spi.xfer2(Pair([READ_VERSION, 0]))) is tuple
    assert type(spi.xfer3([READ_VERSION, 0])) is tuple
    failing = [READ_VERSION, "x"]
    with pytest.raises(TypeError):
        spi.xfer2(failing)
    assert failing == [READ_VERSION, "x"]


def test_other_arguments_of_a_transfer(spi):
    for verb in (spi.xfer, spi.xfer2, spi.xfer3):
        # C takes them as unsigned int, short and char.
        assert verb([READ_VERSION, 0], 500_000 + 2**32, 2**16, 256 + 8)[1] == 0x92
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            verb([0], 1e6)
        with pytest.raises(TypeError, match="keyword argument"):
            verb([0], speed_hz=1)


def test_long_writes_and_transfers_are_cut_into_blocks(spi):
    data = [FIFO] * 10_000
    assert len(spi.xfer3(data)) == 10_000
    spi.writebytes2(bytes(data))
    spi.writebytes2(data)


def test_readbytes_takes_the_nearest_length_that_there_is(spi):
    lengths = [len(spi.readbytes(count)) for count in (-5, 0, 1, 4096, 4097, 10**6)]
    assert lengths == [1, 1, 1, 4096, 4096, 4096]
    with pytest.raises(TypeError):
        spi.readbytes(1.5)
    with pytest.raises(TypeError):
        spi.readbytes([1])


SETTINGS = {
    "mode": 0,
    "max_speed_hz": 0,
    "bits_per_word": 0,
    "cshigh": False,
    "lsbfirst": False,
    "threewire": False,
    "loop": False,
    "no_cs": False,
    "read0": False,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_a_closed_device(name):
    spi = SpiDev()
    assert hasattr(SpiDev, name)
    assert getattr(spi, name) == SETTINGS[name]
    if name != "read0":
        with pytest.raises(OSError, match="Bad file descriptor"):
            setattr(spi, name, {"max_speed_hz": 1, "bits_per_word": 8}.get(name, SETTINGS[name]))
    with pytest.raises(TypeError, match="Cannot delete attribute"):
        delattr(spi, name)


def test_what_the_controller_cannot_do_is_einval(spi):
    """Reported for a Raspberry Pi: LSB first, loop-back, words of another size; no clock."""
    for name, value in (
        ("lsbfirst", True),
        ("loop", True),
        ("bits_per_word", 16),
        ("max_speed_hz", 0),
    ):
        before = getattr(spi, name)
        with pytest.raises(OSError) as caught:
            setattr(spi, name, value)
        assert caught.value.errno == errno.EINVAL
        assert getattr(spi, name) == before
    for name in ("lsbfirst", "loop"):
        setattr(spi, name, False)
    for name in ("cshigh", "threewire", "no_cs"):
        setattr(spi, name, True)
        setattr(spi, name, False)
    spi.max_speed_hz = -1  # 32 bits of it, as there
    assert spi.max_speed_hz == 0xFFFF_FFFF


def test_settings_are_taken_as_c_takes_them(spi):
    spi.mode = 256 + 3
    spi.bits_per_word = 256 + 8
    spi.max_speed_hz = 2**32 + 500_000
    assert (spi.mode, spi.bits_per_word, spi.max_speed_hz) == (3, 8, 500_000)
    for wrong in (-1, 4, 255):
        with pytest.raises(TypeError, match="integerbetween 0 and 3"):
            spi.mode = wrong
    with pytest.raises(OSError, match="Invalid argument"):
        spi.max_speed_hz = 2**32
    spi.read0 = True
    assert spi.read0
    spi.close()
    spi.max_speed_hz = 0  # as it is: nothing to set
    assert spi.read0 and spi.max_speed_hz == 0


@pytest.mark.parametrize("verb", ["xfer", "xfer2", "writebytes"])
def test_much_too_long(spi, verb):
    for length in (65_536, 65_537):  # of which C sees 0 and 1
        with pytest.raises(OverflowError, match="exceeds 4096 bytes"):
            getattr(spi, verb)([0] * length)


def test_a_misspelt_setting_is_an_error(spi):
    with pytest.raises(AttributeError, match="'SpiDev' object has no attribute 'max_speed'"):
        spi.max_speed = 1_000_000
    with pytest.raises(TypeError, match="The 3wire attribute must be boolean"):
        spi.threewire = 1


def test_fileno(spi):
    with pytest.raises(io.UnsupportedOperation, match="simulated SPI device"):
        spi.fileno()
    assert SpiDev().fileno() == -1


def test_new_and_open():
    assert SpiDev(-1).fileno() == SpiDev(-1, 5).fileno() == -1
    with pytest.raises(TypeError, match=r"missing required argument 'device' \(pos 2\)"):
        SpiDev(0)
    with sim.Board() as board:
        board.attach_rc522("spi0.0")
        board.attach_rc522("spi0.1", irq=None, reset=None)
        spi = SpiDev(bus=0, client=1)
        spi.open(bus=0, device=0)
        spi.max_speed_hz = 7_000
        spi.open_path("/dev/spidev0.1")
        assert spi.max_speed_hz != 7_000
        with pytest.raises(TypeError):
            spi.open(0.0, 0)
        assert spi.__exit__(None, None, None) is False
        assert spi.max_speed_hz == 0
        with pytest.raises(OSError, match="Inappropriate ioctl for device"):
            spi.open_path(b"/dev/null")
        with pytest.raises(FileNotFoundError):
            spi.open_path("/dev/nothing")


def test_a_subclass_need_not_call_our_init(spi):
    class Chip(SpiDev):
        def __init__(self, name, *, client):
            self.name = name
            self.settings = (self.mode, self.max_speed_hz, self.read0, self.fileno())
            self.open(0, client)

    spi.close()
    with Chip("reader", client=0) as chip:
        assert chip.settings == (0, 0, False, -1)
        assert chip.xfer2([READ_VERSION, 0])[1] == 0x92


def test_open_path_follows_links(tmp_path):
    link = tmp_path / "reader"
    link.symlink_to("/dev/spidev0.1")
    with sim.Board() as board, SpiDev() as spi:
        board.attach_rc522("spi0.1")
        spi.open_path(link)
        assert spi.bits_per_word == 8


@pytest.mark.skipif(importlib.util.find_spec("spidev") is None, reason="no spidev installed")
def test_the_installed_package_is_hidden_from_programs_but_not_from_us():
    uninstall = shims.install(["spidev"])
    try:
        import spidev

        assert spidev.SpiDev is SpiDev
        real = shims.original("spidev")
        assert real.SpiDev is not SpiDev and real.SpiDev.__module__ != SpiDev.__module__
        assert spidev.SpiDev is SpiDev
    finally:
        uninstall()
    import spidev

    assert spidev.SpiDev is not SpiDev
