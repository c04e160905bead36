"""Which hardware is chosen, and the errors of the kernel's devices where there are none.

The ioctls themselves need a kernel with GPIO and SPI devices (gpio-sim, spidev);
their structs and numbers are checked when csrc/dev/gpio_abi.h is compiled.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pyasync_hw import _core, hardware, sim
from pyasync_hw.hardware import KernelBackend, LineSettings, kernel


@pytest.fixture(autouse=True)
def no_default() -> None:
    before = hardware.set_default(None)
    yield
    hardware.set_default(before)


def test_the_innermost_board_is_current() -> None:
    with sim.Board(name="outer") as outer:
        assert hardware.current() is outer
        with sim.Board(name="inner") as inner:
            assert hardware.current() is inner
        assert hardware.current() is outer


def test_a_block_may_end_in_another_context() -> None:
    # As the two halves of an asynchronous pytest fixture do.
    board, other = sim.Board(name="ended"), sim.Board(name="default")
    hardware.set_default(other)

    async def enter() -> None:
        board.__enter__()
        assert hardware.current() is board

    async def main() -> None:
        entered = asyncio.create_task(enter())
        await entered
        assert hardware.current() is board  # nobody else's block is open
        board.__exit__(None, None, None)
        assert hardware.current() is other
        board.__exit__(None, None, None)

    asyncio.run(main())
    assert board.closed
    assert hardware.current() is other
    other.close()


def test_blocks_that_end_in_the_wrong_order() -> None:
    first, second = sim.Board(name="first"), sim.Board(name="second")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert hardware.current() is second
    hardware.set_default(last := sim.Board(name="default"))
    second.__exit__(None, None, None)
    assert hardware.current() is last
    last.close()


def test_tasks_and_threads_see_the_board() -> None:
    seen: list[object] = []

    async def main() -> None:
        await asyncio.gather(task(), asyncio.get_running_loop().run_in_executor(None, look))

    async def task() -> None:
        look()

    def look() -> None:
        seen.append(hardware.current())

    with sim.Board() as board:
        asyncio.run(main())
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert seen == [board, board, board]


def test_set_default() -> None:
    with sim.Board(name="default") as board:
        pass
    assert hardware.set_default(board) is None
    assert hardware.current() is board
    with sim.Board() as other:
        assert hardware.current() is other
    assert hardware.set_default(None) is board


def test_both_backends_have_the_protocol() -> None:
    with sim.Board() as board:
        for backend in (board, KernelBackend()):
            assert isinstance(backend, hardware.Backend)


def test_real_and_bad_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYASYNC_HW", "real")
    assert isinstance(hardware.current(), KernelBackend)
    hardware.set_default(None)
    monkeypatch.setenv("PYASYNC_HW", "fake")
    with pytest.raises(ValueError, match="sim, real or auto"):
        hardware.current()


def test_auto_on_a_raspberry_pi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"Raspberry Pi Zero W Rev 1.1\0")
    monkeypatch.setattr(kernel, "_MODEL_FILE", str(model))
    monkeypatch.setenv("PYASYNC_HW", "auto")
    assert hardware.is_raspberry_pi()
    assert isinstance(hardware.current(), KernelBackend)
    model.write_bytes(b"Some Other Board\0")
    assert not hardware.is_raspberry_pi()
    monkeypatch.setattr(kernel, "_MODEL_FILE", str(tmp_path / "missing"))
    assert not hardware.is_raspberry_pi()


PROGRAM = """
from pyasync_hw import gpio
with gpio.Input("GPIO17", bias="pull_up") as line:
    print(line.value)
"""


@pytest.mark.parametrize(("choice", "lines"), [("sim", 0), ("auto", 1), ("", 1)])
def test_elsewhere_a_board_is_simulated(choice: str, lines: int) -> None:
    if hardware.is_raspberry_pi():
        pytest.skip("this is a Raspberry Pi")
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYASYNC_HW": choice},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout == "1\n"
    assert result.stderr.count("\n") == lines
    assert ("simulated" in result.stderr) == (lines == 1)


# -- the kernel's devices, without any -------------------------------------------


def test_a_chip_that_is_not_there() -> None:
    backend = KernelBackend()
    settings = LineSettings(direction="input")
    with pytest.raises(FileNotFoundError, match="PYASYNC_HW=sim") as info:
        backend.request_lines({0: settings}, chip="/dev/gpiochip999")
    assert info.value.filename == "/dev/gpiochip999"
    with pytest.raises(FileNotFoundError, match="gpiodetect"):
        backend.request_lines({0: settings}, chip="no such label")
    with pytest.raises(FileNotFoundError, match="no such line"):
        _core.find_line("no such line")


@pytest.fixture(params=["file", "/dev/null"])
def no_device(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A path, as short as a device's, of what everybody may open."""
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    return str(request.param)


def test_a_file_that_is_no_chip(no_device: str) -> None:
    path = no_device
    with pytest.raises(OSError, match="no GPIO chip") as info:
        _core.chip_info(path)
    assert info.value.errno == errno.ENOTTY
    with pytest.raises(OSError, match="no GPIO chip"):
        _core.line_info(path, 0)
    with pytest.raises(OSError, match="no GPIO chip"):
        _core.find_line("GPIO17", path)


def test_a_file_that_is_no_spi_device(no_device: str) -> None:
    path = no_device
    with pytest.raises(OSError, match="no SPI device") as info:
        _core.open_spidev(path, "spi0.0", 1_000_000, 0)
    assert info.value.errno == errno.ENOTTY


def test_spi_that_is_switched_off() -> None:
    with pytest.raises(FileNotFoundError, match="dtparam=spi=on") as info:
        KernelBackend().open_spi(99, 0)
    assert info.value.filename == "/dev/spidev99.0"


def test_no_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may open everything")
    path = tmp_path / "gpiochip0"
    path.touch(mode=0)
    with pytest.raises(PermissionError, match="group gpio"):
        _core.chip_info(str(path))
    with pytest.raises(PermissionError, match="group spi"):
        _core.open_spidev(str(path), "spi0.0", 1_000_000, 0)


def test_bad_requests() -> None:
    settings = LineSettings(direction="input")
    with pytest.raises(ValueError, match="at least one"):
        KernelBackend().request_lines({}, chip="/dev/gpiochip999")
    with pytest.raises(ValueError, match="1 to 64 lines"):
        _core.request_lines("/dev/null", range(65), [settings] * 65, "test")
    with pytest.raises(ValueError, match="one LineSettings"):
        _core.request_lines("/dev/null", [1, 2], [settings], "test")
    with pytest.raises(AttributeError, match="direction"):
        _core.request_lines("/dev/null", [1], [object()], "test")  # type: ignore[list-item]
    with pytest.raises(ValueError, match="line must be 0 to 4294967295, not -1"):
        _core.request_lines("/dev/null", [-1], [settings], "test")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (LineSettings(edge_detection="both"), "edge_detection and debounce_period need"),
        (LineSettings(direction="output", debounce_period=0.1), "debounce_period need"),
        (LineSettings(bias="pull_up"), "bias needs"),
        (LineSettings(direction="input", drive="open_drain"), "drive needs"),
        (LineSettings(direction="input", debounce_period=5000), "4294"),
        (LineSettings(direction="in"), "direction must be one of: as_is, input, output"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_contradict_each_other(settings: LineSettings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _core.request_lines("/dev/null", [0], [settings], "test")
