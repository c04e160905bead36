"""For the tests of RPi.GPIO's names, a board and a module as it is imported; programs for `run`."""

import textwrap

import pytest

from pyasync_hw import hardware, sim
from pyasync_hw.compat.RPi import GPIO
from pyasync_hw.compat.service import service


@pytest.fixture
def gpio_board(monkeypatch):
    """A board that every thread sees; RPi.GPIO knows nothing yet, and keeps nothing."""
    monkeypatch.setattr(GPIO, "_state", GPIO._State())
    with sim.Board() as board:
        before = hardware.set_default(board)
        GPIO.setwarnings(False)
        yield board
        GPIO.release_all()
        service.stop()
        hardware.set_default(before)


@pytest.fixture
def program(tmp_path):
    def write(text, name="app.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write
