"""The pytest plugin: what it gives, and that it finds what a test leaves behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = """
import os
import re
import pyasync_hw
from pyasync_hw import gpio, hardware

left = []

def test_fine(hw_board):
    assert hardware.current() is hw_board
    with gpio.Input(17, bias="pull_up") as line:
        assert line.value == 1

def test_a_line_is_left(hw_board):
    left.append(gpio.Input(17))

def test_a_descriptor_is_left(hw_board):
    left.append(os.open("/dev/null", os.O_RDONLY))

def test_an_object_is_left(no_live_growth):
    left.append(pyasync_hw.CancelToken())

def test_a_failure_is_reported_once(hw_board):
    line = gpio.Input(17)
    assert line.value == 5
"""


def test_what_is_left_behind_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["pyasync_hw.testing.plugin"]\n')
    (tmp_path / "test_it.py").write_text(TESTS)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    out = result.stdout
    assert result.returncode == 1, out + result.stderr
    assert "1 failed, 4 passed" in out
    assert "3 errors" in out
    assert "test_a_line_is_left - AssertionError: the test left C objects alive" in out
    assert "test_a_descriptor_is_left - AssertionError: the test left descriptors open" in out
    assert "test_an_object_is_left - AssertionError: the test left C objects alive" in out
    assert "ERROR test_it.py::test_a_failure_is_reported_once" not in out


ENDLESS = """
import pyasync_hw, pytest
from pyasync_hw import rc522

@pytest.fixture
def hw_time_limit():
    return 90.0

def test_no_card_comes(hw_board):
    hw_board.attach_rc522()

    async def main():
        async with rc522.Reader() as reader:
            await reader.wait_for_tag()

    pyasync_hw.run(main(), clock=hw_board.clock)
"""


def test_a_test_that_waits_for_ever_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["pyasync_hw.testing.plugin"]\n')
    (tmp_path / "test_it.py").write_text(ENDLESS)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    out = result.stdout
    assert result.returncode == 1, out + result.stderr
    assert "TimeLimitError: nothing is due before the limit of the virtual clock, 90 s" in out
    assert re.search(r"task Task-\d+: .*test_it\.py:14, in main", out), out
