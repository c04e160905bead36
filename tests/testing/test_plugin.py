"""The pytest plugin: what it gives, and that it finds what a test leaves behind."""

from __future__ import annotations

import re
from pathlib import Path

from running_pytest import run_pytest

TESTS = """
import os
import re
import pytest
import pyasync_hw
from pyasync_hw import gpio, hardware, rc522, spi

left = []

def test_fine(hw_board):
    assert hardware.current() is hw_board
    with gpio.Input(17, bias="pull_up") as line:
        assert line.value == 1

def test_a_line_is_left(hw_board):
    left.append(gpio.Input(17, consumer="door bell"))

def test_a_reader_is_left(hw_board):
    left.append(rc522.Reader(irq="GPIO24", reset=None))

def test_a_wave_is_left(hw_board):
    left.append(gpio.PWM(17, 100))

def test_what_another_test_left_is_not_mine(hw_board):
    with gpio.Output(18), spi.Device("spi0.1"):
        pass

def test_a_closed_device_may_be_kept(hw_board):
    with gpio.Input(17, bias="pull_up") as line:
        left.append(line)

def test_a_dropped_device_is_closed(hw_board):
    gpio.Input(17)

@pytest.mark.hw_leaks("descriptors")
def test_a_descriptor_is_left(hw_board):
    left.append(os.open("/dev/null", os.O_RDONLY))

@pytest.mark.hw_leaks("all")
def test_a_loop_is_left(hw_board):
    left.append(pyasync_hw.new_event_loop())

def test_an_object_is_left(no_live_growth):
    left.append(pyasync_hw.CancelToken())

def test_a_failure_is_reported_once(hw_board):
    line = gpio.Input(17)
    assert line.value == 5
"""


def test_what_is_left_behind_is_an_error(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, TESTS)
    out = result.stdout
    assert result.returncode == 1, out + result.stderr
    assert "1 failed, 10 passed" in out
    assert "6 errors" in out
    assert (
        'test_a_line_is_left - Failed: the test left open: GPIO17 ("door bell"); close() it' in out
    )
    assert "test_a_reader_is_left - Failed: the test left open: GPIO24 (" in out
    assert "), SPI device spi0.0; close() it" in out
    assert "test_a_wave_is_left - Failed: the test left open: a gpio.PWM; close() it" in out
    assert "test_a_descriptor_is_left - AssertionError: the test left descriptors open" in out
    assert "test_a_loop_is_left - AssertionError: the test left C objects alive: {'Loop': 1" in out
    assert "test_an_object_is_left - AssertionError: the test left C objects alive" in out
    assert "ERROR test_it.py::test_a_failure_is_reported_once" not in out


NOTHING_WRONG = """
import asyncio
import logging
import threading
import pytest
import pyasync_hw
from pyasync_hw import gpio

kept = []

@pytest.fixture(scope="session")
def runner():
    with asyncio.Runner(loop_factory=pyasync_hw.new_event_loop) as runner:
        yield runner

async def use_pool():
    kept.append(pyasync_hw.CancelToken())
    await asyncio.to_thread(threading.get_ident)

def test_a_loop_of_the_session(hw_board, runner):
    runner.run(use_pool())

def test_a_loop_made_lazily(hw_board, request):
    kept.append(pyasync_hw.new_event_loop())
    kept[-1].run_until_complete(use_pool())

def test_a_log_file(hw_board, tmp_path_factory):
    handler = logging.FileHandler(tmp_path_factory.mktemp("log") / "log")
    logging.getLogger().addHandler(handler)
    logging.getLogger().warning("hello")

def test_a_thread_that_is_late(hw_board):
    line, ended = gpio.Input(17, bias="pull_up"), threading.Event()
    def work():
        ended.wait()
        line.close()
    thread = threading.Thread(target=work)
    kept.append(thread)
    thread.start()
    ended.set()
"""


def test_a_test_that_did_nothing_wrong_passes(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, NOTHING_WRONG)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 passed" in result.stdout


def test_what_is_looked_for_is_an_option_of_all_tests_too(tmp_path: Path) -> None:
    strict = run_pytest(tmp_path, NOTHING_WRONG, "-o", "hw_leaks=all")
    assert strict.returncode == 1, strict.stdout + strict.stderr
    assert "test_a_loop_made_lazily - AssertionError: the test left C objects" in strict.stdout
    wrong = run_pytest(tmp_path, NOTHING_WRONG, "-o", "hw_leaks=some")
    assert wrong.returncode != 0
    assert "hw_leaks must be one of devices, descriptors, all, not 'some'" in (
        wrong.stdout + wrong.stderr
    )


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
    result = run_pytest(tmp_path, ENDLESS)
    out = result.stdout
    assert result.returncode == 1, out + result.stderr
    assert "TimeLimitError: nothing is due before the limit of the virtual clock, 90 s" in out
    assert re.search(r"task Task-\d+: .*test_it\.py:14, in main", out), out
