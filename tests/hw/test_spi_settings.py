"""Settings of an SPI device, and messages that are longer than the driver's buffer."""

from __future__ import annotations

import errno

import pytest

from pyasync_hw import sim, spi
from pyasync_hw.spi import Transfer


class Echo:
    """A part that answers complements, and keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def transfer(self, data: bytes) -> bytes:
        self.frames.append(data)
        return bytes(byte ^ 0xFF for byte in data)


@pytest.fixture
def echo(hw_board: sim.Board) -> Echo:
    part = Echo()
    hw_board.attach_spi(0, 0, part)
    return part


def test_flags_are_arguments_and_properties(hw_board: sim.Board) -> None:
    with spi.Device("spi0.0", mode=1, cs_high=True, no_cs=True) as device:
        assert device.mode == 0x45
        assert (device.cs_high, device.no_cs, device.three_wire) == (True, True, False)
        device.cs_high = False
        device.three_wire = True
        assert device.mode == 0x51
        device.mode = 3
        assert (device.mode, device.no_cs, device.three_wire) == (3, False, False)
        assert device.bits_per_word == 8
        device.bits_per_word = 8


@pytest.mark.parametrize("flag", ["lsb_first", "loopback", "ready"])
def test_what_the_controller_cannot_do(hw_board: sim.Board, flag: str) -> None:
    # spi-bcm2835.c: mode_bits
    with pytest.raises(OSError) as info:
        spi.Device("spi0.0", **{flag: True})
    assert info.value.errno == errno.EINVAL
    with spi.Device("spi0.0", mode=2) as device:
        with pytest.raises(OSError):
            setattr(device, flag, True)
        assert device.mode == 2
        with pytest.raises(OSError):
            device.bits_per_word = 9
        with pytest.raises(ValueError, match="bits_per_word"):
            device.bits_per_word = 33
        assert device.bits_per_word == 8


def test_bits_per_word_that_the_controller_cannot_do(hw_board: sim.Board) -> None:
    with pytest.raises(OSError) as info:
        spi.Device("spi0.0", bits_per_word=12)
    assert info.value.errno == errno.EINVAL


def test_reading_sends_zeros(echo: Echo) -> None:
    with spi.Device("spi0.0") as device:
        assert device.blocking.transfer(3) == b"\xff\xff\xff"
        assert device.blocking.message([b"\x01", 2]) == [b"\xfe", b"\xff\xff"]
        for count in (0, -1, 2**40):
            with pytest.raises(ValueError):
                device.blocking.transfer(count)
    assert echo.frames == [bytes(3), b"\x01\0\0"]


def test_a_long_message_is_cut_where_chip_select_goes_up(echo: Echo) -> None:
    data = [bytes([n]) * 1500 for n in range(7)]
    message = [Transfer(one, cs_change=True) for one in data[:-1]] + [Transfer(data[-1])]
    with spi.Device("spi0.0") as device:
        answers = device.blocking.message(message)
        assert answers == [bytes(byte ^ 0xFF for byte in one) for one in data]
        assert device.stats.messages == 4  # of 4096 bytes: two frames each
        assert device.stats.transfers == 7 * 24  # of 64 bytes
    assert echo.frames == data


def test_more_than_511_transfers_are_cut_too(echo: Echo) -> None:
    message = [Transfer(b"a", cs_change=True)] * 1200 + [Transfer(b"b")]
    with spi.Device("spi0.0") as device:
        assert device.blocking.message(message) == [b"\x9e"] * 1200 + [b"\x9d"]
        assert device.stats == (3, 1201)
    assert echo.frames == [b"a"] * 1200 + [b"b"]


def test_a_frame_is_never_cut(echo: Echo) -> None:
    with spi.Device("spi0.0") as device:
        assert len(device.blocking.transfer(bytes(4096))) == 4096
        with pytest.raises(OSError, match=r"4096 bytes.*spidev\.bufsiz") as info:
            device.blocking.message([Transfer(b"first", cs_change=True), bytes(4097)])
        assert info.value.errno == errno.EMSGSIZE
    assert echo.frames == [bytes(4096)]  # nothing of the second one was sent
