"""RPi.GPIO's names on a simulated board."""

import threading
import time
import warnings

import pytest

from pyasync_hw import hardware, sim
from pyasync_hw.compat.RPi import GPIO
from pyasync_hw.compat.service import service


@pytest.fixture
def board():
    """A board that every thread sees; nothing is left of RPi.GPIO's state."""
    with sim.Board() as board:
        before = hardware.set_default(board)
        GPIO.setwarnings(False)
        yield board
        GPIO.cleanup()
        GPIO.setwarnings(True)
        service.stop()
        hardware.set_default(before)


class Calls:
    """A callback that remembers its calls, and lets a test wait for them."""

    def __init__(self):
        self.channels = []
        self._came = threading.Semaphore(0)

    def __call__(self, channel):
        self.channels.append(channel)
        self._came.release()

    def wait(self, count=1):
        for _ in range(count):
            assert self._came.acquire(timeout=10)
        return self.channels


def test_numbering(board):
    assert GPIO.getmode() is None
    with pytest.raises(RuntimeError, match=r"Please set pin numbering mode using GPIO\.setmode"):
        GPIO.setup(11, GPIO.OUT)
    with pytest.raises(ValueError, match=r"An invalid mode was passed to setmode\(\)"):
        GPIO.setmode(3)
    GPIO.setmode(GPIO.BOARD)
    GPIO.setmode(GPIO.BOARD)
    with pytest.raises(ValueError, match="A different mode has already been set!"):
        GPIO.setmode(GPIO.BCM)
    assert GPIO.getmode() == GPIO.BOARD
    GPIO.setup(11, GPIO.OUT, initial=GPIO.HIGH)
    assert board.line("GPIO17").value == 1
    for wrong in (1, 17, 41):
        with pytest.raises(ValueError, match="The channel sent is invalid on a Raspberry Pi"):
            GPIO.setup(wrong, GPIO.OUT)
    GPIO.cleanup()
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.OUT, initial=GPIO.HIGH)
    assert GPIO.input(17) == 1


def test_outputs(board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup([17, 27], GPIO.OUT)
    GPIO.output(17, True)
    assert (GPIO.input(17), GPIO.input(27)) == (1, 0)
    GPIO.output((17, 27), (0, 1))
    assert (board.line(17).value, board.line(27).value) == (0, 1)
    GPIO.output([17, 27], GPIO.HIGH)
    assert (board.line(17).value, board.line(27).value) == (1, 1)
    GPIO.setup(17, GPIO.OUT)
    assert board.line(17).value == 1
    assert (GPIO.gpio_function(17), GPIO.gpio_function(4)) == (GPIO.OUT, GPIO.UNKNOWN)
    with pytest.raises(RuntimeError, match="Number of channels != number of values"):
        GPIO.output([17, 27], [1])
    with pytest.raises(RuntimeError, match="The GPIO channel has not been set up as an OUTPUT"):
        GPIO.output(4, 1)
    GPIO.cleanup(17)
    with pytest.raises(RuntimeError, match=r"You must setup\(\) the GPIO channel first"):
        GPIO.input(17)
    assert GPIO.input(27) == 1


def test_inputs(board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.setup(27, GPIO.IN, pull_up_down=GPIO.PUD_DOWN)
    assert (GPIO.input(17), GPIO.input(27)) == (1, 0)
    board.line(17).drive(0)
    assert GPIO.input(17) == 0
    assert GPIO.gpio_function(17) == GPIO.IN


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "An invalid direction was passed to setup()", lambda: GPIO.setup(17, 5)),
        (
            ValueError,
            "pull_up_down parameter is not valid for outputs",
            lambda: GPIO.setup(17, GPIO.OUT, pull_up_down=GPIO.PUD_UP),
        ),
        (
            ValueError,
            "initial parameter is not valid for inputs",
            lambda: GPIO.setup(17, GPIO.IN, initial=1),
        ),
        (
            ValueError,
            "Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN",
            lambda: GPIO.setup(17, GPIO.IN, pull_up_down=1),
        ),
        (
            ValueError,
            "Channel must be an integer or list/tuple of integers",
            lambda: GPIO.setup("17", GPIO.IN),
        ),
        (
            RuntimeError,
            "You must setup() the GPIO channel as an input first",
            lambda: GPIO.add_event_detect(4, GPIO.FALLING),
        ),
        (
            ValueError,
            "The edge must be set to RISING, FALLING or BOTH",
            lambda: GPIO.add_event_detect(22, 7),
        ),
        (
            TypeError,
            "Parameter must be callable",
            lambda: GPIO.add_event_detect(22, GPIO.BOTH, callback=3),
        ),
        (
            ValueError,
            "Bouncetime must be greater than 0",
            lambda: GPIO.add_event_detect(22, GPIO.BOTH, bouncetime=0),
        ),
        (
            RuntimeError,
            "Add event detection using add_event_detect first before adding a callback",
            lambda: GPIO.add_event_callback(22, print),
        ),
        (
            ValueError,
            "Timeout must be greater than 0",
            lambda: GPIO.wait_for_edge(22, GPIO.BOTH, timeout=0),
        ),
    ],
)
def test_messages(board, error, message, call):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(22, GPIO.IN)
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_callbacks_come_in_order_from_one_other_thread(board):
    GPIO.setmode(GPIO.BOARD)
    GPIO.setup(11, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    calls, threads, second = Calls(), set(), Calls()
    GPIO.add_event_detect(11, GPIO.FALLING, callback=calls)
    GPIO.add_event_callback(11, lambda channel: threads.add(threading.current_thread()))
    GPIO.add_event_callback(11, second)
    for level in (0, 1, 0):
        board.line("GPIO17").drive(level)
    assert second.wait(2) == [11, 11]
    assert calls.channels == [11, 11]
    assert len(threads) == 1 and threading.current_thread() not in threads


def test_a_callback_that_raises_is_printed_and_the_next_one_runs(board, capfd):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_DOWN)
    calls = Calls()
    GPIO.add_event_detect(17, GPIO.RISING, callback=lambda channel: 1 / 0)
    GPIO.add_event_callback(17, calls)
    board.line(17).drive(1)
    assert calls.wait() == [17]
    assert "ZeroDivisionError" in capfd.readouterr().err
    board.line(17).drive(0)
    board.line(17).drive(1)
    assert calls.wait() == [17, 17]


def test_event_detected_and_remove(board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    calls = Calls()
    GPIO.add_event_detect(17, GPIO.BOTH, callback=calls)
    with pytest.raises(RuntimeError, match="Conflicting edge detection already enabled"):
        GPIO.add_event_detect(17, GPIO.BOTH)
    with pytest.raises(RuntimeError, match="Conflicting edge detection events already exist"):
        GPIO.wait_for_edge(17, GPIO.BOTH)
    assert not GPIO.event_detected(17)
    board.line(17).drive(0)
    calls.wait()
    assert GPIO.event_detected(17)
    assert not GPIO.event_detected(17)
    GPIO.remove_event_detect(17)
    GPIO.remove_event_detect(17)
    board.line(17).drive(1)
    assert not GPIO.event_detected(17)
    GPIO.add_event_detect(17, GPIO.FALLING, callback=calls)
    board.line(17).drive(0)
    assert calls.wait() == [17, 17]  # the edge in between was nobody's


def test_bouncetime_ignores_edges_after_the_first(board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.setup(27, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    bounced, other = Calls(), Calls()
    GPIO.add_event_detect(17, GPIO.BOTH, callback=bounced, bouncetime=60_000)
    GPIO.add_event_detect(27, GPIO.BOTH, callback=other)
    for level in (0, 1, 0, 1):
        board.line(17).drive(level)
    bounced.wait()
    board.line(27).drive(0)
    other.wait()
    assert bounced.channels == [17]


def test_a_callback_may_clean_up(board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    calls = Calls()

    def clean_up(channel):
        GPIO.remove_event_detect(channel)
        GPIO.cleanup(channel)
        calls(channel)

    GPIO.add_event_detect(17, GPIO.FALLING, callback=clean_up)
    board.line(17).drive(0)
    assert calls.wait() == [17]
    GPIO.setup(17, GPIO.OUT)
    assert board.line(17).consumer is not None


def test_wait_for_edge(board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    began = time.monotonic()
    assert GPIO.wait_for_edge(17, GPIO.FALLING, timeout=20) is None
    assert time.monotonic() - began >= 0.02
    seen = threading.Event()

    def press_and_release():
        while not seen.wait(0.02):  # whenever the wait begins, an edge comes
            board.line(17).drive(0)
            board.line(17).drive(1)

    finger = threading.Thread(target=press_and_release)
    finger.start()
    assert GPIO.wait_for_edge(17, GPIO.FALLING, timeout=10_000) == 17
    seen.set()
    finger.join()


def test_cleanup_frees_lines_and_warns_when_there_is_nothing(board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup([17, 27], GPIO.OUT)
    GPIO.cleanup()
    assert GPIO.getmode() is None
    assert board.line(17).consumer is None
    GPIO.setwarnings(True)
    with pytest.warns(RuntimeWarning, match="nothing to clean up"):
        GPIO.cleanup()
    GPIO.setwarnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GPIO.cleanup()


def test_a_line_that_is_in_use_is_an_error_that_names_the_user(board):
    from pyasync_hw import gpio

    GPIO.setmode(GPIO.BCM)
    with gpio.Output(17, board=board, consumer="lamp"), pytest.raises(OSError, match="lamp"):
        GPIO.setup(17, GPIO.IN)
    GPIO.setup(17, GPIO.IN)
