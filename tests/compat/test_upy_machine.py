"""MicroPython's machine, pyb and their neighbours, by the names that programs import."""

import sys

import pytest

from pyasync_hw import hardware, sim
from pyasync_hw.compat import upy
from pyasync_hw.compat.service import service


@pytest.fixture
def board():
    """A simulated board that every thread sees, and MicroPython's import names."""
    uninstall = upy.install()
    with sim.Board() as board:
        before = hardware.set_default(board)
        yield board
        from pyasync_hw.compat.upy import pins

        pins.release_all()
        service.stop()
        hardware.set_default(before)
        uninstall()


def test_a_pin_is_driven_and_read(board):
    from machine import Pin

    led = Pin(2, Pin.OUT)
    assert (led.value(), led()) == (0, 0)
    for act, level in ((led.on, 1), (led.off, 0), (led.toggle, 1), (lambda: led(0), 0)):
        act()
        assert board.line(2).value == led.value() == level
    assert Pin(2).value(1) is None
    assert board.line(2).value == 1
    assert Pin(2, Pin.OUT, value=0) == led
    assert board.line(2).value == 0
    button = Pin("X1", Pin.IN, Pin.PULL_UP)
    assert (button.value(), button.mode(), button.pull()) == (1, Pin.IN, Pin.PULL_UP)
    board.line(17).drive(0)
    assert button.value() == 0


def test_a_bus_is_that_of_the_board_whatever_the_pins(board):
    from machine import I2C, Pin

    board.attach(sim.BMP180(celsius=12.5))
    for bus in (I2C(scl=Pin(5), sda=Pin(4), freq=100000), I2C(0), I2C(-1, Pin("X9"), Pin("X10"))):
        assert 0x77 in bus.scan()
        assert bus.readfrom_mem(0x77, 0xD0, 1) == b"\x55"
        bus.deinit()


def test_a_pyboard_without_a_file(board):
    import pyb

    assert [pyb.LED(n).on() for n in range(1, 5)] == [None] * 4
    assert [board.line(gpio).value for gpio in (5, 6, 13, 26)] == [1] * 4
    accel = pyb.Accel()
    assert (accel.x(), accel.y(), accel.z()) == (0, 0, 21)
    board.part("accelerometer").set(-1, 0.5, 0)
    assert (accel.x(), accel.y(), accel.z()) == (-21, 11, 0)
    del accel
    assert "pyb" in sys.modules
