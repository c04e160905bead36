"""The fixtures with other pytest plugins, where those are installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from running_pytest import run_pytest

TESTS = """
import pytest, pyasync_hw
from pyasync_hw import gpio

@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": pyasync_hw.new_event_loop}

async def wait_for_it(board):
    with gpio.Input("GPIO17", bias="pull_up") as line:
        board.line("GPIO17").drive(0, at=0.01)
        assert (await line.wait_for_edge()).event_type == "falling"

async def carry(wire):
    with wire.output() as out, wire.input() as into:
        out.on()
        assert (await into.wait_for_edge()).event_type == "rising"

@pytest.mark.MARK
async def test_a_line(hw_board):
    await wait_for_it(hw_board)

@pytest.mark.MARK
@pytest.mark.hw("gpio")
@pytest.mark.parametrize("number", range(2))
class TestWire:
    async def test_it(self, hw_gpio, number):
        await carry(hw_gpio)
"""


@pytest.mark.parametrize("mark", ["asyncio", "anyio"])
def test_asynchronous_tests(tmp_path: Path, mark: str) -> None:
    pytest.importorskip({"asyncio": "pytest_asyncio"}.get(mark, mark))
    result = run_pytest(tmp_path, TESTS.replace("MARK", mark), "--hw=sim")
    assert "3 passed" in result.stdout, result.stdout + result.stderr


def test_xdist(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    tests = """
import pytest
@pytest.mark.hw("gpio")
@pytest.mark.parametrize("number", range(4))
def test_it(hw_gpio, number):
    with hw_gpio.output() as out, hw_gpio.input() as into:
        out.on()
        assert into.value == 1
"""
    result = run_pytest(tmp_path, tests, "--hw=sim", "-n2")
    assert "4 passed" in result.stdout, result.stdout + result.stderr
    wrong = run_pytest(tmp_path, tests.replace('"gpio"', '"gpoi"'), "--hw=sim", "-n2", "-rE")
    assert "4 errors" in wrong.stdout and "INTERNALERROR" not in wrong.stdout, wrong.stdout
    assert "not 'gpoi'" in wrong.stdout
