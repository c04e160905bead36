"""Every name of RPi.GPIO, by its documented signature, as a program under `run` calls it."""

from __future__ import annotations

import pytest
from names_table import Row, each, outcomes, shown

BOARD = """
model = "pi-zero-w"
[[part]]
kind = "wire"
one = 27
other = 17
[[part]]
kind = "hc-sr04"
trigger = 23
echo = 24
distance = 0.5
"""

# 27 and 17, BOARD 13 and 11, are one wire.
PRELUDE = """
import asyncio, queue, threading, time
import RPi.GPIO as GPIO
from RPi import GPIO as same
from pyasync_hw import hardware

board = hardware.current()
came = queue.Queue()

def calls(n=1):
    return [came.get(timeout=30) for _ in range(n)]

def levels():
    return {(n, board.line(n).value) for n in range(2, 28) if n != 17}

def lit(pin):
    GPIO.setup(pin, GPIO.OUT, initial=GPIO.LOW)
    before = levels()
    GPIO.output(pin, GPIO.HIGH)
    (number, level), = levels() - before
    GPIO.setup(pin, GPIO.IN)
    return number

def in_a_thread(edge):
    result = queue.Queue()
    waiting = threading.Event()
    def wait():
        waiting.set()
        result.put(GPIO.wait_for_edge(17, edge))
    threading.Thread(target=wait).start()
    waiting.wait()
    while result.empty():  # an edge before the wait does not count
        pulse()
        time.sleep(0.01)
    return result.get()

def until(true):
    limit = time.monotonic() + 20
    while not (came := true()) and time.monotonic() < limit:
        time.sleep(0.001)
    return came

def pulse():
    GPIO.output(27, 1)
    GPIO.output(27, 0)

def callback_to_a_loop():
    async def main():
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        GPIO.add_event_detect(17, GPIO.RISING,
                              callback=lambda channel: loop.call_soon_threadsafe(event.set))
        pulse()
        await asyncio.wait_for(event.wait(), 30)
        GPIO.remove_event_detect(17)
        return event.is_set()
    return asyncio.run(main())

def distance():
    GPIO.setup(23, GPIO.OUT, initial=0)
    GPIO.setup(24, GPIO.IN)
    for _ in range(100):  # on a busy machine an echo may have gone before it is seen
        GPIO.output(23, 1)
        time.sleep(0.00001)
        GPIO.output(23, 0)
        sent = began = ended = time.time()
        while GPIO.input(24) == 0 and began < sent + 0.1:
            began = time.time()
        while GPIO.input(24) == 1:
            ended = time.time()
        if 45 < (ended - began) * 17150 < 55:
            return True

def wave():
    frequency, duty = board.line(27).pwm
    return round(frequency), round(100 * duty)

class Ends:
    def __del__(self, cleanup=GPIO.cleanup):
        cleanup()
ends = Ends()
"""

NOT_SET_UP = RuntimeError("You must setup() the GPIO channel first")
INPUT_FIRST = RuntimeError("You must setup() the GPIO channel as an input first")
INVALID = ValueError("The channel sent is invalid on a Raspberry Pi")
HEADER = {
    **{3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 12: 18, 13: 27, 15: 22, 19: 10, 21: 9, 22: 25, 23: 11},
    **{24: 8, 26: 7, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21},
}

TABLE: list[Row] = [
    ("GPIO is same", True),
    ("GPIO.BOARD, GPIO.BCM", (10, 11)),
    ("GPIO.OUT, GPIO.IN", (0, 1)),
    ("GPIO.LOW, GPIO.HIGH", (0, 1)),
    ("GPIO.PUD_OFF, GPIO.PUD_DOWN, GPIO.PUD_UP", (20, 21, 22)),
    ("GPIO.RISING, GPIO.FALLING, GPIO.BOTH", (31, 32, 33)),
    ("GPIO.UNKNOWN, GPIO.SERIAL, GPIO.SPI, GPIO.I2C, GPIO.HARD_PWM", (-1, 40, 41, 42, 43)),
    ("GPIO.VERSION", "0.7.1"),
    ("GPIO.RPI_REVISION", 3),
    ("GPIO.RPI_INFO['TYPE'], GPIO.RPI_INFO['P1_REVISION']", ("Zero W", 3)),
    ("sorted(GPIO.RPI_INFO)", ["MANUFACTURER", "P1_REVISION", "PROCESSOR", "RAM", "REVISION", "TYPE"]),
    # numbering
    ("GPIO.getmode()", None),
    ("GPIO.setup(11, GPIO.OUT)", RuntimeError("Please set pin numbering mode using GPIO.setmode(GPIO.BOARD) or GPIO.setmode(GPIO.BCM)")),
    ("GPIO.setmode(5)", ValueError("An invalid mode was passed to setmode()")),
    ("GPIO.setmode(GPIO.BOARD)", None),
    ("GPIO.setmode(GPIO.BOARD)", None),
    ("GPIO.setmode(GPIO.BCM)", ValueError("A different mode has already been set!")),
    ("GPIO.getmode()", 10),
    ("GPIO.setwarnings(False)", None),
    ("GPIO.setup(1, GPIO.OUT)", INVALID),
    *[(f"lit({pin})", number) for pin, number in HEADER.items()],
    ("GPIO.setup(13, GPIO.OUT)", None),  # seed 000's LED and RGB LED
    ("GPIO.output(13, 1)", None),
    ("GPIO.input(13)", 1),
    ("GPIO.output(13, 0)", None),
    ("[GPIO.setup(pin, GPIO.OUT) for pin in (11, 15)]", [None, None]),
    ("[GPIO.output(pin, level) for pin in (11, 13, 15) for level in (1, 0)]", [None] * 6),
    ("GPIO.cleanup()", None),
    ("GPIO.getmode()", None),
    # lines
    ("GPIO.setmode(GPIO.BCM)", None),
    ("GPIO.input(27)", NOT_SET_UP),
    ("GPIO.output(27, 1)", RuntimeError("The GPIO channel has not been set up as an OUTPUT")),
    ("GPIO.setup(channel=27, direction=GPIO.OUT, initial=GPIO.LOW)", None),
    ("GPIO.setup(channel=17, direction=GPIO.IN, pull_up_down=GPIO.PUD_OFF)", None),
    ("GPIO.setup([5, 6], GPIO.IN, GPIO.PUD_UP)", None),
    ("GPIO.setup((12, 13), GPIO.IN, GPIO.PUD_DOWN)", None),
    ("[GPIO.input(pin) for pin in (5, 6, 12, 13)]", [1, 1, 0, 0]),
    ("GPIO.output(27, GPIO.HIGH)", None),
    ("GPIO.input(17)", 1),
    ("GPIO.output(27, False)", None),
    ("GPIO.input(17)", 0),
    ("GPIO.setup([20, 21], GPIO.OUT, initial=GPIO.HIGH)", None),
    ("GPIO.output([20, 21], [0, 1])", None),
    ("GPIO.input(20), GPIO.input(21)", (0, 1)),
    ("GPIO.output((20, 21), 1)", None),
    ("GPIO.input(20), GPIO.input(21)", (1, 1)),
    ("GPIO.gpio_function(27), GPIO.gpio_function(17), GPIO.gpio_function(4)", (0, 1, -1)),
    ("GPIO.setup(17, GPIO.IN, pull_up_down=1)", ValueError("Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN")),
    # edges
    ("GPIO.add_event_detect(4, GPIO.RISING)", INPUT_FIRST),
    ("GPIO.add_event_detect(gpio=17, edge=GPIO.RISING, callback=came.put, bouncetime=1)", None),
    ("pulse(), calls()", (None, [17])),
    ("GPIO.add_event_detect(17, GPIO.FALLING)", RuntimeError("Conflicting edge detection already enabled for this GPIO channel")),
    ("GPIO.wait_for_edge(17, GPIO.FALLING)", RuntimeError("Conflicting edge detection events already exist for this GPIO channel")),
    ("GPIO.remove_event_detect(17)", None),
    ("GPIO.add_event_detect(17, GPIO.BOTH, came.put, -666)", None),
    ("pulse(), calls(2)", (None, [17, 17])),
    ("GPIO.add_event_callback(gpio=17, callback=lambda channel: came.put(-channel))", None),
    ("GPIO.output(27, 1), calls(2)", (None, [17, -17])),
    ("GPIO.remove_event_detect(17), GPIO.output(27, 0), came.empty()", (None, None, True)),
    ("GPIO.add_event_callback(17, came.put)", RuntimeError("Add event detection using add_event_detect first before adding a callback")),
    ("GPIO.add_event_detect(17, GPIO.FALLING)", None),
    ("GPIO.event_detected(17)", False),
    ("pulse(), until(lambda: GPIO.event_detected(17))", (None, True)),
    ("GPIO.event_detected(17)", False),
    ("GPIO.remove_event_detect(17)", None),
    ("callback_to_a_loop()", True),
    ("GPIO.wait_for_edge(17, GPIO.RISING, timeout=1)", None),
    ("GPIO.wait_for_edge(channel=17, edge=GPIO.RISING, bouncetime=5, timeout=1)", None),
    ("GPIO.remove_event_detect(17)", None),
    ("in_a_thread(GPIO.RISING)", 17),
    ("GPIO.wait_for_edge(17, 5)", ValueError("The edge must be set to RISING, FALLING or BOTH")),
    # waves
    ("(pwm := GPIO.PWM(27, 50)) and type(pwm).__name__", "PWM"),
    ("GPIO.PWM(27, 60)", RuntimeError("A PWM object already exists for this GPIO channel")),
    ("pwm.start(25)", None),
    ("until(lambda: wave() == (50, 25))", True),
    ("pwm.ChangeDutyCycle(75)", None),
    ("until(lambda: wave() == (50, 75))", True),
    ("pwm.ChangeFrequency(100)", None),
    ("until(lambda: wave() == (100, 75))", True),
    ("pwm.ChangeDutyCycle(101)", ValueError("dutycycle must have a value from 0.0 to 100.0")),
    ("pwm.ChangeFrequency(0)", ValueError("frequency must be greater than 0.0")),
    ("pwm.stop(), GPIO.input(27)", (None, 0)),
    # an ultrasonic sensor, polled
    ("distance()", True),
    # the end
    ("GPIO.cleanup(27)", None),
    ("GPIO.input(27)", NOT_SET_UP),
    ("GPIO.cleanup([20, 21])", None),
    ("GPIO.cleanup(channel=(5, 6))", None),
    ("GPIO.cleanup()", None),
    ("GPIO.getmode()", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return outcomes(tmp_path_factory.mktemp("names"), TABLE, PRELUDE, BOARD)


@each(TABLE)
def test_a_name_of_rpi_gpio(results: list[str], row: int) -> None:
    assert results[row] == shown(TABLE[row][1])
