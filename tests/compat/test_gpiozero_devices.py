"""More of gpiozero's devices on our pin factory: each kind that uses pins in a way of its own."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pyasync_hw import gpio, sim

gpiozero = pytest.importorskip("gpiozero")
tools = pytest.importorskip("gpiozero.tools")

PATIENCE_S = 60


@pytest.fixture
def board(gpio_board: sim.Board) -> Iterator[sim.Board]:
    """A simulated board behind our pin factory."""
    from pyasync_hw.compat.gpiozero import Factory

    gpiozero.Device.pin_factory = Factory()
    yield gpio_board
    gpiozero.Device.pin_factory.close()
    gpiozero.Device.pin_factory = None


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def levels(board: sim.Board, *pins: int) -> list[int]:
    return [board.line(pin).value for pin in pins]


def wave(board: sim.Board, pin: int) -> tuple[float, float]:
    frequency, duty = board.line(pin).pwm
    return round(frequency, 1), round(duty, 4)


def test_a_closed_pin_is_an_input(board: sim.Board) -> None:
    """As with gpiozero's own factories; newer kernels leave an output driven that is let go."""
    with gpio.Chip("gpiochip0") as chip:
        led = gpiozero.LED(17)
        chip.watch_line_info(17)
        led.on()
        led.close()
        events = [chip.blocking.next_info_event() for _ in range(2)]
    assert [(one.event_type, one.line_info.direction) for one in events] == [
        ("config", "input"),
        ("released", "input"),
    ]


def test_rotary_encoder(board: sim.Board) -> None:
    turned = threading.Semaphore(0)
    with gpiozero.RotaryEncoder(21, 20, max_steps=4) as rotor:
        rotor.when_rotated = turned.release
        # Gray code: A, then B, both low when they close their contacts.
        for first, second, steps in ((21, 20, 1), (21, 20, 2), (20, 21, 1)):
            for pin, level in ((first, 0), (second, 0), (first, 1), (second, 1)):
                board.line(pin).drive(level)
            assert turned.acquire(timeout=PATIENCE_S)
            until(lambda steps=steps: rotor.steps == steps)
        assert rotor.value == 0.25


def test_angular_servo(board: sim.Board) -> None:
    with gpiozero.AngularServo(17, min_angle=-42, max_angle=44) as servo:
        for angle, duty in ((0.0, 0.0744), (44.0, 0.1), (-42.0, 0.05)):
            servo.angle = angle
            assert servo.angle == pytest.approx(angle)
            until(lambda duty=duty: wave(board, 17) == (50, duty))
        servo.angle = None
        until(lambda: wave(board, 17) == (0, 0))


def test_motors_and_a_robot(board: sim.Board) -> None:
    motor = gpiozero.Motor(4, 14)
    robot = gpiozero.Robot(left=motor, right=gpiozero.PhaseEnableMotor(12, 5))
    with robot:
        robot.forward(0.25)
        until(lambda: wave(board, 4) == (100, 0.25) and wave(board, 12) == (0, 0))
        until(lambda: wave(board, 5) == (100, 0.25))
        robot.left()
        until(lambda: levels(board, 4, 14, 12) == [0, 1, 0] and wave(board, 5) == (0, 1))
        robot.stop()
        until(lambda: levels(board, 4, 14, 5) == [0, 0, 0])


def test_tonal_buzzer(board: sim.Board) -> None:
    with gpiozero.TonalBuzzer(17) as buzzer:
        buzzer.play("A4")
        until(lambda: wave(board, 17) == (440, 0.5))
        buzzer.stop()
        until(lambda: wave(board, 17) == (0, 0))


def test_boards_of_leds(board: sim.Board) -> None:
    with gpiozero.TrafficLights(5, 6, 13) as lights:
        lights.green.on()
        assert levels(board, 5, 6, 13) == [0, 0, 1]
    with gpiozero.LEDBoard(5, 6, 13, pwm=True) as leds:
        leds.value = (0, 0.5, 1)
        until(lambda: wave(board, 6) == (100, 0.5))
        assert levels(board, 5, 13) == [0, 1]
        leds.pulse(0.5, 0.5)
        until(lambda: 0 < leds[0].value < 1)
    with gpiozero.LEDCharDisplay(5, 6, 13, 16, 17, 22, 27) as display:
        display.value = "1"
        assert levels(board, 5, 6, 13, 16, 17, 22, 27) == [0, 1, 1, 0, 0, 0, 0]


def test_a_board_of_buttons(board: sim.Board) -> None:
    pressed = threading.Semaphore(0)
    with gpiozero.ButtonBoard(17, 22, 27) as buttons, gpiozero.LED(5) as led:
        led.source = tools.any_values(*buttons)
        buttons.when_pressed = pressed.release
        board.line(22).drive(0)
        assert pressed.acquire(timeout=PATIENCE_S)
        assert buttons.value == (0, 1, 0)
        until(lambda: led.is_lit)
        board.line(22).drive(1)
        assert buttons.wait_for_release(PATIENCE_S)
        until(lambda: not led.is_lit)


@pytest.mark.parametrize(
    ("kind", "steps"), [("MCP3008", 1023), ("MCP3004", 1023), ("MCP3002", 1023)]
)
def test_analogue_inputs(board: sim.Board, kind: str, steps: int) -> None:
    chip = board.attach(getattr(sim, kind)("spi0.1"))
    chip.set(1, 1.1)
    with getattr(gpiozero, kind)(channel=1, device=1) as pot:
        assert pot.raw_value == math.floor(1.1 / 3.3 * (steps + 1))
        assert pot.value == pytest.approx(1 / 3, abs=0.002)
        assert pot.voltage == pytest.approx(1.1, abs=0.005)


def test_spi_by_software(board: sim.Board) -> None:
    """On pins that are not the bus's; nobody answers, so the data line is what it is pulled to."""
    with gpiozero.MCP3008(channel=0, clock_pin=16, mosi_pin=20, miso_pin=19, select_pin=26) as pot:
        assert pot.raw_value == 0
        board.line(19).drive(1)
        assert pot.raw_value == 1023


def test_smoothed_sensors(board: sim.Board) -> None:
    with gpiozero.MotionSensor(4) as pir, gpiozero.LineSensor(17) as line:
        board.line(4).drive(1)
        assert pir.wait_for_motion(PATIENCE_S)
        board.line(4).drive(0)
        assert pir.wait_for_no_motion(PATIENCE_S)
        board.line(17).drive(0)
        assert line.wait_for_line(PATIENCE_S)


def test_a_light_sensor(board: sim.Board) -> None:
    light = board.attach(sim.LightSensor(18, charge_time=0.001))
    with gpiozero.LightSensor(18, queue_len=1, charge_time_limit=0.5) as sensor:
        assert sensor.wait_for_light(PATIENCE_S)
        light.set(None)
        assert sensor.wait_for_dark(PATIENCE_S)
        light.set(0.001)
        assert sensor.wait_for_light(PATIENCE_S)
