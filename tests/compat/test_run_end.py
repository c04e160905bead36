"""The end of a program under `run`: its objects go as in plain Python, and the hardware later.

Plain Python has a stand-in for RPi.GPIO, which keeps levels in a dict.
"""

import re

import pytest
from running import ENVIRONMENT, as_python_does, run

STAND_IN = """\
BCM, OUT, IN, BOTH = 11, 0, 1, 33
_levels = {}
def setmode(mode): pass
def setup(channel, direction, initial=0): _levels[channel] = initial
def output(channel, value): _levels[channel] = value
def input(channel): return _levels[channel]
def add_event_detect(channel, edge, callback): _levels["callback"] = callback
def cleanup(): _levels.clear()
"""

LAMP = """\
import RPi.GPIO as GPIO
GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.OUT)
class Lamp:
    def __init__(self, name, pin):
        self.name, self.pin = name, pin
        GPIO.setup(pin, GPIO.OUT, initial=1)
    def __del__(self):
        GPIO.output(self.pin, 0)
        GPIO.output(17, 1)
        print(self.name, "is off:", GPIO.input(self.pin), GPIO.input(17), flush=True)
"""

ENDS = {
    "normal": "a = Lamp('a', 4)\nprint('end')",
    "exception": "a = Lamp('a', 4)\ndef f():\n    b = Lamp('b', 5)\n    1/0\nf()",
    "status": "import sys\na = Lamp('a', 4)\ndef f():\n    b = Lamp('b', 5)\n    sys.exit(3)\nf()",
    "ctrl+c": "a = Lamp('a', 4)\ndef f():\n    b = Lamp('b', 5)\n    raise KeyboardInterrupt\nf()",
    "syntax error later": "a = Lamp('a', 4)\nexec('x = (')",
    "atexit": """\
import atexit
a = Lamp('a', 4)
atexit.register(lambda: print('bye', GPIO.input(4)))
""",
    "atexit after an exception": """\
import atexit, sys
a = Lamp('a', 4)
atexit.register(lambda: print(sys.last_value.__traceback__ is sys.last_traceback,
                              sys.last_traceback.tb_lineno))
1/0
""",
    "own hook": """\
import sys
a = Lamp('a', 4)
def hook(kind, value, traceback):
    print(kind, sys.last_traceback is traceback)
sys.excepthook = hook
1/0
""",
    "del": "a = Lamp('a', 4)\nb = Lamp('b', 5)\ndel a\nprint('deleted')",
    "cycle": "a = Lamp('a', 4)\na.itself = a\ndel a\nprint('end')",
    "cycle that is kept": "a = Lamp('a', 4)\na.itself = a",
    "thread": """\
import threading
a = Lamp('a', 4)
def f():
    b = Lamp('b', 5)
    go.wait()
    print('thread')
go = threading.Event()
threading.Thread(target=f).start()
go.set()
""",
    "daemon thread": """\
import threading
a = Lamp('a', 4)
threading.Thread(target=threading.Event().wait, daemon=True).start()
""",
    "object of another module": "import helper\nhelper.lamp = Lamp('a', 4)",
    "signal handler": """\
import signal
a = Lamp('a', 4)
signal.signal(signal.SIGTERM, lambda *args: a)
""",
    "callback": """\
a = Lamp('a', 4)
GPIO.setup(20, GPIO.IN)
GPIO.add_event_detect(20, GPIO.BOTH, callback=lambda channel: a)
""",
    "kept by the standard library": """\
import logging
handler = logging.NullHandler()
handler.lamp = Lamp('a', 4)
logging.getLogger().addHandler(handler)
""",
    "loop": """\
import asyncio
a = Lamp('a', 4)
async def main():
    b = Lamp('b', 5)
    await asyncio.sleep(0)
asyncio.run(main())
print('end')
""",
    "cleanup": """\
class Last:
    def __del__(self):
        GPIO.cleanup()
        print('clean')
last = Last()
""",
    "setup": """\
class Last:
    def __del__(self):
        GPIO.setup(6, GPIO.OUT, initial=1)
        print(GPIO.input(6))
last = Last()
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_objects_go_when_python_lets_them_go(program, tmp_path, end):
    (tmp_path / "RPi").mkdir()
    program("", "RPi/__init__.py")  # else an installed RPi goes before it
    program(STAND_IN, "RPi/GPIO.py")
    program("def f():\n    pass\n", "helper.py")
    path = program(LAMP + ENDS[end])
    expected = as_python_does(path)
    assert "Exception ignored" not in expected[2]
    addresses = re.compile("0x[0-9a-f]+")
    assert [addresses.sub("", str(part)) for part in run(path)] == [
        addresses.sub("", str(part)) for part in expected
    ]


def test_devices_work_until_the_last_object_has_gone(program):
    path = program(
        """\
        import spidev, pirc522
        from pyasync_hw import gpio
        rfid = pirc522.RFID()
        spi = rfid.spi
        line = gpio.Output(17)
        class Last:
            def __del__(self):
                line.on()
                print(line.value, rfid.request(), spi.xfer2([0x37 << 1 | 0x80, 0])[1])
                rfid.cleanup()
        last = Last()
        """
    )
    assert run(path) == (0, "1 (True, None) 146\n", "")


@pytest.mark.parametrize("end", ["", "GPIO.cleanup()"])
def test_a_callback_that_never_returns_keeps_no_program(program, end):
    path = program(
        f"""\
        import threading
        import RPi.GPIO as GPIO
        from pyasync_hw import hardware
        begun = threading.Event()
        def callback(channel):
            begun.set()
            threading.Event().wait()
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        GPIO.add_event_detect(17, GPIO.FALLING, callback=callback)
        hardware.current().line(17).drive(0)
        begun.wait()
        {end}
        """
    )
    assert run(path) == (0, "", "")


def test_so_they_do_on_the_board_that_is_there_without_run(program):
    path = program(
        """\
        from pyasync_hw import gpio
        line = gpio.Output(17)
        class Last:
            def __del__(self):
                line.on()
                print(line.value)
        last = Last()
        """
    )
    environment = {**ENVIRONMENT, "PYASYNC_HW": "sim"}
    assert as_python_does(path, env=environment) == (0, "1\n", "")


def test_garbage_may_use_its_devices_in_del():
    """In one collection all __del__ run before anything of the garbage is given back."""
    import gc

    from pyasync_hw import gpio, sim, spi

    seen = []

    class User:
        def __del__(self):
            self.line.on()
            seen.append((self.line.value, self.device.blocking.transfer(b"\x80\0")))

    class Output(gpio.Output):
        """With room for its user."""

    class Device(spi.Device):
        """With room for its user."""

    with sim.Board() as board:
        line = Output(17)  # older than its user: the collector finds it first
        device = Device("spi0.1")
        user = User()
        user.line, user.device, user.itself = line, device, user
        line.user = user
        device.user = user
        del line, device, user
        gc.collect()
        assert [value for value, _ in seen] == [1]
        assert board.line(17).consumer is None
        spi.Device("spi0.1").close()
