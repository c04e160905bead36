"""RPi.GPIO's edges: callbacks, event_detected() and wait_for_edge()."""

import contextlib
import errno
import functools
import os
import signal
import threading
import time
from random import Random

import pytest
from gpio_calls import Calls

from pyasync_hw import VirtualClock, sim
from pyasync_hw.compat.RPi import GPIO


def test_callbacks_come_in_order_from_one_other_thread(gpio_board):
    GPIO.setmode(GPIO.BOARD)
    GPIO.setup(11, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    calls, threads, second = Calls(), set(), Calls()
    GPIO.add_event_detect(11, GPIO.FALLING, callback=calls)
    GPIO.add_event_callback(11, lambda channel: threads.add(threading.current_thread()))
    GPIO.add_event_callback(11, second)
    for level in (0, 1, 0):
        gpio_board.line("GPIO17").drive(level)
    assert second.wait(2) == [11, 11]
    assert calls.channels == [11, 11]
    assert len(threads) == 1 and threading.current_thread() not in threads


def test_a_callback_that_raises_is_printed_and_the_next_one_runs(gpio_board, capfd):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_DOWN)
    calls = Calls()
    GPIO.add_event_detect(17, GPIO.RISING, callback=lambda channel: 1 / 0)
    GPIO.add_event_callback(17, calls)
    gpio_board.line(17).drive(1)
    assert calls.wait() == [17]
    assert "ZeroDivisionError" in capfd.readouterr().err
    gpio_board.line(17).drive(0)
    gpio_board.line(17).drive(1)
    assert calls.wait() == [17, 17]


def test_event_detected_and_remove(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    calls = Calls()
    GPIO.add_event_detect(17, GPIO.BOTH, callback=calls)
    with pytest.raises(RuntimeError, match="Conflicting edge detection already enabled"):
        GPIO.add_event_detect(17, GPIO.BOTH)
    with pytest.raises(RuntimeError, match="Conflicting edge detection events already exist"):
        GPIO.wait_for_edge(17, GPIO.BOTH)
    assert not GPIO.event_detected(17)
    gpio_board.line(17).drive(0)
    calls.wait()
    assert GPIO.event_detected(17)
    assert not GPIO.event_detected(17)
    GPIO.remove_event_detect(17)
    GPIO.remove_event_detect(17)
    gpio_board.line(17).drive(1)
    assert not GPIO.event_detected(17)
    GPIO.add_event_detect(17, GPIO.FALLING, callback=calls)
    gpio_board.line(17).drive(0)
    assert calls.wait() == [17, 17]  # the edge in between was nobody's


def test_bouncetime_ignores_edges_after_the_first(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.setup(27, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    bounced, other = Calls(), Calls()
    GPIO.add_event_detect(17, GPIO.BOTH, callback=bounced, bouncetime=60_000)
    GPIO.add_event_detect(27, GPIO.BOTH, callback=other)
    for level in (0, 1, 0, 1):
        gpio_board.line(17).drive(level)
    bounced.wait()
    gpio_board.line(27).drive(0)
    other.wait()
    assert bounced.channels == [17]


def test_a_callback_may_clean_up(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    calls = Calls()

    def clean_up(channel):
        GPIO.remove_event_detect(channel)
        GPIO.cleanup(channel)
        calls(channel)

    GPIO.add_event_detect(17, GPIO.FALLING, callback=clean_up)
    gpio_board.line(17).drive(0)
    assert calls.wait() == [17]
    GPIO.setup(17, GPIO.OUT)
    assert gpio_board.line(17).consumer is not None


def test_wait_for_edge(gpio_board):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    began = time.monotonic()
    assert GPIO.wait_for_edge(17, GPIO.FALLING, timeout=20) is None
    assert time.monotonic() - began >= 0.02
    seen = threading.Event()

    def press_and_release():
        while not seen.wait(0.02):  # whenever the wait begins, an edge comes
            gpio_board.line(17).drive(0)
            gpio_board.line(17).drive(1)

    finger = threading.Thread(target=press_and_release)
    finger.start()
    assert GPIO.wait_for_edge(17, GPIO.FALLING, timeout=10_000) == 17
    seen.set()
    finger.join()


@contextlib.contextmanager
def presses(line):
    """Somebody presses and releases, again and again."""
    enough = threading.Event()

    def press():
        while not enough.wait(0.005):
            line.drive(0)
            line.drive(1)

    finger = threading.Thread(target=press)
    finger.start()
    try:
        yield
    finally:
        enough.set()
        finger.join()


@contextlib.contextmanager
def meanwhile(action):
    """`action` happens while somebody waits for an edge of GPIO17."""

    over = threading.Event()

    def act():
        while not (17 in GPIO._state.watches and GPIO._state.watches[17]._waits):
            if over.wait(0.001):
                return
        action()

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def button(gpio_board):
    """GPIO17, pulled up and watched by nobody yet."""
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    return gpio_board.line(17)


HOUR_MS = 3_600_000


def test_the_numbers_that_mean_not_given(button):
    calls = Calls()
    GPIO.add_event_detect(17, GPIO.FALLING, callback=calls, bouncetime=-666)
    button.drive(0)
    button.drive(1)
    button.drive(0)
    assert calls.wait(2) == [17, 17]
    GPIO.remove_event_detect(17)
    with presses(button):
        assert GPIO.wait_for_edge(17, GPIO.FALLING, bouncetime=-666, timeout=-1) == 17
        assert GPIO.wait_for_edge(17, GPIO.RISING, -666, -1) == 17


@pytest.mark.parametrize("bouncetime", [0, -1, -665])
@pytest.mark.parametrize("call", [GPIO.add_event_detect, GPIO.wait_for_edge])
def test_other_bouncetimes_are_refused(button, call, bouncetime):
    with pytest.raises(ValueError, match="Bouncetime must be greater than 0"):
        call(17, GPIO.FALLING, bouncetime=bouncetime)


@pytest.mark.parametrize("timeout", [0, -2, -666])
def test_other_timeouts_are_refused(button, timeout):
    with pytest.raises(ValueError, match="Timeout must be greater than 0"):
        GPIO.wait_for_edge(17, GPIO.FALLING, timeout=timeout)


def test_waits_keep_the_last_edge_of_their_channel(button):
    with presses(button):
        assert GPIO.wait_for_edge(17, GPIO.FALLING, bouncetime=HOUR_MS) == 17
        assert GPIO.wait_for_edge(17, GPIO.FALLING, bouncetime=HOUR_MS, timeout=50) is None
        # Another edge to wait for, the same channel and the same last edge.
        assert GPIO.wait_for_edge(17, GPIO.RISING, bouncetime=HOUR_MS, timeout=50) is None
        assert GPIO.wait_for_edge(17, GPIO.BOTH) == 17
        GPIO.remove_event_detect(17)  # which forgets it
        assert GPIO.wait_for_edge(17, GPIO.FALLING, bouncetime=HOUR_MS) == 17


def test_a_bouncetime_holds_after_a_wait_without_one(button):
    with presses(button):
        assert GPIO.wait_for_edge(17, GPIO.FALLING) == 17
        assert GPIO.wait_for_edge(17, GPIO.FALLING, bouncetime=HOUR_MS, timeout=50) is None


def test_an_edge_long_after_the_last_one_counts(button):
    with presses(button):
        for _ in range(3):
            assert GPIO.wait_for_edge(17, GPIO.FALLING, bouncetime=1, timeout=60_000) == 17


def test_an_edge_before_a_wait_is_not_waited_for(button):
    for edge in (GPIO.FALLING, GPIO.RISING):  # the first wait, and one that follows
        button.drive(0)
        button.drive(1)
        assert GPIO.wait_for_edge(17, edge, timeout=20) is None


def test_a_wait_beside_event_detection_without_callback(button):
    GPIO.add_event_detect(17, GPIO.FALLING)
    assert GPIO.wait_for_edge(17, GPIO.FALLING, timeout=20) is None
    assert not GPIO.event_detected(17)
    with presses(button):
        assert GPIO.wait_for_edge(17, GPIO.FALLING) == 17
        assert GPIO.event_detected(17)
        # One that waits for other edges leaves the detection as it is.
        assert GPIO.wait_for_edge(17, GPIO.RISING) == 17
    GPIO.event_detected(17)
    button.drive(0)
    calls = Calls()
    GPIO.add_event_callback(17, calls)
    button.drive(1)
    button.drive(0)
    calls.wait()
    assert GPIO.event_detected(17)


def test_two_threads_wait_for_one_edge(button):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(GPIO.wait_for_edge(17, GPIO.FALLING)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    with presses(button):
        for thread in threads:
            thread.join()
    assert results == [17, 17]


ENABLED = "Conflicting edge detection already enabled for this GPIO channel"
EXIST = "Conflicting edge detection events already exist for this GPIO channel"


def detect(*args, **kwargs):
    return lambda: GPIO.add_event_detect(17, *args, **kwargs)


def wait(*args, **kwargs):
    return lambda: GPIO.wait_for_edge(17, *args, **kwargs, timeout=1)


def callback(channel):
    pass


# event_gpio.c, add_edge_detect() and blocking_wait_for_edge(): what a channel is told first,
# then, and what the original says to that.
@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (detect(GPIO.FALLING), detect(GPIO.FALLING), ENABLED),
        (detect(GPIO.FALLING), detect(GPIO.RISING), ENABLED),
        (detect(GPIO.FALLING, callback), wait(GPIO.FALLING), EXIST),
        (detect(GPIO.FALLING, callback), wait(GPIO.RISING), EXIST),
        (detect(GPIO.FALLING), wait(GPIO.FALLING), None),
        (detect(GPIO.FALLING), wait(GPIO.RISING), None),
        (detect(GPIO.FALLING), wait(GPIO.FALLING, bouncetime=200), None),
        (detect(GPIO.FALLING, bouncetime=200), wait(GPIO.FALLING, bouncetime=200), None),
        (detect(GPIO.FALLING, bouncetime=200), wait(GPIO.FALLING, bouncetime=100), EXIST),
        (detect(GPIO.FALLING, bouncetime=200), wait(GPIO.FALLING), EXIST),
        (wait(GPIO.FALLING), detect(GPIO.FALLING), None),
        (wait(GPIO.FALLING), detect(GPIO.FALLING, bouncetime=200), ENABLED),
        (wait(GPIO.FALLING, bouncetime=200), detect(GPIO.FALLING, bouncetime=200), None),
        (wait(GPIO.FALLING, bouncetime=200), detect(GPIO.FALLING), None),
        (wait(GPIO.FALLING), detect(GPIO.RISING), ENABLED),
        (wait(GPIO.FALLING, bouncetime=200), wait(GPIO.FALLING), EXIST),
        (wait(GPIO.FALLING, bouncetime=200), wait(GPIO.RISING), None),
    ],
)
def test_conflicts(button, first, then, message):
    first()
    if message is None:
        then()
        return
    with pytest.raises(RuntimeError) as caught:
        then()
    assert str(caught.value) == message
    GPIO.remove_event_detect(17)
    then()


@pytest.mark.parametrize("pull", [GPIO.PUD_UP, GPIO.PUD_OFF])
def test_an_input_that_is_set_up_again_keeps_its_callbacks(button, pull):
    calls = Calls()
    GPIO.add_event_detect(17, GPIO.FALLING, callback=calls)
    GPIO.setup(17, GPIO.IN, pull_up_down=pull)
    button.drive(0)
    assert calls.wait() == [17]
    assert GPIO.event_detected(17)


def test_setting_up_again_loses_no_edge(button):
    calls = Calls()
    GPIO.add_event_detect(17, GPIO.FALLING, callback=calls)
    for pull in (GPIO.PUD_OFF, GPIO.PUD_UP) * 10:
        button.drive(1)
        button.drive(0)
        GPIO.setup(17, GPIO.IN, pull_up_down=pull)
        calls.wait()
    assert calls.channels == [17] * 20


def test_callbacks_rest_while_their_channel_is_an_output(button):
    calls = Calls()
    GPIO.add_event_detect(17, GPIO.FALLING, callback=calls)
    GPIO.setup(17, GPIO.OUT, initial=GPIO.HIGH)
    GPIO.output(17, GPIO.LOW)
    with pytest.raises(RuntimeError, match="as an input first"):
        GPIO.wait_for_edge(17, GPIO.FALLING)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    button.drive(0)
    assert calls.wait() == [17]


def test_a_callback_may_set_up_its_channel(button):
    calls = Calls()

    def blink(channel):
        GPIO.setup(channel, GPIO.OUT, initial=GPIO.LOW)
        GPIO.setup(channel, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        calls(channel)

    GPIO.add_event_detect(17, GPIO.FALLING, callback=blink)
    for count in (1, 2):
        button.drive(0)
        calls.wait()
        assert calls.channels == [17] * count
        button.drive(1)


def test_cleanup_forgets_callbacks(button):
    old, new = Calls(), Calls()
    GPIO.add_event_detect(17, GPIO.FALLING, callback=old)
    GPIO.cleanup(17)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.add_event_detect(17, GPIO.FALLING, callback=new)
    button.drive(0)
    assert new.wait() == [17]
    assert old.channels == []


def test_removing_does_not_wait_for_a_callback(button):
    lock, begun, calls = threading.Lock(), threading.Semaphore(0), Calls()

    def callback(channel):
        begun.release()
        with lock:  # as gpiozero does
            calls(channel)

    with lock:
        GPIO.add_event_detect(17, GPIO.FALLING, callback=callback)
        button.drive(0)
        assert begun.acquire(timeout=30)
        began = time.monotonic()
        for _ in range(10):
            GPIO.remove_event_detect(17)
            GPIO.add_event_detect(17, GPIO.RISING, callback=callback)
        assert time.monotonic() - began < 10  # each wait would be a second at least
        button.drive(1)
    assert calls.wait(2) == [17, 17]


@pytest.mark.parametrize("detecting", [True, False])
def test_a_callback_may_wait_for_an_edge_of_another_channel(gpio_board, button, detecting):
    GPIO.setup(27, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    if detecting:
        GPIO.add_event_detect(27, GPIO.FALLING)
    waited = Calls()
    GPIO.add_event_detect(
        17, GPIO.FALLING, callback=lambda _: waited(GPIO.wait_for_edge(27, GPIO.FALLING))
    )
    button.drive(0)
    with presses(gpio_board.line(27)):
        assert waited.wait() == [27]
        button.drive(1)
        button.drive(0)
        assert waited.wait() == [27, 27]
    # What came meanwhile is detected, too.
    later = Calls()
    GPIO.add_event_callback(17, later)
    button.drive(1)
    gpio_board.line(27).drive(0)
    button.drive(0)
    gpio_board.line(27).drive(1)
    with presses(gpio_board.line(27)):
        later.wait()
    assert GPIO.event_detected(27) is detecting


@pytest.mark.parametrize(
    "take",
    [
        lambda: GPIO.cleanup(17),
        lambda: GPIO.remove_event_detect(17),
    ],
)
def test_a_wait_ends_when_its_channel_is_taken_away(button, take):
    with meanwhile(take), pytest.raises(RuntimeError, match="Error waiting for edge"):
        GPIO.wait_for_edge(17, GPIO.FALLING)


def test_edges_of_a_board_that_goes(gpio_board, button, capfd):
    with (
        meanwhile(gpio_board.close),
        pytest.raises(RuntimeError, match="Error waiting for edge") as caught,
    ):
        GPIO.wait_for_edge(17, GPIO.FALLING)
    assert caught.value.__cause__.errno == errno.ENODEV
    GPIO.cleanup()
    assert capfd.readouterr().err == ""


def test_callbacks_of_a_board_that_goes_say_so(gpio_board, button, capfd):
    GPIO.add_event_detect(17, GPIO.RISING)
    gpio_board.close()
    with pytest.raises(RuntimeError, match="Error waiting for edge"):
        GPIO.wait_for_edge(17, GPIO.FALLING)
    assert "line 17 of pinctrl-bcm2835" in capfd.readouterr().err


@contextlib.contextmanager
def handled(handler):
    """SIGUSR1 calls `handler`."""
    before = signal.signal(signal.SIGUSR1, lambda number, frame: handler())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def interrupt():
    os.kill(os.getpid(), signal.SIGUSR1)


def test_a_signal_handler_ends_a_wait(button):
    class Stop(Exception):
        pass

    def stop():
        raise Stop

    with handled(stop), meanwhile(interrupt), pytest.raises(Stop):
        GPIO.wait_for_edge(17, GPIO.FALLING)


def test_a_signal_handler_that_cleans_up_ends_a_wait(button):
    with (
        handled(GPIO.cleanup),
        meanwhile(interrupt),
        pytest.raises(RuntimeError, match="Error waiting for edge"),
    ):
        GPIO.wait_for_edge(17, GPIO.FALLING)
    assert button.consumer is None


def test_a_signal_handler_may_use_the_channel_that_is_waited_for(button):
    calls = Calls()

    def use():
        GPIO.setup(17, GPIO.OUT, initial=GPIO.LOW)
        GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        GPIO.add_event_detect(17, GPIO.FALLING)
        GPIO.add_event_callback(17, calls)
        button.drive(0)

    with handled(use), meanwhile(interrupt):
        assert GPIO.wait_for_edge(17, GPIO.FALLING) == 17
    assert calls.wait() == [17]


def test_a_wait_goes_on_while_its_channel_is_an_output(button):
    def use():
        GPIO.setup(17, GPIO.OUT, initial=GPIO.HIGH)
        GPIO.output(17, GPIO.LOW)
        GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        button.drive(0)

    with meanwhile(use):
        assert GPIO.wait_for_edge(17, GPIO.FALLING) == 17


def test_detection_and_waits_take_turns(button):
    """Whoever waits reads the line, or the service thread does: they hand it over."""

    def detect_and_press():
        GPIO.add_event_detect(17, GPIO.RISING)
        button.drive(0)
        button.drive(1)

    for _ in range(20):
        GPIO.add_event_detect(17, GPIO.FALLING)
        GPIO.remove_event_detect(17)
        assert GPIO.wait_for_edge(17, GPIO.FALLING, timeout=1) is None
        with meanwhile(detect_and_press):
            assert GPIO.wait_for_edge(17, GPIO.RISING) == 17
        GPIO.remove_event_detect(17)


def test_waits_on_a_virtual_clock_take_no_time(monkeypatch):
    monkeypatch.setattr(GPIO, "_state", GPIO._State())
    clock = VirtualClock()
    with sim.Board(clock=clock) as board:
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        for at in (100, 100.05, 200):
            board.line(17).drive(0, at=at)
            board.line(17).drive(1, at=at + 0.01)
        wait = functools.partial(GPIO.wait_for_edge, 17, GPIO.FALLING, bouncetime=100)
        assert wait(timeout=1_000_000) == 17
        assert clock.time() == 100
        assert wait(timeout=1_000) is None  # with the bounce at 100.05 in it
        assert clock.time() == 101
        assert wait(timeout=1_000_000) == 17
        assert clock.time() == 200
        GPIO.release_all()


def act_at_random(random):
    """Something that a program may do with GPIO17; what was not to be expected, if that came."""
    edges = (GPIO.RISING, GPIO.FALLING, GPIO.BOTH)
    try:
        match random.randrange(8):
            case 0:
                pull = random.choice([GPIO.PUD_OFF, GPIO.PUD_UP, GPIO.PUD_DOWN])
                GPIO.setup(17, GPIO.IN, pull_up_down=pull)
            case 1:
                GPIO.setup(17, GPIO.OUT)
            case 2 | 3:
                GPIO.add_event_detect(17, random.choice(edges), random.choice([None, callback]))
            case 4:
                GPIO.remove_event_detect(17)
            case 5 | 6:
                GPIO.wait_for_edge(17, random.choice(edges), timeout=random.choice([1, 3]))
            case 7 if random.random() < 0.2:
                GPIO.cleanup(17)
    except (RuntimeError, OSError) as exc:
        expected = ("Conflicting", "Error waiting", "You must setup()", "of this program")
        if not any(word in str(exc) for word in expected):
            return [exc]
    return []


def test_threads_that_do_as_they_like_on_one_channel(button, caplog):
    """Nothing hangs, dies in the service thread, or is closed while it is read there."""
    unexpected = []

    def work(seed):
        random = Random(seed)
        for _ in range(300):
            unexpected.extend(act_at_random(random))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    with presses(button):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (unexpected, caplog.messages) == ([], [])


def test_edges_count_in_the_time_of_their_board(gpio_board):
    """Whatever board is current where they are asked for: its clock may be far ahead."""
    clock = VirtualClock()
    gpio_board._world.use_clock(clock)
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.IN, GPIO.PUD_UP)
    came = threading.Event()
    with sim.Board("pi-zero-w"):
        GPIO.add_event_detect(17, GPIO.FALLING, lambda channel: came.set())
        gpio_board.line(17).drive(0)
        assert came.wait(30)
    GPIO.cleanup()
    gpio_board._world.use_clock(None)
