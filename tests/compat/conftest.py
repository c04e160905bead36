"""For the tests of other libraries' names: boards, a module as it is imported, programs."""

import asyncio
import concurrent.futures
import textwrap
import warnings

import pytest

import pyasync_hw
from pyasync_hw import hardware, sim
from pyasync_hw.compat import legacy as legacy_asyncio
from pyasync_hw.compat.pirc522 import RFID
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
def reader():
    """A simulated reader where pi-rc522 expects one."""
    with sim.Board() as board:
        yield board.attach_rc522("spi0.0", irq="BOARD18", reset="BOARD22")
    GPIO.release_all()


@pytest.fixture
def rfid(reader):
    with RFID() as rfid:
        yield rfid


@pytest.fixture
def program(tmp_path):
    def write(text, name="app.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


@pytest.fixture
def legacy():
    """asyncio's old names, warnings as errors, and a current loop closed at the end."""
    before = {name: getattr(asyncio, name) for name in ("Task", "Future", "sleep")}
    uninstall = legacy_asyncio.install(pyasync_hw.new_event_loop)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
            asyncio.get_event_loop().close()
    finally:
        uninstall()
    assert {name: getattr(asyncio, name) for name in before} == before
    assert not hasattr(asyncio, "run_in_executor")
    assert concurrent.futures.CancelledError is not asyncio.CancelledError
