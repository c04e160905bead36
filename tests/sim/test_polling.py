"""A program that polls a line, in real time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from pyasync_hw import gpio, sim

REAL_TIMEOUT = 10.0  # s: never reached, but by a defect

# As the echo of an ultrasonic sensor is measured; in a process of its own, whose
# collector has so little to look at that it takes no pulse's time.
MEASURE = """
import time
from pyasync_hw import gpio, sim
with sim.Board() as board:
    echo = board.line("GPIO24")
    for number in range(20):
        echo.drive(1, at=0.01 * number + 0.01)
        echo.drive(0, at=0.01 * number + 0.011)
    end = time.monotonic() + 10
    with gpio.Input("GPIO24") as line:
        seen = 0
        while seen < 20 and time.monotonic() < end:
            while not line.value and time.monotonic() < end:
                pass
            while line.value:
                pass
            seen += time.monotonic() < end
print(seen)
"""

# As a rotary encoder is read: two lines in turn, of which the order tells the direction.
ROTATE = """
import time
from pyasync_hw import gpio, sim
STEPS = 40
end = time.monotonic() + 50

def rotate(board):
    begin = board.time()
    with gpio.Input("GPIO17") as clock, gpio.Input("GPIO18") as data:
        if board.time() - begin > 0.0005:  # each counts from its own request
            return None
        for step in range(STEPS):
            board.line("GPIO17").drive((step + 1) % 2, at=0.02 + 0.004 * step)
            board.line("GPIO18").drive((step + 1) % 2, at=0.022 + 0.004 * step)
        position = steps = last = 0
        while steps < STEPS and time.monotonic() < end:
            level, other = clock.value, data.value
            if level != last:
                position += 1 if other != level else -1
                steps += 1
                last = level
        return position

position = None
while position is None and time.monotonic() < end:
    with sim.Board() as board:
        position = rotate(board)
print(position)
"""


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """Beside a process for each CPU that never rests."""
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(2)]
    yield
    for other in others:
        other.kill()
        other.wait()


def test_pulses_of_a_millisecond_are_seen(busy_machine: None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("20\n", "")


def test_lines_that_are_polled_in_turn_change_in_their_order(busy_machine: None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROTATE], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("40\n", "")


def test_who_slept_sees_the_line_as_it_is() -> None:
    with sim.Board() as board, gpio.Input("GPIO24") as line, gpio.Input("GPIO23") as bell:
        assert line.value == 0
        board.line("GPIO24").drive(1, at=0.01)
        board.line("GPIO24").drive(0, at=0.02)
        board.line("GPIO23").drive(1, at=0.03)
        bell.blocking.wait_for_edge("rising", timeout=REAL_TIMEOUT)
        assert line.value == 0


def test_who_drives_a_line_sees_what_it_does() -> None:
    with sim.Board() as board, gpio.Input("GPIO24") as line:
        for _ in range(100):
            assert line.value == 0
            board.line("GPIO24").drive(1)
            board.line("GPIO24").drive(0)
        assert line.value == 0
