"""Tests marked `hw`: what they run on, and what a skip says."""

from __future__ import annotations

import errno
import re
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest
from running_pytest import run_pytest

from pyasync_hw import gpio, sim
from pyasync_hw.testing import gpio_sim
from pyasync_hw.testing.gpio_sim import GpioSim, Missing
from pyasync_hw.testing.hardware import GpioSimWire

TESTS = """
import pytest
from pyasync_hw import gpio, hardware, sim

def test_not_marked(hw_board, hw_gpio):
    assert isinstance(hw_board, sim.Board) and hw_board.model == "pi-zero-w"
    assert hw_gpio.a == "GPIO5"

@pytest.mark.hw
def test_nothing_named(hw_board):
    print(f"<{hardware.current().name}>")

@pytest.mark.hw("gpio")
def test_gpio(hw_gpio):
    print(f"<{hw_gpio.a} to {hw_gpio.b}>")

@pytest.mark.hw("gpio", "spi")
def test_spi(hw_spi):
    print(f"<{hw_spi}>")

@pytest.mark.hw("i2c")
def test_i2c(hw_i2c):
    print(f"<{hw_i2c[0]} {hw_i2c[1]:#x}>")

@pytest.mark.hw("reader")
def test_reader(hw_reader):
    print(f"<{hw_reader.name}>")

@pytest.mark.hw("card")
def test_card(hw_card):
    print(f"<{hw_card.hex()}>")
"""

BOARD = """
model = "pi-5"
[[rc522]]
name = "door"
bus = "spi0.0"
irq = "GPIO24"
[hw]
loopback = ["GPIO17", "BOARD13"]
spi_loop = "spi1.1"
card = "04112233445566"
i2c = ["i2c-1", 0x77]
[[part]]
kind = "bmp180"
"""


def test_on_the_simulator_nothing_is_missing(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, TESTS, "--hw", "sim", "-rP")
    assert "7 passed" in result.stdout, result.stdout + result.stderr
    for text in (
        "<hw_board>",
        "<GPIO5 to GPIO6>",
        "<spi0.1>",
        "<i2c-1 0x50>",
        "<hw_reader>",
        "<a61d227e>",
    ):
        assert text in result.stdout


def test_a_board_file_says_what_is_where(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text(BOARD.replace("04112233445566", "04112233"))
    result = run_pytest(tmp_path, TESTS, "--hw=sim", "--board=board.toml", "-rP")
    assert "7 passed" in result.stdout, result.stdout + result.stderr
    for text in ("<GPIO17 to BOARD13>", "<spi1.1>", "<i2c-1 0x77>", "<door>", "<04112233>"):
        assert text in result.stdout


def test_what_real_hardware_lacks_is_the_reason_of_a_skip(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, TESTS, "--hw", "real", "-rsP")
    out = result.stdout
    assert "2 passed, 5 skipped" in out, out + result.stderr
    assert "<real hardware>" in out
    assert "hw gpio: connect two pins of the header that nothing else is on, and say so" in out
    assert 'a board.toml (--board FILE): loopback = ["GPIO5", "GPIO6"]' in out
    assert "hw i2c: connect an I2C device that may be read and written, and say so" in out
    assert "hw reader: no RC522: wire one, and say so in a table [[rc522]] of" in out


def test_a_device_that_is_not_there_is_told_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text(
        '[hw]\nspi_loop = "spi250.1"\n[[rc522]]\nbus = "spi250.0"\nirq = 24'
    )
    tests = TESTS.replace('"gpio", "spi"', '"spi"')
    result = run_pytest(tmp_path, tests, "--hw=real", "--board=board.toml", "-rs")
    out = result.stdout
    assert "/dev/spidev250.1" in out and "/dev/spidev250.0" in out, out + result.stderr
    assert "connect two pins of the header" in out and "of board.toml: loopback" in out


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('loopback = ["GPIO5"]', "board.toml:2: hw.loopback: must be two pins"),
        ('loopback = [5, "GPIO5"]', "board.toml:2: hw.loopback: must be two pins"),
        ('loopback = ["GPIO5", "GPIO77"]', "board.toml:2: hw.loopback: 'GPIO77' is not on the"),
        ('spi_loop = "spi"', "board.toml:2: hw.spi_loop: 'spi' is not an SPI device"),
        ('i2c = ["i2c-1"]', "board.toml:2: hw.i2c: must be a bus and an address"),
        ('i2c = ["spi", 80]', "board.toml:2: hw.i2c: 'spi' is not an I2C bus"),
        ('card = "a61d"', "board.toml:2: hw.card: must be a UID of 4, 7 or 10 bytes"),
        ('cart = "a61d"', "board.toml:2: hw.cart: unknown key (did you mean 'card'?)"),
    ],
)
def test_a_wrong_board_file_is_an_error(tmp_path: Path, table: str, problem: str) -> None:
    (tmp_path / "board.toml").write_text(f"[hw]\n{table}\n")
    result = run_pytest(tmp_path, TESTS, "--board", "board.toml")
    assert result.returncode != 0
    assert problem in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [('"gpoi"', "'gpoi'"), ("gpio=True", "gpio=")],
)
def test_a_wrong_mark_is_said_once_before_any_test(
    tmp_path: Path, arguments: str, wrong: str
) -> None:
    tests = (
        f"import pytest\ndef test_one(): pass\n@pytest.mark.hw({arguments})\ndef test_it(): pass\n"
    )
    result = run_pytest(tmp_path, tests)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    problem = f"test_it.py::test_it: hw() knows gpio, spi, i2c, reader, card; not {wrong}"
    assert result.stderr.count(problem) == 1, result.stdout + result.stderr


def test_a_wrong_pyasync_hw_matters_to_marked_tests_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYASYNC_HW", "emu")
    tests = "import pytest\ndef test_one(hw_board): assert hw_board.parts == []\n"
    assert "1 passed" in run_pytest(tmp_path, tests, keep=("PYASYNC_HW",)).stdout
    result = run_pytest(tmp_path, tests + "pytestmark = pytest.mark.hw\n", keep=("PYASYNC_HW",))
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "PYASYNC_HW must be auto, sim, real, kernel, not 'emu'" in result.stderr


def test_a_fixture_skips_where_the_mark_does_not_name_it(tmp_path: Path) -> None:
    tests = """
import pytest, unittest
from pyasync_hw import hardware

pytestmark = pytest.mark.hw

@pytest.mark.parametrize("name", ["hw_gpio", "hw_spi", "hw_i2c", "hw_reader", "hw_card"])
def test_it(request, name):
    request.getfixturevalue(name)

@pytest.mark.hw("gpio")
class TestMore(unittest.TestCase):
    def test_more(self):
        self.fail("it is not run")

@pytest.mark.usefixtures("hw_board")
class TestBoard(unittest.TestCase):
    def test_board(self):
        assert hardware.current().name == "real hardware"
"""
    out = run_pytest(tmp_path, tests, "--hw=real", "-rs").stdout
    assert "1 passed, 6 skipped" in out, out
    for feature in ("gpio", "spi", "i2c", "reader"):
        assert f"hw {feature}: " in out


def test_a_chip_that_is_left_open_is_named(tmp_path: Path) -> None:
    tests = """
from pyasync_hw import gpio, i2c, spi
kept = []
def test_it(hw_board):
    kept.extend([gpio.Chip("gpiochip0"), gpio.Input(17), spi.Device("spi0.1"), i2c.Bus(1)])
"""
    out = run_pytest(tmp_path, tests).stdout
    assert "the test left open: GPIO17 (" in out, out
    for name in ("gpio.Chip ", "SPI device spi0.1", "I2C bus i2c-1"):
        assert name in out


def test_parts_that_are_where_tests_look_first(tmp_path: Path) -> None:
    """The simulator finds other places for what the file does not name."""
    (tmp_path / "board.toml").write_text(
        "".join(
            f'[[part]]\nkind = "{kind}"\n{values}\n'
            for kind, values in {
                "wire": "one = 5\nother = 6",
                "led": "pin = 24",
                "mcp3008": 'spi = "spi0.0"',
                "mcp3002": 'spi = "spi0.1"',
                "adxl345": "address = 0x50",
            }.items()
        )
    )
    result = run_pytest(tmp_path, TESTS, "--hw=sim", "--board=board.toml", "-rP")
    assert "7 passed" in result.stdout, result.stdout + result.stderr
    assert "<GPIO0 to GPIO1>" in result.stdout and "<spi1.0>" in result.stdout


def test_the_plugin_has_an_entry_point() -> None:
    """Of its module's name, so that a conftest.py that names it does not load it twice."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    name = "pyasync_hw.testing.plugin"
    assert project["entry-points"]["pytest11"] == {name: name}


class FakeKernel:
    """A folder that does what configfs and gpio-sim do."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.configfs, self.devices = root / "gpio-sim", root / "platform"
        monkeypatch.setattr(gpio_sim, "CONFIGFS", self.configfs)
        monkeypatch.setattr(gpio_sim, "DEVICES", self.devices)
        self.lines = self.devices / "gpio-sim.0" / "gpiochip7"
        for line in range(2):
            (self.lines / f"sim_gpio{line}").mkdir(parents=True)
        real_mkdir, real_rmdir = Path.mkdir, Path.rmdir

        def mkdir(path: Path, *args: int) -> None:
            real_mkdir(path, *args)
            files = {"bank0": ("num_lines", "label", "chip_name")}
            for name in files.get(path.name, ("live", "dev_name")):
                (path / name).write_text({"chip_name": "gpiochip7"}.get(name, "gpio-sim.0\n"))

        def rmdir(path: Path) -> None:
            for file in path.iterdir():
                if file.name == "live":
                    self.was_live = file.read_text()
                file.unlink()
            real_rmdir(path)

        real_mkdir(self.configfs)
        monkeypatch.setattr(Path, "mkdir", mkdir)
        monkeypatch.setattr(Path, "rmdir", rmdir)


def test_gpio_sim_is_made_and_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = FakeKernel(tmp_path, monkeypatch)
    chip = GpioSim(num_lines=2)
    (folder,) = kernel.configfs.iterdir()
    assert (folder / "live").read_text() == "1"
    assert (folder / "bank0" / "num_lines").read_text() == "2"
    assert chip.path == "/dev/gpiochip7"
    chip.pull(1, 1)
    assert (kernel.lines / "sim_gpio1" / "pull").read_text() == "pull-up"
    chip.pull(1, 0)
    assert (kernel.lines / "sim_gpio1" / "pull").read_text() == "pull-down"
    chip.close()
    assert list(kernel.configfs.iterdir()) == []
    assert kernel.was_live == "0"


def test_what_a_killed_process_left_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = FakeKernel(tmp_path, monkeypatch)
    GpioSim(num_lines=2)
    chip = GpioSim(num_lines=2)
    assert kernel.was_live == "0"
    chip.close()
    assert list(kernel.configfs.iterdir()) == []


@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS])
def test_a_folder_that_is_not_ours_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def mkdir(path: Path) -> None:
        raise OSError(error, "no", str(path))

    FakeKernel(tmp_path, monkeypatch)
    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(Missing, match="gpio-sim needs root"):
        GpioSim(2)


def test_without_gpio_sim_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpio_sim, "CONFIGFS", tmp_path / "none")
    with pytest.raises(Missing, match=r"modprobe gpio-sim .* mount -t configfs"):
        GpioSim(2)


def test_on_gpio_sim_an_output_pulls_the_other_line(hw_board: sim.Board) -> None:
    class Chip:
        path = hw_board.chip_label  # the simulator's chip stands for the kernel's
        pulls: ClassVar[list[tuple[int, int]]] = []

        def pull(self, line: int, level: int) -> None:
            self.pulls.append((line, level))

    wire = GpioSimWire(Chip())  # type: ignore[arg-type]
    with wire.output(active_low=True, value=1) as out:
        out.toggle()
        out.on()
        assert isinstance(out, gpio.Output)
    assert Chip.pulls == [(1, 0), (1, 1), (1, 0)]


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    result = run_pytest(tmp_path, "\n".join(examples), "--hw=sim")
    assert "3 passed" in result.stdout, result.stdout + result.stderr
    (tmp_path / "board.toml").write_text("".join(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)))
    result = run_pytest(tmp_path, "\n".join(examples), "--hw=sim", "--board=board.toml")
    assert "3 passed" in result.stdout, result.stdout + result.stderr
