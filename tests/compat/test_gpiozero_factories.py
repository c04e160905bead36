"""Programs that make a pin factory of gpiozero's themselves, whose library is not installed."""

from __future__ import annotations

import importlib.util

import pytest
from running import as_python_does, run

pytest.importorskip("gpiozero", reason="gpiozero is not installed")

PROGRAM = """\
from gpiozero import LED, Device
from gpiozero.pins.{library} import {factory}
Device.pin_factory = {factory}({arguments})
with LED(17) as led:
    led.on()
    print(led.value, led.pin.info.name, isinstance(Device.pin_factory, {factory}))
"""


def without(library: str) -> None:
    if importlib.util.find_spec(library) is not None:
        pytest.skip(f"{library} is installed")


@pytest.mark.parametrize(
    ("library", "factory", "arguments"),
    [
        ("pigpio", "PiGPIOFactory", ""),
        ("pigpio", "PiGPIOFactory", "host='localhost', port=8888"),
        ("lgpio", "LGPIOFactory", ""),
        ("lgpio", "LGPIOFactory", "chip=4"),
    ],
)
def test_a_factory_by_name(program, library, factory, arguments):
    without(library)
    path = program(PROGRAM.format(library=library, factory=factory, arguments=arguments))
    assert run(path) == (0, "1 GPIO17 True\n", "")


def test_another_hosts_pins_are_not_these(program):
    without("pigpio")
    path = program(
        PROGRAM.format(library="pigpio", factory="PiGPIOFactory", arguments="'192.0.2.1'")
    )
    status, _out, err = run(path)
    assert status == 1 and "OSError" in err and "pip install pigpio" in err


def test_without_run_they_are_gpiozeros(program):
    without("pigpio")
    path = program("from gpiozero.pins.pigpio import PiGPIOFactory\n")
    status, _out, err = as_python_does(path)
    assert status == 1 and "No module named 'pigpio'" in err
