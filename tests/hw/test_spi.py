"""spi.Device on the simulated board, and through the `spidev` package's interface."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import _core, sim, spi
from pyasync_hw.spi import Transfer

VERSION_REG = 0x37
READ_VERSION = bytes([VERSION_REG << 1 | 0x80, 0])  # MFRC522 datasheet, 8.1.2.1
A_MESSAGE = 100_000  # ns, of kernel and driver of a Pi Zero


@pytest.fixture
def device(hw_board: sim.Board) -> spi.Device:
    hw_board.attach_rc522("spi0.0", irq=None, reset=None)
    with spi.Device("spi0.0", speed_hz=1_000_000) as opened:
        yield opened


def test_a_transfer_reads_the_chips_version(device: spi.Device) -> None:
    assert device.blocking.transfer(READ_VERSION)[1] == 0x92
    assert device.stats == (1, 1)


def test_a_message_has_one_answer_per_transfer(device: spi.Device) -> None:
    answers = device.blocking.message(
        [Transfer(READ_VERSION, cs_change=True), bytearray(READ_VERSION)]
    )
    assert [answer[1] for answer in answers] == [0x92, 0x92]
    assert device.stats == (1, 2)


def test_without_cs_change_the_transfers_are_one_frame(device: spi.Device) -> None:
    # a frame is [address, address, ..., 0]: so the second transfer's first byte
    # answers the address that the first one ended with
    address = READ_VERSION[:1]
    assert device.blocking.message([address, address, b"\0"])[1:] == [b"\x92", b"\x92"]


def test_a_long_transfer_is_split_with_chip_select_held(device: spi.Device) -> None:
    address = READ_VERSION[:1]
    answer = device.blocking.transfer(address * 200 + b"\0")
    assert answer[1:] == b"\x92" * 200
    assert device.stats == (1, 4)  # 64 + 64 + 64 + 9 bytes


def test_a_message_takes_bits_over_speed_on_the_virtual_clock(
    hw_board: sim.Board, device: spi.Device
) -> None:
    assert hw_board.clock is not None
    before = hw_board.clock.time_ns()
    device.blocking.transfer(READ_VERSION)
    assert hw_board.clock.time_ns() - before == A_MESSAGE + 16_000
    device.blocking.message([Transfer(READ_VERSION, cs_change=True), READ_VERSION])
    assert hw_board.clock.time_ns() - before == 2 * A_MESSAGE + 16_000 + 42_000


@pytest.mark.parametrize(
    ("transfers", "message"),
    [
        ([], "at least one"),
        ([b""], "empty"),
        ([b"a"] * 512, "511"),
        ([bytes(64 * 512)], "511"),
        ([Transfer(b"a", cs_change=True)], "last transfer"),
    ],
)
def test_bad_messages(device: spi.Device, transfers: list[bytes], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        device.blocking.message(transfers)
    assert device.stats == (0, 0)


def test_bad_types(device: spi.Device) -> None:
    with pytest.raises(TypeError):
        device.blocking.transfer([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        device.blocking.transfer((b"a", 5))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        device.blocking.message(5)  # type: ignore[arg-type]


def test_settings(device: spi.Device) -> None:
    assert (device.speed_hz, device.mode) == (1_000_000, 0)
    device.speed_hz = 500_000
    assert device.speed_hz == 500_000
    with pytest.raises(ValueError, match="speed_hz must be 1 to"):
        device.speed_hz = 0
    with pytest.raises(ValueError, match="speed_hz"):
        spi.Device("spi0.1", speed_hz=0)
    with pytest.raises(ValueError, match="not an SPI device"):
        spi.Device("spi0")
    with pytest.raises(ValueError, match="via"):
        spi.Device("spi0.1", via="ioctl")  # type: ignore[arg-type]


def test_close_is_idempotent_and_the_counters_stay(device: spi.Device) -> None:
    device.blocking.transfer(READ_VERSION)
    device.close()
    device.close()
    assert device.closed
    assert device.stats == (1, 1)
    with pytest.raises(ValueError, match="closed"):
        device.blocking.transfer(READ_VERSION)
    with pytest.raises(ValueError, match="closed"):
        _ = device.speed_hz


def test_a_device_opened_on_a_loop_is_in_its_time(hw_board: sim.Board) -> None:
    clock = pyasync_hw.VirtualClock()

    async def main() -> None:
        with spi.Device("spi0.0", speed_hz=1_000_000) as device:
            before = clock.time_ns()
            device.blocking.transfer(bytes(2))
            assert clock.time_ns() - before == A_MESSAGE + 16_000

    pyasync_hw.run(main(), clock=clock)


def test_a_forgotten_device_warns(hw_board: sim.Board) -> None:
    with pytest.warns(ResourceWarning, match=r"spi0\.0"):
        spi.Device("spi0.0")


# -- the spidev package ---------------------------------------------------------

PACKAGE = '''
"""Stands for the `spidev` package: what SpiDev.xfer2() was called with."""

calls = []
made = []


class SpiDev:
    def open(self, bus, device):
        calls.append(("open", bus, device))
        made.append(self)
        if bus == 7:
            raise FileNotFoundError(2, "No such file or directory")

    def xfer2(self, data, speed_hz, delay_usec, bits_per_word):
        calls.append((list(data), speed_hz, delay_usec, bits_per_word))
        return [byte ^ 0xFF for byte in data]

    def close(self):
        calls.append(("close",))
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "spidev.py").write_text(
        PACKAGE + "\nimport sys\nsys.spidev_calls = calls\nsys.spidev_made = made\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "spidev_calls", [], raising=False)
    monkeypatch.setattr(sys, "spidev_made", [], raising=False)
    # the name is taken by something else, as by our own compat module
    monkeypatch.setitem(sys.modules, "spidev", sys)
    return tmp_path


def test_messages_by_the_package(package: Path) -> None:
    with spi.Device("spi1.2", speed_hz=250_000, via="spidev") as device:
        calls = sys.spidev_calls  # type: ignore[attr-defined]
        assert calls.pop(0) == ("open", 1, 2)
        assert device.blocking.transfer(b"\x01\x02") == b"\xfe\xfd"
        assert calls.pop(0) == ([1, 2], 250_000, 0, 8)
        answers = device.blocking.message([b"\x01", Transfer(b"\x02", 1000, 5, True), b"\x03\x04"])
        assert answers == [b"\xfe", b"\xfd", b"\xfc\xfb"]
        assert calls == [([1, 2], 1000, 5, 8), ([3, 4], 250_000, 0, 8)]
        assert device.stats == (2, 4)
    assert calls[-1] == ("close",)


def test_settings_by_the_package(package: Path) -> None:
    with spi.Device("spi1.2", mode=3, cs_high=True, bits_per_word=9, via="spidev") as device:
        made = sys.spidev_made[-1]  # type: ignore[attr-defined]
        assert (made.mode, made.cshigh, made.max_speed_hz) == (3, True, 4_000_000)
        assert not hasattr(made, "lsbfirst")
        device.speed_hz = 1000
        device.blocking.transfer(b"ab")
        assert sys.spidev_calls[-1] == ([97, 98], 1000, 0, 9)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="0x80"):
        spi.Device("spi1.2", ready=True, via="spidev")


def test_the_package_by_environment(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYASYNC_HW_SPI", "spidev")
    with spi.Device("spi0.1") as device:
        assert device.blocking.transfer(b"\x00") == b"\xff"
    monkeypatch.setenv("PYASYNC_HW_SPI", "ioctl")
    with pytest.raises(ValueError, match="PYASYNC_HW_SPI"):
        spi.Device("spi0.1")


def test_the_package_is_refused_on_a_virtual_clock(package: Path) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="virtual clock"):
            spi.Device("spi0.0", via="spidev")

    pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock())
    assert sys.spidev_calls[-1] == ("close",)  # type: ignore[attr-defined]


def test_the_packages_error_gets_a_remedy(package: Path) -> None:
    with pytest.raises(FileNotFoundError, match="dtparam=spi=on") as info:
        spi.Device("spi7.0", via="spidev")
    assert info.value.filename == "/dev/spidev7.0"
    assert sys.spidev_calls[-1] == ("close",)  # type: ignore[attr-defined]


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        spi.Device("spi0.0", via="spidev")


class Bus:
    """A bus in Python, as _core.adapt_spi() takes it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def transfer(self, transfers: object) -> object:
        if isinstance(self.answer, type):
            raise self.answer(errno.EIO, "wire cut")
        return self.answer


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (OSError, OSError),
        (ZeroDivisionError, ZeroDivisionError),
        (None, TypeError),
        ([], TypeError),
        ([b"toolong"], TypeError),
        (["x"], TypeError),
    ],
)
def test_an_adapters_errors_reach_the_caller(answer: object, error: type[Exception]) -> None:
    device = _core.adapt_spi(Bus(answer), "spi9.9", 1000, 0)
    with pytest.raises(error):
        device.transfer(b"a")
    device.close()


def test_a_count_that_has_a_buffer_is_a_count(hw_board: sim.Board) -> None:
    """As numpy's numbers have; where Python lets a class have one (3.12)."""

    class Count:
        def __index__(self) -> int:
            return 3

        def __buffer__(self, flags: int) -> memoryview:
            return memoryview(b"12345678")

    count: Any = Count()
    with spi.Device("spi0.0") as device:
        assert len(device.blocking.transfer(count)) == 3
        assert [len(part) for part in device.blocking.message([count, b"ab"])] == [3, 2]
