"""What goes wrong with SPI and I2C, by the program's fault or not: each has its error.

Wrong names and settings, what is closed, unplugged, refused, held or cut off; on the
simulated board, and on a kernel of our own (fake_buses.c).
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable
from importlib.machinery import PathFinder
from typing import Any

import pytest

from pyasync_hw import i2c, sim, spi


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: spi.Device("spi7.0"), FileNotFoundError, "pi-zero-w has no such SPI device"),
        (lambda: spi.Device("spi0"), ValueError, "not an SPI device"),
        (lambda: spi.Device("i2c-1"), ValueError, "not an SPI device"),
        (lambda: spi.Device(0), (TypeError, ValueError), "SPI device"),
        (lambda: spi.Device("spi0.0", mode=-1), ValueError, "mode must be"),
        (lambda: spi.Device("spi0.0", bits_per_word=33), ValueError, "bits_per_word must be"),
        (lambda: i2c.Bus(7), FileNotFoundError, "pi-zero-w has no such I2C bus"),
        (lambda: i2c.Bus(-1), ValueError, "0 or more, not -1"),
        (lambda: i2c.Bus("spi0.0"), ValueError, "write 'i2c-<bus>'"),
        (lambda: i2c.Bus(None), TypeError, "a number or a name"),
        (lambda: i2c.Device(1, 0x80), ValueError, "0x00 to 0x7f, not 0x80"),
        (lambda: i2c.Device(1, "0x20"), TypeError, "address is a whole number"),
    ],
)
def test_a_wrong_name_or_setting(
    hw_board: sim.Board, make: Callable[[], Any], error: Any, text: str
) -> None:
    with pytest.raises(error, match=text):
        make()


class Part:
    """One that is asked something, and may do something about it."""

    def __init__(self) -> None:
        self.act: Callable[[], object] = int

    def write(self, data: bytes) -> None:
        self.act()

    def read(self, n: int) -> bytes:
        return bytes(n)

    def transfer(self, data: bytes) -> bytes:
        self.act()
        return data


class SPIDevice(spi.Device):
    """With room for `send`."""


class I2CDevice(i2c.Device):
    """With room for `send`."""


@pytest.fixture(params=["spi", "i2c"])
def device(request: pytest.FixtureRequest, hw_board: sim.Board) -> Any:
    part = Part()
    if request.param == "spi":
        hw_board.attach_spi(0, 0, part)
        found: Any = SPIDevice("spi0.0", speed_hz=100_000)
        found.send = found.transfer
        found.send_blocking = found.blocking.transfer
    else:
        hw_board.attach_i2c(1, 0x20, part)
        found = I2CDevice("i2c-1", 0x20)
        found.send = found.write
        found.send_blocking = found.blocking.write
    found.part = part
    yield found
    found.close()


def test_a_transfer_after_close(device: Any, run: Any) -> None:
    device.close()

    async def main() -> None:
        with pytest.raises(ValueError, match="is closed"):
            await device.send(b"ab")
        with pytest.raises(ValueError, match="is closed"):
            device.send_blocking(b"ab")

    run(main())


@pytest.mark.parametrize("size", [1, 1000], ids=["on the loop", "in the executor"])
def test_a_close_during_a_transfer_lets_it_end(device: Any, run: Any, size: int) -> None:
    device.part.act = device.close

    async def main() -> None:
        await device.send(bytes(size))
        assert device.closed
        with pytest.raises(ValueError, match="is closed"):
            await device.send(b"a")

    run(main())


def test_a_close_during_a_blocking_transfer_lets_it_end(device: Any) -> None:
    device.part.act = device.close
    device.send_blocking(b"ab")
    assert device.closed


@pytest.mark.parametrize("size", [1, 1000], ids=["on the loop", "in the executor"])
def test_a_board_that_is_unplugged(device: Any, run: Any, hw_board: sim.Board, size: int) -> None:
    async def main() -> None:
        hw_board.close()
        for _ in range(2):
            with pytest.raises(OSError, match="unplugged") as caught:
                await device.send(bytes(size))
            assert caught.value.errno == errno.ESHUTDOWN
        with pytest.raises(OSError, match="unplugged"):
            device.send_blocking(b"a")

    run(main())


PROGRAM = """
import asyncio, ctypes, errno
import pyasync_hw
from pyasync_hw import i2c, spi
from pyasync_hw.hardware import KernelBackend

kernel = ctypes.CDLL(None)
board = KernelBackend()


def told(call):
    try:
        print(call())
    except OSError as error:
        print(errno.errorcode[error.errno], str(error).partition("] ")[2])


told(lambda: spi.Device("spi0.1", board=board))
told(lambda: spi.Device("spi9.0", board=board))
told(lambda: i2c.Bus(0, board=board))
told(lambda: i2c.Bus(9, board=board))
with spi.Device("spi0.0", board=board) as device, i2c.Device(1, 0x20, board=board) as sensor:
    for awaited, blocking in (
        (lambda: device.transfer(b"abc"), lambda: device.blocking.transfer(b"abc")),
        (lambda: sensor.transfer([b"a", 1]), lambda: sensor.blocking.transfer([b"a", 1])),
    ):
        for code in 0, errno.ETIMEDOUT, errno.EREMOTEIO, errno.ENXIO, errno.ENODEV, errno.EBUSY:
            kernel.fake_next(code, 0)
            told(blocking)
        kernel.fake_next(0, 1)
        told(blocking)
        for run in asyncio.run, pyasync_hw.run:
            async def main():
                return await awaited()
            told(lambda: run(main()))
    kernel.fake_next(errno.EBUSY, 0)
    told(lambda: sensor.bus.blocking.core.smbus(0x20, True, 1, 2, b""))
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="its kernel is built with gcc")
def test_what_the_kernel_refuses(on_fake_buses: Callable[[str], str]) -> None:
    spi_cut_off = "EIO .*the transfer was cut off, or its controller fails .*'spi0.0'"
    i2c_cut_off = "EIO .*the transfer was cut off, or its adapter fails .*'i2c-1'"
    expected = [
        "EACCES .*add the user to group spi, .*'/dev/spidev0.1'",
        "ENOENT .*switch SPI on .*'/dev/spidev9.0'",
        "EACCES .*add the user to group i2c, .*'/dev/i2c-0'",
        "ENOENT .*switch I2C on .*'/dev/i2c-9'",
        "b'ZZZ'",
        "ETIMEDOUT .*the controller has not ended the transfer: 'spi0.0'",
        "EREMOTEIO .*'spi0.0'",
        "ENXIO .*'spi0.0'",
        "ENODEV .*it was unplugged; open it anew when it is back: 'spi0.0'",
        "EBUSY .*'spi0.0'",
        *[spi_cut_off] * 3,
        r"\[b'Z'\]",
        "ETIMEDOUT .*a device holds SCL low, or the pull-ups are missing: 'i2c-1'",
        "EREMOTEIO .*nothing answers at 0x20 of i2c-1: .*'i2c-1'",
        "ENXIO .*nothing answers at 0x20 of i2c-1: .*'i2c-1'",
        "ENODEV .*it was unplugged; open it anew when it is back: 'i2c-1'",
        "EBUSY .*a driver of the kernel has this address: 'i2c-1'",
        *[i2c_cut_off] * 3,
        "EBUSY .*a driver of the kernel has this address: 'i2c-1'",
    ]
    for line, pattern in zip(on_fake_buses(PROGRAM).splitlines(), expected, strict=True):
        assert re.fullmatch(pattern, line)


PACKAGE = """
import asyncio, ctypes, errno
from pyasync_hw import hardware, spi
from pyasync_hw.spi import Transfer

kernel = ctypes.CDLL(None)
board = hardware.KernelBackend()


async def main():
    async with spi.Device("spi0.0", via=VIA, board=board, mode=1) as device:
        print(device.mode, await device.transfer(b"abc"), len(await device.transfer(4096)))
        print(await device.message([Transfer(b"a", cs_change=True), b"bc"]), device.stats)
        kernel.fake_next(errno.ETIMEDOUT, 0)
        for transfer in device.transfer, device.blocking.transfer:
            try:
                answer = transfer(b"a")
                await answer
            except OSError as error:
                print(errno.errorcode[error.errno])
    try:
        spi.Device("spi0.1", via=VIA, board=board)
    except OSError as error:
        print(error)


asyncio.run(main())
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="its kernel is built with gcc")
def test_the_package_of_pypi_does_as_our_own_calls_do(on_fake_buses: Callable[[str], str]) -> None:
    """With the package as it is, where it is installed."""
    told = on_fake_buses(f"VIA = 'board'{PACKAGE}")
    assert told.count("ETIMEDOUT") == 2 and "add the user to group spi" in told
    if PathFinder.find_spec("spidev") is not None:
        assert on_fake_buses(f"VIA = 'spidev'{PACKAGE}") == told
