"""gpiozero, unmodified from PyPI, on our RPi.GPIO: idle, and beside processes that are busy."""

import contextlib
import os
import subprocess
import sys
import threading
import time
import warnings

import pytest
from running import ENVIRONMENT, run

from pyasync_hw import gpio
from pyasync_hw.compat import shims
from pyasync_hw.compat.RPi import GPIO

gpiozero = pytest.importorskip("gpiozero")

PATIENCE_S = 60
ZERO_W = 0x9000C1
TRIGGER, ECHO = 23, 24


@contextlib.contextmanager
def busy_machine():
    """As many busy processes as there are processors."""
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.fixture(params=["idle", "busy"])
def board(request, gpio_board, monkeypatch):
    """A simulated board behind GPIOZERO_PIN_FACTORY=rpigpio."""
    local = pytest.importorskip("gpiozero.pins.local")
    monkeypatch.setattr(local, "get_pi_revision", lambda: ZERO_W)  # there is no /proc of a Pi
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "rpigpio")
    uninstall = shims.install(["RPi.GPIO"])
    try:
        with busy_machine() if request.param == "busy" else contextlib.nullcontext():
            yield gpio_board
            if gpiozero.Device.pin_factory is not None:
                assert type(gpiozero.Device.pin_factory).__name__ == "RPiGPIOFactory"
                gpiozero.Device.pin_factory.close()
                gpiozero.Device.pin_factory = None
    finally:
        uninstall()


class Count:
    """Something for when_pressed and its like: counts, and lets a test wait."""

    def __init__(self):
        self._came = threading.Semaphore(0)

    def happened(self):
        self._came.release()

    def wait(self):
        assert self._came.acquire(timeout=PATIENCE_S)

    @property
    def none(self):
        return not self._came.acquire(blocking=False)


def until(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_led(board):
    line = board.line(17)
    with gpiozero.LED(17) as led:
        assert (line.value, led.is_lit) == (0, False)
        led.on()
        assert (line.value, led.value) == (1, 1)
        led.toggle()
        assert (line.value, led.value) == (0, 0)
        led.blink(on_time=0.01, off_time=0.01)
        for level in (1, 0, 1):
            until(lambda level=level: line.value == level)
        led.off()
        led.blink(on_time=0.01, off_time=0.01, n=2, background=False)
        assert line.value == 0
    with gpiozero.LED("BOARD11", active_high=False, initial_value=True) as led:
        assert (line.value, led.is_lit) == (0, True)
    assert line.consumer is None


def test_a_led_without_initial_value_does_not_click(board):
    with gpiozero.LED(17, initial_value=True):
        pass
    with gpiozero.LED(17, initial_value=None) as led:
        assert (board.line(17).value, led.is_lit) == (1, True)


def test_button(board):
    line = board.line(2)
    pressed, released, held = Count(), Count(), Count()
    with gpiozero.Button(2, hold_time=0.02) as button:
        assert not button.is_pressed
        button.when_pressed = pressed.happened
        button.when_released = released.happened
        button.when_held = held.happened
        for _ in range(3):
            line.drive(0)
            pressed.wait()
            held.wait()
            assert button.is_pressed and button.is_held
            line.drive(1)
            released.wait()
            assert not button.is_pressed
        button.when_pressed = None
        line.drive(0)
        assert button.wait_for_press(PATIENCE_S)
        line.drive(1)
        assert button.wait_for_release(PATIENCE_S)
    assert pressed.none
    assert line.consumer is None


def test_a_button_to_3v3_and_one_without_pull(board):
    with gpiozero.Button(17, pull_up=False, hold_time=0.02) as down:
        assert not down.is_pressed
        board.line(17).drive(1)
        assert down.wait_for_press(PATIENCE_S)
    board.line(27).drive(1)
    with gpiozero.Button(27, pull_up=None, active_state=False, hold_time=0.02) as button:
        assert not button.is_pressed
        board.line(27).drive(0)
        assert button.wait_for_press(PATIENCE_S)


def test_a_button_that_bounces(board):
    line = board.line(17)
    pressed = Count()
    with gpiozero.Button(17, bounce_time=3600, hold_time=0.02) as button:
        button.when_pressed = pressed.happened
        line.drive(0)
        pressed.wait()
        for level in (1, 0, 1, 0):
            line.drive(level)
        with gpiozero.Button(27, hold_time=0.02) as other:  # one edge later than all of these
            board.line(27).drive(0)
            assert other.wait_for_press(PATIENCE_S)
        assert pressed.none


class Echo:
    """An HC-SR04: after each trigger its echo pin is high for as long as sound takes."""

    def __init__(self, board, monkeypatch):
        self.distance = None
        self._line = board.line(ECHO)
        with gpio.Input(ECHO):
            begin = board.time()  # where `at` of this line counts from
        real = GPIO.output

        def output(channel, value):
            real(channel, value)
            if channel == TRIGGER and not value and self.distance is not None:
                now = board.time() - begin
                self._line.drive(1, at=now + 0.0005)
                self._line.drive(0, at=now + 0.0005 + 2 * self.distance / 343.26)

        monkeypatch.setattr(GPIO, "output", output)
        self._line.drive(0)


def test_distance_sensor(board, monkeypatch):
    # gpiozero takes the time of an edge when its callback runs, so the echoes are long.
    hand = Echo(board, monkeypatch)
    hand.distance = 8.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that pigpio measures better
        with gpiozero.DistanceSensor(
            ECHO, TRIGGER, max_distance=12, threshold_distance=6, queue_len=3, partial=True
        ) as sensor:
            assert sensor.wait_for_out_of_range(PATIENCE_S)
            until(lambda: 7 < sensor.distance < 10)
            hand.distance = 4.0
            assert sensor.wait_for_in_range(PATIENCE_S)
            until(lambda: 3 < sensor.distance < 6)


@pytest.mark.parametrize(("model", "name"), [("pi-zero-w", "Zero W"), ("pi-5", "5B")])
def test_run_needs_no_settings(program, tmp_path, model, name):
    (tmp_path / "board.toml").write_text(f'model = "{model}"\n')
    path = program(
        """\
        from gpiozero import LED, Device
        with LED(17) as led:
            led.on()
            print(Device.pin_factory.board_info.model, led.value)
        """
    )
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "GPIOZERO_PIN_FACTORY"}
    done = run("--board", str(tmp_path / "board.toml"), path, env=environment)
    assert done == (0, f"{name} 1\n", "")


def test_run_leaves_a_chosen_pin_factory(program):
    path = program("from gpiozero import LED\nprint(type(LED(17).pin_factory).__name__)")
    environment = {**ENVIRONMENT, "GPIOZERO_PIN_FACTORY": "mock"}
    assert run(path, env=environment) == (0, "MockFactory\n", "")


def test_what_needs_pwm_is_refused(board):
    with pytest.raises(gpiozero.PinPWMFixedValue) as caught:
        gpiozero.PWMLED(17)
    assert "pyasync_hw has no PWM yet" in str(caught.value.__context__)
