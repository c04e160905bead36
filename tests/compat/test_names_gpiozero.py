"""gpiozero's devices by the names that programs use, on our pin factory under `run`."""

from __future__ import annotations

import pytest
from names_table import Row, each, outcomes, shown

pytest.importorskip("gpiozero")

# 4 is a button's line; the other parts are those of the devices of these names.
BOARD = """
model = "pi-4"
[[part]]
kind = "button"
name = "bell"
pin = 4
[[part]]
kind = "hc-sr04"
trigger = 23
echo = 24
distance = 0.5
[[part]]
kind = "light-sensor"
pin = 18
[[part]]
kind = "mcp3008"
spi = "spi0.0"
volts = [1.65]
"""

PRELUDE = """
import queue, threading, time, warnings
from gpiozero import *
from pyasync_hw import hardware

warnings.simplefilter("ignore", PWMSoftwareFallback)  # pigpio measures better
board = hardware.current()
came = queue.Queue()
bell, = (part for part in board.parts if part.name == "bell")

def until(true):
    limit = time.monotonic() + 20
    while not true() and time.monotonic() < limit:
        time.sleep(0.001)
    return true()

def pressed(verb):
    button.when_pressed = lambda: came.put("pressed")
    button.when_released = lambda device: came.put(device is button)
    verb()
    return came.get(timeout=30)

def soon(act, wait):
    threading.Timer(0.01, act).start()
    return wait()

def levels(*lines):
    return [board.line(line).value for line in lines]

def wave(line):
    frequency, duty = board.line(line).pwm
    return round(frequency), round(100 * duty)

def followed(level):
    motion_line.drive(level)
    return until(lambda: led.is_lit == bool(level))
"""

TABLE: list[Row] = [
    ("type(Device.pin_factory or Device._default_pin_factory()).__module__.partition('.')[0]", "pyasync_hw"),
    ("(led := LED(17)).is_lit, led.value, led.pin.info.name", (False, 0, "GPIO17")),
    ("led.on(), led.is_lit, levels(17)", (None, True, [1])),
    ("led.toggle(), levels(17), led.off()", (None, [0], None)),
    ("led.blink(0.01, 0.01, n=2, background=False), levels(17)", (None, [0])),
    ("led.blink(), until(lambda: levels(17) == [1]), led.off()", (None, True, None)),
    ("(button := Button(4, bounce_time=None, hold_time=0.01)).is_pressed, button.value", (False, 0)),
    ("pressed(bell.press), button.is_pressed, button.pressed_time >= 0", ("pressed", True, True)),
    ("until(lambda: button.is_held), button.held_time >= 0", (True, True)),
    ("pressed(bell.release), button.is_pressed", (True, False)),
    ("setattr(button, 'when_pressed', None), setattr(button, 'when_released', None)", (None, None)),
    ("soon(bell.press, button.wait_for_press)", True),
    ("soon(bell.release, button.wait_for_release)", True),
    ("button.wait_for_press(timeout=0.001)", False),
    ("setattr(led, 'source', button), bell.press(), until(lambda: led.is_lit)", (None, None, True)),
    ("setattr(led, 'source', None), bell.release(), led.close(), button.close()", (None,) * 4),
    ("(pwm := PWMLED(17)) and setattr(pwm, 'value', 0.5), until(lambda: wave(17) == (100, 50))", (None, True)),
    ("pwm.pulse(0.01, 0.01, n=1, background=False), pwm.close()", (None, None)),
    ("(rgb := RGBLED(9, 10, 11)) and setattr(rgb, 'color', (1, 0, 1)), levels(9, 10, 11)", (None, [1, 0, 1])),
    ("rgb.is_lit, rgb.off(), levels(9, 10, 11), rgb.close()", (True, None, [0, 0, 0], None)),
    ("(buzzer := Buzzer(3)).beep(0.001, 0.001, 1, False), buzzer.on(), levels(3), buzzer.close()", (None, None, [1], None)),
    ("(servo := Servo(17)).mid(), until(lambda: wave(17) == (50, 8)), servo.value", (None, True, 0.0)),
    ("servo.min(), servo.max(), servo.detach(), servo.value, servo.close()", (None, None, None, None, None)),
    ("(angular := AngularServo(17, min_angle=-90, max_angle=90)) and setattr(angular, 'angle', 45)", None),
    ("round(angular.angle), angular.close()", (45, None)),
    ("(motor := Motor(5, 6)).forward(), levels(5, 6), motor.is_active", (None, [1, 0], True)),
    ("motor.backward(), levels(5, 6), motor.reverse(), motor.stop(), motor.close()", (None, [0, 1], None, None, None)),
    ("(robot := Robot((5, 6), (12, 13))).forward(), levels(5, 6, 12, 13)", (None, [1, 0, 1, 0])),
    ("robot.left(), levels(5, 6, 12, 13), robot.stop(), robot.close()", (None, [0, 1, 1, 0], None, None)),
    ("(motion_line := board.line(22)).drive(0), (motion := MotionSensor(22)).motion_detected", (None, False)),
    ("soon(lambda: motion_line.drive(1), motion.wait_for_motion), motion.motion_detected", (True, True)),
    ("soon(lambda: motion_line.drive(0), motion.wait_for_no_motion)", True),
    ("(led := LED(17)) and setattr(led, 'source', motion), followed(1), followed(0)", (None, True, True)),
    ("led.close(), motion.close()", (None, None)),
    ("(sonar := DistanceSensor(24, 23)) and until(lambda: 0.45 < sonar.distance < 0.55), sonar.close()", (True, None)),
    ("(light := LightSensor(18)) and until(lambda: light.value > 0), light.close()", (True, None)),
    ("0.49 < (pot := MCP3008(channel=0)).value < 0.51, pot.raw_value in (511, 512, 513), pot.close()", (True, True, None)),
    ("(board_ := LEDBoard(5, 6, 13)).on(), levels(5, 6, 13), tuple(board_.value)", (None, [1, 1, 1], (1, 1, 1))),
    ("board_.off(1), levels(5, 6, 13), len(board_.leds), board_.close()", (None, [1, 0, 1], 3, None)),
    ("(lights := TrafficLights(2, 3, 27)).red.on(), lights.green.on(), levels(2, 3, 27)", (None, None, [1, 0, 1])),
    ("lights.amber is lights.yellow, lights.close()", (True, None)),
    ("(out := DigitalOutputDevice(17, active_high=False)).on(), levels(17), out.close()", (None, [0], None)),
    ("(in_ := DigitalInputDevice(22, pull_up=True)).value, in_.close()", (1, None)),
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return outcomes(tmp_path_factory.mktemp("names"), TABLE, PRELUDE, BOARD)


@each(TABLE)
def test_a_name_of_gpiozero(results: list[str], row: int) -> None:
    assert results[row] == shown(TABLE[row][1])
