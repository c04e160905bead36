"""py-spidev's SpiDev and its quirks, against an MFRC522 on a simulated bus."""

import importlib.util

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
