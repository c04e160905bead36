"""Parts on the simulated I2C bus, by drivers as one writes them."""

from __future__ import annotations

import asyncio
import signal
import struct
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import pytest

import pyasync_hw
from pyasync_hw import gpio, i2c, sim, spi
from pyasync_hw.hardware import load_board


async def bmp180(device: i2c.Device, oversampling: int, wait) -> tuple[float, int]:  # type: ignore[no-untyped-def]
    """The data sheet's figure 4."""
    assert await device.write_read(b"\xd0", 1) == b"\x55"
    ac1, ac2, ac3, ac4, ac5, ac6, b1, b2, _, mc, md = struct.unpack(
        ">hhhHHHhhhhh", await device.write_read(b"\xaa", 22)
    )
    await device.write(b"\xf4\x2e")
    await wait(0.0045)
    ut = int.from_bytes(await device.write_read(b"\xf6", 2), "big")
    await device.write(bytes([0xF4, 0x34 + (oversampling << 6)]))
    await wait(0.0255)
    up = int.from_bytes(await device.write_read(b"\xf6", 3), "big") >> 8 - oversampling
    x1 = (ut - ac6) * ac5 / 2**15
    x2 = mc * 2**11 / (x1 + md)
    b5 = x1 + x2
    b6 = b5 - 4000
    x3 = b2 * (b6 * b6 / 2**12) / 2**11 + ac2 * b6 / 2**11
    b3 = ((ac1 * 4 + x3) * 2**oversampling + 2) / 4
    x3 = (ac3 * b6 / 2**13 + b1 * (b6 * b6 / 2**12) / 2**16 + 2) / 4
    b4 = ac4 * (x3 + 32768) / 2**15
    b7 = (up - b3) * (50000 / 2**oversampling)
    p = b7 * 2 / b4
    x1 = (p / 2**8) ** 2 * 3038 / 2**16
    x2 = -7357 * p / 2**16
    return (b5 + 8) / 16 / 10, round(p + (x1 + x2 + 3791) / 16)


@pytest.mark.parametrize("oversampling", range(4))
@pytest.mark.parametrize(
    ("celsius", "pascal"), [(20.0, 101325.0), (-10.0, 85000.0), (40.0, 30000.0)]
)
def test_a_bmp180(hw_board: sim.Board, oversampling: int, celsius: float, pascal: float) -> None:
    part = hw_board.attach(sim.BMP180())
    part.set(celsius, pascal)

    async def main() -> tuple[float, int]:
        with i2c.Device("i2c-1", 0x77) as device:
            return await bmp180(device, oversampling, asyncio.sleep)

    measured, pressure = pyasync_hw.run(main(), clock=hw_board.clock)
    assert measured == pytest.approx(celsius, abs=0.15)
    assert pressure == pytest.approx(pascal, abs=20)


def test_a_bmp180_takes_its_time(hw_board: sim.Board) -> None:
    hw_board.attach(sim.BMP180())
    assert hw_board.clock is not None
    with i2c.Device("i2c-1", 0x77) as device:
        device.blocking.write(b"\xf4\x2e")
        assert device.blocking.write_read(b"\xf4", 1)[0] & 0x20
        hw_board.clock.advance(0.0035)  # and the bus takes its time
        assert device.blocking.write_read(b"\xf6", 3) == b"\x80\0\0"  # as after power-on
        hw_board.clock.advance(0.001)
        assert not device.blocking.write_read(b"\xf4", 1)[0] & 0x20
        assert device.blocking.write_read(b"\xf6", 3)[:2] != b"\x80\0"
        device.blocking.write(b"\xe0\xb6")  # soft reset
        assert device.blocking.write_read(b"\xf6", 3) == b"\x80\0\0"
        before = device.blocking.write_read(b"\xaa", 22)
        device.blocking.write(b"\xaa\0\0")
        assert device.blocking.write_read(b"\xaa", 22) == before
        device.blocking.write(b"\xf4\x0e")  # nothing begins
        assert device.blocking.write_read(b"\xf4", 1) == b"\x0e"


def test_an_adxl345(hw_board: sim.Board) -> None:
    part = hw_board.attach(sim.ADXL345(x=0.5, y=-1.0))
    with i2c.Device("i2c-1", 0x53) as device:
        assert device.blocking.write_read(b"\x00", 1) == b"\xe5"
        assert device.blocking.write_read(b"\x32", 6) == bytes(6)
        device.blocking.write(b"\x2d\x08")
        assert struct.unpack("<hhh", device.blocking.write_read(b"\x32", 6)) == (128, -256, 256)
        part.set(3.0, -20.0, 0.0)
        assert struct.unpack("<hhh", device.blocking.write_read(b"\x32", 6)) == (511, -512, 0)
        device.blocking.write(b"\x31\x0b")  # full resolution, 16 g
        assert struct.unpack("<hhh", device.blocking.write_read(b"\x32", 6)) == (768, -4096, 0)
        device.blocking.write(b"\x1e\xc0\x00\x40")  # offsets of -1 and 1 g
        assert struct.unpack("<hhh", device.blocking.write_read(b"\x32", 6)) == (512, -4096, 256)
    with pytest.raises(ValueError, match="x must be -1000 to 1000 g, not nan"):
        part.set(float("nan"), 0, 0)


def test_an_mpu6050(hw_board: sim.Board) -> None:
    hw_board.attach(sim.MPU6050(x=-0.5, address=0x69))
    with i2c.Device("i2c-1", 0x69) as device:
        assert device.blocking.write_read(b"\x75", 1) == b"\x68"
        assert device.blocking.write_read(b"\x3b", 6) == bytes(6)  # it sleeps
        device.blocking.write(b"\x6b\x00")
        *g, raw = struct.unpack(">hhhh", device.blocking.write_read(b"\x3b", 8))
        assert g == [-8192, 0, 16384]
        assert raw / 340 + 36.53 == pytest.approx(25.0, abs=0.01)
        device.blocking.write(b"\x1c\x18")  # 16 g
        assert struct.unpack(">hhh", device.blocking.write_read(b"\x3b", 6)) == (-1024, 0, 2048)


INIT = bytes.fromhex(
    "00 ae 20 00 40 a1 a8 3f c8 d3 00 da 12 d5 80 d9 f1 db 30 81 ff a4 a6 8d 14 af"
)


def pixels(png: bytes) -> tuple[int, int, list[str]]:
    """A PNG of 1 bit, back."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, size = 8, b"", (0, 0)
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(png[at + 8 + length : at + 12 + length])
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    rows = zlib.decompress(data)
    width, height = size
    step = width // 8 + 1
    lines = [rows[step * y + 1 : step * (y + 1)] for y in range(height)]
    return width, height, ["".join(f"{byte:08b}" for byte in line) for line in lines]


def test_an_ssd1306_shows_what_is_written(hw_board: sim.Board, tmp_path: Path) -> None:
    display = hw_board.attach(sim.SSD1306())
    frame = bytearray(1024)
    frame[0] = 0x01  # upper left
    frame[127] = 0x80  # the eighth row of the right edge
    frame[1023] = 0x80  # lower right
    with i2c.Device("i2c-1", 0x3C) as device:
        device.blocking.write(INIT)
        device.blocking.write(b"\x00\x21\x00\x7f\x22\x00\x07")
        for at in range(0, 1024, 16):
            device.blocking.write(b"\x40" + frame[at : at + 16])
        lit = {(x, y) for y in range(64) for x in range(128) if display.pixel(x, y)}
        assert lit == {(0, 0), (127, 7), (127, 63)}
        width, height, rows = pixels(display.png(tmp_path / "picture.png"))
        assert (width, height) == (128, 64)
        assert {(x, y) for y in range(64) for x in range(128) if rows[y][x] == "1"} == lit
        assert (tmp_path / "picture.png").read_bytes() == display.png()
        assert len(ElementTree.fromstring(display.svg())[1]) == 3
        for kind, picture in ("svg", display.svg()), ("txt", display.text() + "\n"):
            display.save(tmp_path / f"picture.{kind}")
            assert (tmp_path / f"picture.{kind}").read_text() == picture
        with pytest.raises(ValueError, match=r"a picture is a file \.png, \.svg or \.txt"):
            display.save("picture.bmp")
        assert display.text().splitlines()[7] == "." * 127 + "#"
        device.blocking.write(b"\x80\xa7")
        assert display.text().count("#") == 128 * 64 - 3
        device.blocking.write(b"\x80\xae")
        assert display.text().count("#") == 0
        assert device.blocking.read(1) == b"\x40"


def test_an_ssd1306_has_pages(hw_board: sim.Board) -> None:
    display = hw_board.attach(sim.SSD1306(height=32))
    with i2c.Device("i2c-1", 0x3C) as device:
        device.blocking.write(b"\x00\xaf\xa1\xc8\xb2\x05\x11")  # page 2, column 0x15
        device.blocking.write(b"\x40\x03\x02")
    lit = {(x, y) for y in range(32) for x in range(128) if display.pixel(x, y)}
    assert lit == {(21, 16), (21, 17), (22, 17)}


def written(display: sim.SSD1306) -> list[int]:
    return [at for at, byte in enumerate(display.memory) if byte]


@pytest.mark.parametrize(
    ("mode", "places"),
    [
        (0x00, [(10, 2), (11, 2), (12, 2), (10, 3), (11, 3), (12, 3), (10, 2)]),
        (0x01, [(10, 2), (10, 3), (11, 2), (11, 3), (12, 2), (12, 3), (10, 2)]),
    ],
)
def test_an_ssd1306_fills_a_window(
    hw_board: sim.Board, mode: int, places: list[tuple[int, int]]
) -> None:
    """Data sheet, 10.1.3 and figures 10-3, 10-4."""
    display = hw_board.attach(sim.SSD1306())
    with i2c.Device("i2c-1", 0x3C) as device:
        device.blocking.write(bytes([0, 0x20, mode, 0x21, 10, 12, 0x22, 2, 3]))
        for column, page in places:
            display.memory[:] = bytes(1024)
            device.blocking.write(b"\x40\xff")
            assert written(display) == [128 * page + column]


def test_an_ssd1306_never_leaves_its_memory(hw_board: sim.Board) -> None:
    """Windows that end before they begin, and commands that stop in the middle."""
    display = hw_board.attach(sim.SSD1306())
    with i2c.Device("i2c-1", 0x3C) as device:
        for mode in range(3):
            device.blocking.write(bytes([0, 0x20, mode, 0x21, 9, 3, 0x22, 7, 1]))
            device.blocking.write(b"\x40" + b"\x01" * 3000)
        display.memory[:] = bytes(1024)
        device.blocking.write(b"\x80\x20\x80")
        device.blocking.write(b"\x80\x02\x80\xb7\x80\x0f\x80\x17")  # last page, column 127
        device.blocking.write(b"\x40\x01\x02")
        assert written(display) == [128 * 7, 128 * 7 + 127]  # page addressing stays in the page


def test_they_are_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(
        "".join(
            f'[[part]]\nkind = "{kind}"\n{values}\n'
            for kind, values in {
                "bmp180": "pascal = 99000",
                "ssd1306": "height = 32",
                "adxl345": "x = 1",
                "mpu6050": "address = 0x69",
            }.items()
        )
    )
    with sim.wired_board(load_board(path)) as board:
        assert [type(part) for part in board.parts] == [
            sim.BMP180,
            sim.SSD1306,
            sim.ADXL345,
            sim.MPU6050,
        ]


@pytest.mark.parametrize("verb", ["write", "read"])
def test_ctrl_c_while_a_part_answers_is_no_silence(
    hw_board: sim.Board, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Of which `run` is told; that a part was interrupted is not what it said."""
    lost: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lost.append)

    class Interrupted:
        def write(self, data: bytes) -> None:
            if verb == "write":
                signal.raise_signal(signal.SIGINT)

        def read(self, n: int) -> bytes:
            signal.raise_signal(signal.SIGINT)
            return bytes(n)

    hw_board.attach_i2c(1, 0x20, Interrupted())
    hw_board.on_silence = lambda name, wiring: None
    with i2c.Device(1, 0x20) as device, pytest.raises(KeyboardInterrupt):
        device.blocking.write_read(b"1", 1)
    assert lost == []


def test_what_answers_a_message_opens_no_devices() -> None:
    """Who closes the board or changes its clock waits for the message, and has their list."""
    board = sim.Board("pi-5")
    refused: list[str] = []

    class Opens:
        def write(self, data: bytes) -> None:
            for open_one in (
                lambda: gpio.Input(17, board=board),
                lambda: gpio.Chip("gpiochip0", board=board),
                lambda: spi.Device("spi0.0", board=board),
                lambda: i2c.Device(1, 0x21, board=board),
            ):
                with pytest.raises(RuntimeError, match="cannot open devices of its board") as info:
                    open_one()
                refused.append(str(info.value))

        def read(self, n: int) -> bytes:
            return bytes(n)

    board.attach_i2c(1, 0x20, Opens())
    with i2c.Device(1, 0x20, board=board) as device, board:
        device.blocking.write(b"1")
    assert len(refused) == 4
