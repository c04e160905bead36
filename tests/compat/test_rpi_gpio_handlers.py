"""RPi.GPIO's calls in a signal handler that comes in the midst of another one."""

import pytest
from gpio_calls import Calls
from line_injection import At

from pyasync_hw.compat import edge_detect, gpio_channel
from pyasync_hw.compat.RPi import GPIO

MODULES = (GPIO, edge_detect, gpio_channel)


def nothing(channel):
    pass


CALLS = {
    "setup in": lambda: GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP),
    "setup out": lambda: GPIO.setup(17, GPIO.OUT, initial=GPIO.HIGH),
    "detect": lambda: GPIO.add_event_detect(17, GPIO.FALLING),
    "callback": lambda: GPIO.add_event_detect(17, GPIO.FALLING, callback=nothing),
    "remove": lambda: GPIO.remove_event_detect(17),
    "wait": lambda: GPIO.wait_for_edge(17, GPIO.FALLING, timeout=1),
    "cleanup": lambda: GPIO.cleanup(17),
}
EXPECTED = (
    "Conflicting",
    "Error waiting",
    "You must setup()",
    "is closed",
    "was closed",
    "of this program",
)


def attempt(call):
    try:
        CALLS[call]()
    except (RuntimeError, OSError, ValueError) as exc:
        assert any(word in str(exc) for word in EXPECTED), exc


@pytest.mark.parametrize("inner", CALLS)
@pytest.mark.parametrize("outer", CALLS)
@pytest.mark.parametrize("first", [["setup in"], ["setup in", "callback"], []])
def test_wherever_it_comes(gpio_board, caplog, capfd, first, outer, inner):
    """Nothing is lost, and nothing is left when all is cleaned up."""
    wire = gpio_board.line(17)
    count = 0
    while True:
        count += 1
        GPIO.setmode(GPIO.BCM)
        for call in first:
            attempt(call)
        at = At(count, lambda: attempt(inner), MODULES)
        with at:
            attempt(outer)
        GPIO.cleanup()
        assert wire.consumer is None
        if at.left > 0:
            break
    assert count > 3
    calls = Calls()
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.add_event_detect(17, GPIO.FALLING, callback=calls)
    wire.drive(0)
    assert calls.wait() == [17]
    assert (caplog.messages, capfd.readouterr().err) == ([], "")
