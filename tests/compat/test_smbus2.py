"""compat.smbus2 beside smbus2 0.6.1: the bytes that reach a part, and what comes back."""

from __future__ import annotations

import errno

import pytest
from running import run

from pyasync_hw import sim
from pyasync_hw.compat.smbus2 import I2cFunc, SMBus, SMBusWrapper, i2c_msg


class Recorder:
    def __init__(self) -> None:
        self.log: list[bytes | int] = []
        self.answer = b""

    def write(self, data: bytes) -> None:
        self.log.append(data)

    def read(self, n: int) -> bytes:
        self.log.append(n)
        return self.answer[:n]


@pytest.fixture
def part(hw_board: sim.Board) -> Recorder:
    part = Recorder()
    hw_board.attach_i2c(1, 0x48, part)
    return part


@pytest.mark.parametrize(
    ("name", "args", "log"),
    [
        ("write_quick", (), [b""]),
        ("write_byte", (5,), [b"\x05"]),
        ("write_byte_data", (1, 0x102), [b"\x01\x02"]),
        ("write_word_data", (1, 0x1234), [b"\x01\x34\x12"]),
        ("write_block_data", (1, [7, 8]), [b"\x01\x02\x07\x08"]),
        ("write_i2c_block_data", (1, [7, 8]), [b"\x01\x07\x08"]),
        ("write_block_data", (1, []), [b"\x01\x00"]),
        ("write_i2c_block_data", (1, []), [b"\x01"]),  # a command alone
    ],
)
def test_writes(part: Recorder, name: str, args: tuple, log: list) -> None:
    with SMBus(1) as bus:
        assert getattr(bus, name)(0x48, *args) is None
    assert part.log == log


@pytest.mark.parametrize(
    ("name", "args", "log", "answer"),
    [
        ("read_byte", (), [1], 0x81),
        ("read_byte_data", (3,), [b"\x03", 1], 0x81),
        ("read_word_data", (3,), [b"\x03", 2], 0x0281),
        ("process_call", (3, 0x1234), [b"\x03\x34\x12", 2], 0x0281),
        ("read_i2c_block_data", (3, 4), [b"\x03", 4], [0x81, 2, 3, 4]),
        ("read_i2c_block_data", (3, 0), [b"\x03", 0], []),
    ],
)
def test_reads(part: Recorder, name: str, args: tuple, log: list, answer: object) -> None:
    part.answer = bytes([0x81, 2, 3, 4, 5])
    with SMBus("/dev/i2c-1") as bus:
        assert getattr(bus, name)(0x48, *args) == answer
    assert part.log == log


def test_blocks_that_say_how_long_they_are(part: Recorder) -> None:
    part.answer = b"\x03abcdef"
    with SMBus(1) as bus, pytest.raises(OSError) as caught:
        bus.read_block_data(0x48, 1)  # as on a Pi Zero, whose adapter can't
    assert caught.value.errno == errno.EOPNOTSUPP
    with sim.Board("pi-5") as board:
        board.attach_i2c(1, 0x48, part)
        with SMBus(1) as bus:
            assert bus.read_block_data(0x48, 1) == [*b"abc"]
            part.answer = b"\x21"
            with pytest.raises(OSError) as caught:
                bus.read_block_data(0x48, 1)
            assert caught.value.errno == errno.EPROTO


def test_packet_error_codes(part: Recorder) -> None:
    with SMBus(1) as bus:
        bus.pec = 1
        bus.write_byte_data(0x48, 1, 2)
        # CRC-8 of 90 01 02
        assert (bus.pec, part.log[0][:2], len(part.log[0])) == (1, b"\x01\x02", 3)
        part.answer = b"\x81\x00"
        with pytest.raises(OSError, match="packet error code") as caught:
            bus.read_byte_data(0x48, 1)
        assert caught.value.errno == errno.EBADMSG
    with sim.Board("pi-5"), SMBus(1) as bus, pytest.raises(OSError, match="not a feature"):
        bus.enable_pec()


def test_i2c_rdwr(part: Recorder) -> None:
    part.answer = b"abc"
    read, write = i2c_msg.read(0x48, 3), i2c_msg.write(0x48, [1, 2])
    with SMBus(1) as bus:
        bus.i2c_rdwr(write, read)
    assert part.log == [b"\x01\x02", 3]
    assert (list(read), bytes(read), len(read), str(read)) == ([*b"abc"], b"abc", 3, "abc")
    assert repr(i2c_msg.write(1, "a")) == "i2c_msg(1,0,b'a')"
    assert (read.buf[0], read.buf[:2], read.addr, read.flags) == (b"a", b"ab", 0x48, 1)
    buf, part.answer = read.buf, b"xyz"
    with SMBus(1) as bus:
        bus.i2c_rdwr(write, read)  # once more: the same buffer
        assert bus.fd == -1
        assert bus.read_i2c_block_data(0x48, 1) == [*b"xyz", *[255] * 29]
    assert (buf[:3], bus.fd, list(i2c_msg.read(1, 0))) == (b"xyz", None, [])


def test_errors(part: Recorder) -> None:
    with pytest.raises(TypeError, match=r"Unexpected type\(bus\)"):
        SMBus(1.5)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        SMBus("/dev/no/such")
    bus = SMBus()
    assert bus.funcs == 0
    with pytest.raises(OSError) as caught:
        bus.read_byte(0x48)
    assert caught.value.errno == errno.EBADF
    bus.open(1)
    assert bus.funcs & I2cFunc.I2C
    with pytest.raises(OSError, match="nothing answers at 0x20") as caught:
        bus.read_byte(0x20)
    assert caught.value.errno == errno.EREMOTEIO
    with pytest.raises(ValueError, match="Data length cannot exceed 32"):
        bus.write_block_data(0x48, 1, [0] * 33)
    with pytest.raises(ValueError, match="Desired block length over 32"):
        bus.read_i2c_block_data(0x48, 1, 33)
    bus.close()
    bus.close()
    assert part.log == []


def test_the_wrapper_of_older_programs(part: Recorder) -> None:
    part.answer = b"\x07"
    with SMBusWrapper(1) as bus:
        assert bus.read_byte(0x48) == 7
    with pytest.raises(OSError):
        bus.read_byte(0x48)
    with SMBusWrapper(bus_number=1, auto_cleanup=False, force=True) as bus:
        pass
    assert bus.read_byte(0x48) == 7
    bus.close()


@pytest.mark.parametrize("name", ["smbus2", "smbus"])
def test_a_program_finds_it(name: str) -> None:
    text = f"import {name}\ntry:\n    {name}.SMBus(1).read_byte(8)\nexcept OSError as e: print(e)"
    status, out, _err = run("-c", text)
    assert status == 0
    assert "nothing answers at 0x08 of i2c-1" in out
