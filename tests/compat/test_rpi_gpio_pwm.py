"""RPi.GPIO.PWM, with the errors and texts of 0.7.1 (py_pwm.c)."""

import gc
import threading

import pytest
from gpio_calls import refused
from running import run

import pyasync_hw
from pyasync_hw import VirtualClock, hardware, sim
from pyasync_hw.compat.RPi import GPIO

EXISTS = (RuntimeError, "A PWM object already exists for this GPIO channel")
NO_OUTPUT = (RuntimeError, "You must setup() the GPIO channel as an output first")
BAD_FREQUENCY = (ValueError, "frequency must be greater than 0.0")
BAD_DUTY = (ValueError, "dutycycle must have a value from 0.0 to 100.0")


@pytest.fixture
def clock(gpio_board):
    """The board's time is the test's."""
    clock = VirtualClock()
    gpio_board._world.use_clock(clock)
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(18, GPIO.OUT)
    yield clock
    gpio_board._world.use_clock(None)


def seen(board, clock, seconds=1.0):
    clock.advance(seconds)
    return board.line(18).pwm


def test_a_wave_as_tutorials_write_it(gpio_board, clock):
    pwm = GPIO.PWM(18, 50)
    assert seen(gpio_board, clock) == (0.0, 0.0)  # not before it is started
    pwm.start(7.5)
    assert seen(gpio_board, clock) == (50.0, 0.075)
    pwm.ChangeDutyCycle(10)
    assert seen(gpio_board, clock) == (50.0, 0.1)
    pwm.ChangeFrequency(100)
    assert seen(gpio_board, clock) == (100.0, 0.1)
    pwm.ChangeDutyCycle(100)
    assert seen(gpio_board, clock) == (0.0, 1.0)
    pwm.ChangeDutyCycle(0)
    assert seen(gpio_board, clock) == (0.0, 0.0)
    pwm.start(50)  # once more, as it runs
    assert seen(gpio_board, clock) == (100.0, 0.5)
    pwm.stop()
    assert (gpio_board.line(18).value, GPIO.input(18)) == (0, 0)
    pwm.stop()
    GPIO.output(18, 1)
    assert seen(gpio_board, clock) == (0.0, 1.0)


def test_start_after_stop_goes_on(gpio_board, clock):
    pwm = GPIO.PWM(18, 200)
    pwm.start(50)
    pwm.stop()
    pwm.ChangeFrequency(400)
    assert seen(gpio_board, clock) == (0.0, 0.0)
    pwm.start(25)
    assert seen(gpio_board, clock) == (400.0, 0.25)
    pwm.stop()


def test_errors_in_the_order_of_the_original(gpio_board):
    assert refused(lambda: GPIO.PWM(17, "x")) == (TypeError, "must be real number, not str")
    assert refused(lambda: GPIO.PWM("17", "x"))[0] is TypeError
    assert refused(lambda: GPIO.PWM(17, 50))[1].startswith("Please set pin numbering mode")
    GPIO.setmode(GPIO.BCM)
    assert refused(lambda: GPIO.PWM(99, 0))[1] == "The channel sent is invalid on a Raspberry Pi"
    assert refused(lambda: GPIO.PWM(17, 0)) == NO_OUTPUT
    GPIO.setup(17, GPIO.IN)
    assert refused(lambda: GPIO.PWM(17, 50)) == NO_OUTPUT
    GPIO.setup(17, GPIO.OUT)
    for frequency in (0, -1, float("nan")):
        assert refused(lambda f=frequency: GPIO.PWM(17, f)) == BAD_FREQUENCY
    pwm = GPIO.PWM(17, 50)
    assert refused(lambda: GPIO.PWM(17, 0)) == EXISTS
    for use in (pwm.start, pwm.ChangeDutyCycle):
        for duty in (-0.1, 100.1, float("nan")):
            assert refused(lambda u=use, d=duty: u(d)) == BAD_DUTY
        assert refused(lambda u=use: u("50"))[0] is TypeError
    assert refused(lambda: pwm.ChangeFrequency(0)) == BAD_FREQUENCY
    assert refused(lambda: pwm.ChangeFrequency("50"))[0] is TypeError


def test_one_per_channel_until_it_is_stopped_or_gone(gpio_board, clock):
    first = GPIO.PWM(18, 50)
    first.start(50)
    assert refused(lambda: GPIO.PWM(18, 100)) == EXISTS
    first.stop()
    second = GPIO.PWM(18, 100)
    second.start(50)
    assert refused(lambda p=first: p.start(50)) == EXISTS
    first.ChangeFrequency(10)
    first.stop()
    assert seen(gpio_board, clock) == (100.0, 0.5)
    del first
    gc.collect()
    assert seen(gpio_board, clock) == (100.0, 0.5)
    del second
    gc.collect()
    assert seen(gpio_board, clock) == (0.0, 0.0)
    GPIO.PWM(18, 10).start(50)  # and gone at once
    assert seen(gpio_board, clock, 5) == (0.0, 0.0)


def test_cleanup_and_an_input_end_it(gpio_board, clock):
    pwm = GPIO.PWM(18, 50)
    pwm.start(50)
    GPIO.setup(18, GPIO.IN)
    assert seen(gpio_board, clock)[0] == 0.0
    pwm.ChangeDutyCycle(10)
    assert refused(lambda: pwm.start(10)) == NO_OUTPUT
    GPIO.setup(18, GPIO.OUT)
    pwm.start(10)
    assert seen(gpio_board, clock) == (50.0, 0.1)
    GPIO.cleanup()
    assert seen(gpio_board, clock)[0] == 0.0
    assert gpio_board.line(18).consumer is None
    pwm.ChangeFrequency(10)
    pwm.stop()  # as every second program does, in this order


def test_20_channels_with_time_sleep(gpio_board):
    GPIO.setmode(GPIO.BCM)
    pins = list(range(4, 24))
    GPIO.setup(pins, GPIO.OUT)
    pwms = [GPIO.PWM(pin, 200) for pin in pins]
    for pin, pwm in zip(pins, pwms, strict=True):
        pwm.start(4 * pin)
    threads = threading.active_count()
    end = gpio_board.time() + 0.02
    while gpio_board.time() < end:
        pass
    assert [gpio_board.line(pin).pwm for pin in pins] == [
        (200.0, pytest.approx(pin / 25)) for pin in pins
    ]
    assert threading.active_count() == threads


def test_on_a_loop_in_virtual_time():
    import asyncio

    async def main():
        with sim.Board() as board:
            before = hardware.set_default(board)
            try:
                GPIO.setmode(GPIO.BCM)
                GPIO.setup(18, GPIO.OUT)
                pwm = GPIO.PWM(18, 50)
                pwm.start(25)
                await asyncio.sleep(10)
                assert board.line(18).pwm == (50.0, 0.25)
                pwm.stop()
            finally:
                GPIO.release_all()
                hardware.set_default(before)

    pyasync_hw.run(main(), clock=VirtualClock())


def test_a_program_that_forgets_it_ends_silently(program):
    path = program(
        """\
        import RPi.GPIO as GPIO
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(18, GPIO.OUT)
        p = GPIO.PWM(18, 1000)
        p.start(50)
        print("end")
        """
    )
    assert run(path) == (0, "end\n", "")


def test_a_wave_is_on_the_board_of_its_channel(gpio_board, clock):
    """Not on the one that is current when it starts."""
    pwm = GPIO.PWM(18, 50)
    with sim.Board("pi-zero-w") as other:
        pwm.start(50)
        assert other.line(18).consumer is None
    assert seen(gpio_board, clock) == (50.0, 0.5)
    pwm.stop()
