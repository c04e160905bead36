"""spidev and smbus as programs for converters, displays and sensors use them, under `run`."""

from __future__ import annotations

from io import UnsupportedOperation

import pytest
from names_table import Row, each, outcomes, shown

BOARD = """
model = "pi-4"
[[part]]
kind = "mcp3008"
spi = "spi0.0"
volts = [1.65, 3.3]
[[part]]
kind = "mcp3002"
spi = "spi1.0"
volts = [0.0, 1.65]
[[part]]
kind = "bmp180"
[[part]]
kind = "adxl345"
z = 1.0
"""

PRELUDE = """
import sys
import smbus, smbus2, spidev
from smbus2 import SMBus, i2c_msg
from pyasync_hw import hardware

class Display:
    def __init__(self):
        self.sent = []
    def transfer(self, data):
        self.sent.append(data)
        return bytes(len(data))

display = Display()
hardware.current().attach_spi(0, 1, display)

def sent():
    taken = b"".join(display.sent)
    display.sent.clear()
    return list(taken)

def convert(channel):
    answer = spi.xfer2([1, (8 + channel) << 4, 0])
    return ((answer[1] & 3) << 8) + answer[2]

def convert_3002(channel):
    answer = other.xfer2([0x68 | channel << 4, 0])
    return ((answer[0] & 3) << 8) + answer[1]

def same(values):
    return spi.xfer2(values) is values

def signed(number):
    return number - 65536 if number & 0x8000 else number

def messages():
    ask, answer = i2c_msg.write(0x77, [0xD0]), i2c_msg.read(0x77, 1)
    return bus.i2c_rdwr(ask, answer), list(answer)
"""

TABLE: list[Row] = [
    ("(spi := spidev.SpiDev()).open(0, 0)", None),
    ("setattr(spi, 'max_speed_hz', 1350000), spi.max_speed_hz", (None, 1350000)),
    ("setattr(spi, 'mode', 0), spi.mode", (None, 0)),
    ("setattr(spi, 'mode', 4)", TypeError("The mode attribute must be an integerbetween 0 and 3.")),
    ("setattr(spi, 'bits_per_word', 8), spi.bits_per_word", (None, 8)),
    ("spi.cshigh, spi.lsbfirst, spi.threewire, spi.loop, spi.no_cs, spi.read0", (False,) * 6),
    ("abs(convert(0) - 512) <= 1, convert(1), convert(7)", (True, 1023, 0)),
    ("len(spi.xfer([1, 128, 0], 500000, 10, 8)), len(spi.xfer3([1, 128, 0]))", (3, 3)),
    ("same([1, 128, 0]), type(spi.xfer2((1, 128, 0))).__name__", (True, "tuple")),
    ("spi.xfer2([])", TypeError("Empty argument list.")),
    ("spi.xfer2([0] * 4097)", OverflowError("Argument list size exceeds 4096 bytes.")),
    ("len(spi.readbytes(3))", 3),
    ("spi.fileno()", UnsupportedOperation("a simulated SPI device has no file descriptor")),
    ("spi.close(), spi.close()", (None, None)),
    ("spi.xfer2([1])", OSError(9, "Bad file descriptor")),
    ("(display_spi := spidev.SpiDev(0, 1)) and display_spi.writebytes([0x0C, 1])", None),
    ("sent()", [0x0C, 1]),
    ("display_spi.writebytes2(bytes([1, 0x3C])), display_spi.writebytes2([2, 0x42])", (None, None)),
    ("sent()", [1, 0x3C, 2, 0x42]),
    ("display_spi.open_path('/dev/spidev0.1'), display_spi.__enter__() is display_spi", (None, True)),
    ("display_spi.__exit__(None, None, None)", False),
    ("(other := spidev.SpiDev()).open(1, 0), abs(convert_3002(1) - 512) <= 1", (None, True)),
    # the barometer of seed 004's kind, and an accelerometer
    ("smbus.SMBus is SMBus", True),
    ("(bus := smbus.SMBus(1)).read_byte_data(0x77, 0xD0)", 0x55),
    ("bus.write_byte_data(0x77, 0xF4, 0x2E)", None),
    ("len(bus.read_i2c_block_data(0x77, 0xAA, 22)), len(bus.read_i2c_block_data(0x77, 0xAA))", (22, 32)),
    ("bus.read_byte_data(0x53, 0x00)", 0xE5),
    ("bus.write_byte_data(0x53, 0x2D, 0x08)", None),
    ("signed(bus.read_word_data(0x53, 0x36)) in range(240, 270)", True),
    ("bus.write_byte(0x53, 0x00), bus.read_byte(0x53)", (None, 0xE5)),
    ("bus.write_i2c_block_data(0x53, 0x1E, [1, 2, 3])", None),
    ("bus.read_i2c_block_data(0x53, 0x1E, 3)", [1, 2, 3]),
    ("bus.write_word_data(0x53, 0x1E, 0x0504), bus.read_word_data(0x53, 0x1E)", (None, 0x0504)),
    ("bus.write_quick(0x53)", None),
    ("messages()", (None, [0x55])),
    ("type(bus.read_byte_data) and bus.write_block_data(0x53, 0x1E, [])", None),
    ("type(bus.funcs).__name__", "I2cFunc"),
    ("bus.close()", None),
    ("SMBus(1).__enter__().read_byte_data(0x77, 0xD0)", 0x55),
    ("type(SMBus('/dev/i2c-1')).__name__", "SMBus"),
    ("smbus2.SMBusWrapper(1).__enter__().read_byte_data(0x77, 0xD0)", 0x55),
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return outcomes(tmp_path_factory.mktemp("names"), TABLE, PRELUDE, BOARD)


@each(TABLE)
def test_a_name_of_spidev_or_smbus(results: list[str], row: int) -> None:
    assert results[row] == shown(TABLE[row][1])
