"""Errors that a stranger meets say what to do."""

import importlib
import sys

import pytest
from running import as_python_does, run

from pyasync_hw import sim
from pyasync_hw.compat import hints, missing_modules
from pyasync_hw.compat.spidev import SpiDev

NAMES = {
    "mfrc522": "BasicMFRC522, MFRC522, SimpleMFRC522",
    "RPi": "GPIO",
    "RPi.GPIO": "BCM, BOARD, BOTH, FALLING",
    "pirc522": "RFID, RFIDUtil",
    "pirc522.rfid": "RFID",
    "smbus2": "I2cFunc, SMBus, SMBusWrapper, i2c_msg",
    "spidev": "SpiDev",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_name_says_which_there_are(name):
    module = importlib.import_module(f"pyasync_hw.compat.{name}")
    with pytest.raises(AttributeError) as caught:
        _ = module.foo
    text = f"module {name!r} has no attribute 'foo'; in pyasync_hw it has {NAMES[name]}"
    assert str(caught.value).startswith(text)
    assert (caught.value.name, caught.value.obj) == ("foo", module)
    assert not hasattr(module, "foo") and not hasattr(module, "__wrapped__")
    assert getattr(module, "foo", None) is None


def last_lines(text, *options):
    status, out, err = run(*options, "-c", text)
    assert (status, out) == (1, "")
    return err.splitlines()[-2:]


def test_a_misspelt_name_in_a_program():
    _, error = last_lines("import RPi.GPIO as GPIO; GPIO.clean_up()")
    assert "has no attribute 'clean_up'; in pyasync_hw it has BCM, BOARD" in error
    assert "cleanup" in error.rpartition("Did you mean")[2]  # 3.15 words it differently
    error, note = last_lines("from pirc522 import MFRC522")
    assert error.startswith("ImportError: cannot import name 'MFRC522'")
    assert note == "In pyasync_hw it has RFID, RFIDUtil."


# None of them is installed: their names are looked up only by who has them.
@pytest.mark.parametrize("module", ["wiringpi", "Adafruit_BBIO", "RPi.bme280"])
def test_a_missing_module_says_what_helps(module):
    error, note = last_lines(f"import {module}")
    assert error == f"ModuleNotFoundError: No module named {module!r}"
    assert note.startswith((f"{module}: ", "In pyasync_hw RPi has GPIO."))


@pytest.mark.parametrize("module", ["pigpio", "MFRC522", "gpiozero", "lgpio"])
def test_so_do_those_that_may_be_installed(module):
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    hints.add_hint(error)
    (note,) = error.__notes__
    assert note.startswith(module.partition(".")[0])
    assert "{" not in note
    if module in ("gpiozero", "lgpio"):
        assert f"{sys.executable} -m pip install" in note


def test_a_module_that_an_option_leaves_out():
    missing = "import sys; sys.modules['pirc522'] = None; import pirc522"
    error, note = last_lines(missing, "--shims=spidev")
    assert error.startswith("ModuleNotFoundError") and note.startswith("pirc522: ")


def test_other_errors_are_as_python_tells_them(program):
    for text in (
        "import nothing_at_all",
        "from json import nothing",
        "import json.nothing",
        "try:\n    import wiringpi\nexcept ImportError as e:\n    print(e)",
    ):
        path = program(text)
        assert run(path) == as_python_does(path)


def test_a_bus_where_nothing_is_says_so_once():
    with sim.Board() as board:
        board.attach_rc522("spi0.0")
        SpiDev(0, 0).close()
        text = r"nothing is attached to spi0\.1 of simulated pi-zero-w, which reads as 0; say in"
        with SpiDev() as spi:
            for open_it in (
                lambda: spi.open(0, 1),
                lambda: spi.open_path("/dev/spidev0.1"),
                lambda: SpiDev(0, 1).close(),
            ):
                with pytest.warns(RuntimeWarning, match=text) as caught:
                    open_it()
                assert caught[0].filename == __file__


# Module -> words of the remedy.
MISSING = {
    "pigpio": "pigpiod, which is not simulated; RPi.GPIO's names are here",
    "RPIO": "add_event_detect()",
    "wiringpi": "RPi.GPIO's names are here",
    "lgpio": "pip install lgpio",
    "gpiod.line": "pyasync_hw.gpio",
    "spi": "--shims leaves spidev out",
    "OPi.GPIO": "Orange Pi",
    "Jetson.GPIO": "Jetson",
    "Adafruit_DHT": "pip install adafruit-circuitpython-dht",
    "Adafruit_CharLCD": "pip install Adafruit-CharLCD",
    "adafruit_ads1x15.analog_in": "pip install adafruit-circuitpython-ads1x15",
    "board": "pip install adafruit-blinka",
    "neopixel": "pip install adafruit-circuitpython-neopixel",
    "rpi_ws281x": "pip install rpi_ws281x",
    "picamera": "picamera2",
    "serial_asyncio": "pip install pyserial-asyncio",
    "pydispatch": "pip install PyDispatcher",
    "zbar": "pip install zbar-py",
    "evdev": "pip install evdev",
    "w1thermsensor": "one-wire bus is not simulated",
    "luma.oled.device": "pip install luma.oled",
    "RPLCD.i2c": "pip install RPLCD",
    "sense_hat": "pip install sense-hat",
    "nfc": "pip install nfcpy",
    "MFRC522": "--shims leaves mfrc522 out",
    "SimpleMFRC522": "--shims leaves mfrc522 out",
    "umqtt.simple": "paho-mqtt",
    "urequests": "pip install requests",
    "dht": "--shims leaves micropython out",
    "onewire": "none of ours",
    "paho.mqtt.client": "pip install paho-mqtt",
    "urllib2": "for Python 2; Python 3 has urllib.request",
    "pirc522": "--shims leaves it out",
    "machine": "--shims leaves micropython out",
}


@pytest.mark.parametrize("module", MISSING)
def test_each_of_them_has_a_remedy(module):
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    hints.add_hint(error)
    (note,) = error.__notes__
    assert note.startswith(f"{module.partition('.')[0]}: ") and MISSING[module] in note
    assert "{" not in note and note.endswith(".")


def test_a_module_that_nobody_knows_has_none():
    error = ModuleNotFoundError("No module named 'frobnicate'", name="frobnicate")
    hints.add_hint(error)
    assert not hasattr(error, "__notes__")


def test_a_name_of_another_library_says_whose():
    for module, name, words in (
        ("RPi.GPIO", "setup_pwm", "it is of no version of RPi.GPIO; here it is PWM()"),
        ("RPi.GPIO", "digitalWrite", "it is wiringPi's; here it is output()"),
        ("mfrc522", "StoreMFRC522", "BasicMFRC522 has"),
    ):
        with pytest.raises(AttributeError) as caught:
            getattr(importlib.import_module(f"pyasync_hw.compat.{module}"), name)
        assert words in str(caught.value)


def test_an_attribute_that_an_object_has_not():
    note = last_lines("import mfrc522; mfrc522.SimpleMFRC522().reader")[1]
    assert note == "reader is a copy's; here it is READER."
    note = last_lines("import spidev; spidev.SpiDev().transfer([1])")[1]
    assert note.startswith("In pyasync_hw SpiDev has bits_per_word, close, ")
    note = last_lines("import smbus2; smbus2.SMBus().read()")[1]
    assert note.startswith("In pyasync_hw SMBus has ") and "read_byte" in note
    note = last_lines("import pirc522; pirc522.RFID().read_uid()")[1]
    assert note.startswith("In pyasync_hw RFID has anticoll, ") and "act_end" not in note
    note = last_lines("from machine import Pin; Pin.OUTPUT")[1]  # a constant, so these are listed
    assert " IN, " in note and " OUT, " in note and "toggle" not in note
    assert "has here a 'tiks_ms'. " in last_lines("import utime; utime.tiks_ms()")[1]


@pytest.mark.parametrize(
    ("program", "hint"),
    [
        ("import time; time.clock()", "clock is gone since Python 3.8; now it is time.perf_cou"),
        ("from collections import Mapping", "Mapping is gone since Python 3.10; now it is coll"),
        ("import collections; collections.Mapping", "Mapping is gone since Python 3.10; now it"),
        ("import array; array.array('b').tostring()", "tostring is gone since Python 3.9; now"),
    ],
)
def test_what_python_had_once_says_what_does_it_now(program, hint):
    _error, note = last_lines(program)
    assert note.startswith(hint)


@pytest.mark.parametrize(
    ("program", "hint"),
    [
        ("from machine import UART", "UART is not here: serial lines are not simulated; on a Ra"),
        ("import machine; machine.UART(1)", None),
        ("b'{}'.format(1)", "format is MicroPython's; in Python: text.decode().format(…).encode()"),
    ],
)
def test_what_a_board_has_and_linux_has_not(program, hint):
    _error, note = last_lines(program)
    if hint is None:
        assert "it is not here: serial lines are not simulated; on a Raspberry Pi pys" in note
    else:
        assert note.startswith(hint)


PYTHON_2 = ["print 'hello'", "if 1:\n\t1\n        2"]
if sys.version_info < (3, 14):  # from then on it is Python, and catches both
    PYTHON_2.append("try: pass\nexcept ValueError, e: pass")


@pytest.mark.parametrize("source", PYTHON_2)
def test_a_program_for_python_2(source):
    error = last_lines(source)[1]
    assert "This looks like a program for Python 2" in error and "modernize -w" in error


def test_other_syntax_errors_are_as_python_says_them():
    assert last_lines("x = (")[1] == "SyntaxError: '(' was never closed"


def test_a_module_that_python_had_once_says_what_does_it_now():
    assert "asyncio does it now" in missing_modules.about("asyncore")
