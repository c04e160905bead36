"""RPi.GPIO's names on a simulated board."""

import warnings

import pytest
from gpio_calls import refused

from pyasync_hw import sim
from pyasync_hw.compat import rpi_info
from pyasync_hw.compat.RPi import GPIO
from pyasync_hw.sim import MODELS


def test_numbering(gpio_board):
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
    assert gpio_board.line("GPIO17").value == 1
    for wrong in (1, 17, 41):
        with pytest.raises(ValueError, match="The channel sent is invalid on a Raspberry Pi"):
            GPIO.setup(wrong, GPIO.OUT)
    GPIO.cleanup()
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.OUT, initial=GPIO.HIGH)
    assert GPIO.input(17) == 1


def test_outputs(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup([17, 27], GPIO.OUT)
    GPIO.output(17, True)
    assert (GPIO.input(17), GPIO.input(27)) == (1, 0)
    GPIO.output((17, 27), (0, 1))
    assert (gpio_board.line(17).value, gpio_board.line(27).value) == (0, 1)
    GPIO.output([17, 27], GPIO.HIGH)
    assert (gpio_board.line(17).value, gpio_board.line(27).value) == (1, 1)
    GPIO.setup(17, GPIO.OUT)
    assert gpio_board.line(17).value == 1
    assert (GPIO.gpio_function(17), GPIO.gpio_function(4)) == (GPIO.OUT, GPIO.UNKNOWN)
    with pytest.raises(RuntimeError, match="Number of channels != number of values"):
        GPIO.output([17, 27], [1])
    with pytest.raises(RuntimeError, match="The GPIO channel has not been set up as an OUTPUT"):
        GPIO.output(4, 1)
    GPIO.cleanup(17)
    with pytest.raises(RuntimeError, match=r"You must setup\(\) the GPIO channel first"):
        GPIO.input(17)
    assert GPIO.input(27) == 1


def test_inputs(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.setup(27, GPIO.IN, pull_up_down=GPIO.PUD_DOWN)
    assert (GPIO.input(17), GPIO.input(27)) == (1, 0)
    gpio_board.line(17).drive(0)
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
def test_messages(gpio_board, error, message, call):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(22, GPIO.IN)
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_cleanup_frees_lines_and_warns_when_there_is_nothing(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup([17, 27], GPIO.OUT)
    GPIO.cleanup()
    assert GPIO.getmode() is None
    assert gpio_board.line(17).consumer is None
    GPIO.setwarnings(True)
    with pytest.warns(RuntimeWarning, match="nothing to clean up"):
        GPIO.cleanup()
    GPIO.setwarnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GPIO.cleanup()


def test_a_line_that_is_in_use_is_an_error_that_names_the_user(gpio_board):
    from pyasync_hw import gpio

    GPIO.setmode(GPIO.BCM)
    with gpio.Output(17, board=gpio_board, consumer="lamp"), pytest.raises(OSError, match="lamp"):
        GPIO.setup(17, GPIO.IN)
    GPIO.setup(17, GPIO.IN)


NOT_AN_INTEGER = (TypeError, "'str' object cannot be interpreted as an integer")
CHANNEL_LIST = (ValueError, "Channel must be an integer or list/tuple of integers")
CHANNEL = (ValueError, "Channel must be an integer")
VALUE_LIST = (
    ValueError,
    "Value must be an integer/boolean or a list/tuple of integers/booleans",
)
COUNTS = (RuntimeError, "Number of channels != number of values")
INVALID = (ValueError, "The channel sent is invalid on a Raspberry Pi")


# py_gpio.c: PyArg_ParseTupleAndKeywords() first, then what the function checks, in its order.
@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: GPIO.setmode("BCM"), NOT_AN_INTEGER),
        (lambda: GPIO.setwarnings("no"), NOT_AN_INTEGER),
        (lambda: GPIO.setup(17, "out"), NOT_AN_INTEGER),
        (lambda: GPIO.setup(17.0, GPIO.OUT), CHANNEL_LIST),
        (lambda: GPIO.setup({17}, GPIO.OUT), CHANNEL_LIST),
        (lambda: GPIO.setup(["17"], GPIO.OUT), CHANNEL),
        (lambda: GPIO.setup("17", 5), CHANNEL_LIST),
        (lambda: GPIO.setup(54, GPIO.IN), INVALID),
        (lambda: GPIO.setup(-1, GPIO.IN), INVALID),
        (lambda: GPIO.output("22", 1), CHANNEL_LIST),
        (lambda: GPIO.output(22, 1.0), VALUE_LIST),
        (lambda: GPIO.output(22, None), VALUE_LIST),
        (lambda: GPIO.output(22, [1]), COUNTS),
        (lambda: GPIO.output([22], []), COUNTS),
        (lambda: GPIO.output([22], ["1"]), (ValueError, "Value must be an integer or boolean")),
        (lambda: GPIO.output(["22"], [1]), CHANNEL),
        (lambda: GPIO.input("22"), NOT_AN_INTEGER),
        (lambda: GPIO.input([22]), (TypeError, NOT_AN_INTEGER[1].replace("str", "list"))),
        (lambda: GPIO.input(2**31), (OverflowError, "signed integer is greater than maximum")),
        (lambda: GPIO.gpio_function("22"), NOT_AN_INTEGER),
        (lambda: GPIO.event_detected("22"), NOT_AN_INTEGER),
        (lambda: GPIO.remove_event_detect("22"), NOT_AN_INTEGER),
        (lambda: GPIO.remove_event_detect(99), INVALID),
        (lambda: GPIO.wait_for_edge("22", GPIO.BOTH), NOT_AN_INTEGER),
        (lambda: GPIO.wait_for_edge(22, GPIO.BOTH, timeout=0.5), (TypeError, None)),
        (lambda: GPIO.add_event_detect(22, GPIO.BOTH, bouncetime=0.5), (TypeError, None)),
        (lambda: GPIO.cleanup("22"), CHANNEL_LIST),
        (lambda: GPIO.cleanup(["22"]), CHANNEL),
        (lambda: GPIO.cleanup(99), INVALID),
    ],
)
def test_arguments_that_are_refused(gpio_board, call, error):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(22, GPIO.OUT)
    kind, message = refused(call)
    assert kind is error[0]
    assert error[1] is None or message == error[1]


def test_a_list_is_done_up_to_what_is_wrong_in_it(gpio_board):
    GPIO.setmode(GPIO.BCM)
    assert refused(lambda: GPIO.setup([17, 99], GPIO.OUT)) == INVALID
    assert refused(lambda: GPIO.output([17, 27], 1))[0] is RuntimeError
    assert GPIO.input(17) == 1


def test_values(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup((17, 27), GPIO.OUT, initial=True)
    assert (GPIO.input(17), GPIO.input(27)) == (1, 1)
    GPIO.output((17, 27), [False, -5])
    assert (GPIO.input(17), GPIO.input(27)) == (0, 1)
    GPIO.setup([], GPIO.IN)
    GPIO.output([], [])
    GPIO.setup(17, GPIO.IN, initial=-1)
    GPIO.setup(47, GPIO.OUT, initial=1)  # on no header, and on the chip
    assert gpio_board.line(47, chip="gpiochip0").value == 1


@pytest.mark.parametrize("initial", [{}, {"initial": -1}, {"initial": None}, {"initial": 7}])
class TestAnOutputWithoutInitial:
    def test_keeps_what_it_was_driven_to(self, gpio_board, initial):
        GPIO.setmode(GPIO.BCM)
        for level in (1, 0):
            GPIO.setup(17, GPIO.OUT, initial=level)
            GPIO.setup(17, GPIO.OUT, **initial)
            assert GPIO.input(17) == level
            GPIO.cleanup(17)
            GPIO.setup(17, GPIO.OUT, **initial)
            assert GPIO.input(17) == level

    def test_keeps_it_over_being_an_input(self, gpio_board, initial):
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.OUT)
        GPIO.output(17, 0)
        GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)  # the latch, not the level
        assert GPIO.input(17) == 1
        GPIO.setup(17, GPIO.OUT, **initial)
        assert GPIO.input(17) == 0

    @pytest.mark.parametrize("level", [0, 1])
    def test_keeps_the_level_that_is_there(self, gpio_board, initial, level):
        GPIO.setmode(GPIO.BCM)
        pulls = {0: GPIO.PUD_DOWN, 1: GPIO.PUD_UP}
        GPIO.setup(17, GPIO.IN, pull_up_down=pulls[level])
        GPIO.setup(17, GPIO.OUT, **initial)
        assert GPIO.input(17) == level

    @pytest.mark.parametrize("level", [0, 1])
    def test_keeps_what_others_have_left(self, gpio_board, initial, level):
        gpio_board.line(17).drive(level)
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.OUT, **initial)
        gpio_board.line(17).release()
        assert GPIO.input(17) == level


def test_arguments_by_name(gpio_board):
    GPIO.setmode(mode=GPIO.BCM)
    GPIO.setup(channel=[17], direction=GPIO.OUT, pull_up_down=GPIO.PUD_OFF, initial=None)
    GPIO.output(channel=17, value=1)
    assert GPIO.input(channel=17) == 1
    GPIO.setup(17, GPIO.IN)
    GPIO.add_event_detect(gpio=17, edge=GPIO.BOTH, callback=None, bouncetime=None)
    GPIO.add_event_callback(gpio=17, callback=print)
    GPIO.remove_event_detect(gpio=17)
    assert GPIO.wait_for_edge(channel=17, edge=GPIO.BOTH, bouncetime=None, timeout=1) is None
    GPIO.cleanup(channel=None)
    assert GPIO.getmode() is None


def test_board_numbers_are_the_40_pin_headers_on_every_model(gpio_board):
    GPIO.setmode(GPIO.BOARD)
    with sim.Board("pi-1") as board:
        GPIO.setup(40, GPIO.OUT, initial=1)
        assert board.line("GPIO21").value == 1
        GPIO.cleanup()


def test_each_board_keeps_its_own_levels(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.OUT, initial=1)
    GPIO.cleanup(17)
    with sim.Board():
        GPIO.setup(17, GPIO.OUT)
        assert GPIO.input(17) == 0
        GPIO.cleanup(17)
    GPIO.setup(17, GPIO.OUT)
    assert GPIO.input(17) == 1


@pytest.mark.parametrize("direction", [GPIO.IN, GPIO.OUT])
def test_setup_anew_after_the_board_has_gone(gpio_board, direction):
    GPIO.setmode(GPIO.BCM)
    with sim.Board() as board:
        GPIO.setup(17, direction)
        if direction == GPIO.IN:
            GPIO.add_event_detect(17, GPIO.BOTH)
        assert board.line(17).consumer is not None
    GPIO.setup(17, GPIO.OUT, initial=1)
    assert gpio_board.line(17).value == 1
    GPIO.setup(17, GPIO.IN)
    GPIO.add_event_detect(17, GPIO.BOTH)


def test_cleanup_makes_inputs_without_pull(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.setup(27, GPIO.OUT, initial=1)
    GPIO.cleanup([17, 27])
    for gpio in (17, 27):
        line = gpio_board.line(gpio)
        line.drive(0)
        line.release()
        assert (line.value, line.consumer) == (0, None)  # nothing pulls or drives it up


def test_cleanup_before_anything_was_set_up_only_warns(gpio_board):
    GPIO.setwarnings(1)
    with pytest.warns(RuntimeWarning, match="nothing to clean up") as caught:
        GPIO.cleanup(17)  # no mode yet
        GPIO.setmode(GPIO.BCM)
        GPIO.cleanup(99)
        GPIO.cleanup()
    assert len(caught) == 3
    assert {warning.filename for warning in caught} == {__file__}
    assert GPIO.getmode() == GPIO.BCM
    GPIO.setup(17, GPIO.IN)
    GPIO.cleanup()
    assert GPIO.getmode() is None
    assert refused(lambda: GPIO.cleanup(17))[0] is RuntimeError


@pytest.mark.parametrize(("gpio", "pull"), [(2, GPIO.PUD_UP), (3, GPIO.PUD_DOWN)])
def test_pulls_of_pins_that_are_pulled_up(gpio_board, gpio, pull):
    GPIO.setmode(GPIO.BCM)
    GPIO.setwarnings(True)
    message = "A physical pull up resistor is fitted on this channel!"
    with pytest.warns(RuntimeWarning, match=message):
        GPIO.setup(gpio, GPIO.IN, pull_up_down=pull)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GPIO.setup(gpio, GPIO.IN)
        GPIO.setup(17, GPIO.IN, pull_up_down=pull)
        GPIO.setwarnings(False)
        GPIO.setup(gpio, GPIO.IN, pull_up_down=pull)


def test_names(gpio_board):
    names = {}
    exec("from pyasync_hw.compat.RPi.GPIO import *", names)
    del names["__builtins__"]
    functions = {name for name in names if callable(names[name])}
    assert functions == {
        *("add_event_callback", "add_event_detect", "cleanup", "event_detected", "getmode"),
        *("gpio_function", "input", "output", "remove_event_detect", "setmode", "setup"),
        *("setwarnings", "wait_for_edge", "PWM"),
    }
    assert {name: names[name] for name in names.keys() - functions} == {
        **{"VERSION": "0.7.1", "RPI_REVISION": 3, "RPI_INFO": GPIO.RPI_INFO},
        **{"LOW": 0, "HIGH": 1, "OUT": 0, "IN": 1, "BOARD": 10, "BCM": 11, "UNKNOWN": -1},
        **{"PUD_OFF": 20, "PUD_DOWN": 21, "PUD_UP": 22},
        **{"RISING": 31, "FALLING": 32, "BOTH": 33},
        **{"SERIAL": 40, "SPI": 41, "I2C": 42, "HARD_PWM": 43},
    }
    with pytest.raises(AttributeError, match="ALT0"):
        _ = GPIO.ALT0


@pytest.mark.parametrize(
    ("model", "info"),
    [
        ("pi-zero-w", ("9000c1", "Zero W", "Sony UK", "BCM2835", "512M")),
        ("pi-3", ("a02082", "Pi 3 Model B", "Sony UK", "BCM2837", "1G")),
        ("pi-5", ("c04170", "Pi 5 Model B", "Sony UK", "BCM2712", "4G")),
    ],
)
def test_rpi_info_is_the_boards(model, info):
    keys = ("REVISION", "TYPE", "MANUFACTURER", "PROCESSOR", "RAM")
    with sim.Board(model):
        told = GPIO.RPI_INFO
        assert told == {"P1_REVISION": 3, **dict(zip(keys, info, strict=True))}
        assert GPIO.RPI_REVISION == 3


def test_every_model_has_an_rpi_info():
    for model in MODELS:
        with sim.Board(model):
            assert "Unknown" not in GPIO.RPI_INFO.values()


def test_codes_that_tell_less():
    assert rpi_info.decode(0x0010)["TYPE"] == "Unknown"  # a B+ of 2014
    assert rpi_info.decode(0xFFFFFF)["PROCESSOR"] == "Unknown"
    assert rpi_info.decode(0xA220A0)["P1_REVISION"] == 0  # a compute module
