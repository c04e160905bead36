"""gpiozero, unmodified from PyPI, on our pin factory: idle, and beside processes that are busy."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
import warnings
from pathlib import Path

import pytest
from running import ENVIRONMENT, as_python_does, run

from pyasync_hw import gpio, sim
from pyasync_hw.compat import shims
from pyasync_hw.compat.gpio_channel import Channel

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


@pytest.fixture(params=["ours", "ours, busy", "rpigpio"])
def board(request, gpio_board, monkeypatch):
    """A simulated board behind our pin factory, or gpiozero's own on our RPi.GPIO."""
    local = pytest.importorskip("gpiozero.pins.local")
    monkeypatch.setattr(local, "get_pi_revision", lambda: ZERO_W)  # there is no /proc of a Pi
    uninstall = shims.install(["RPi.GPIO"])
    try:
        if request.param == "rpigpio":
            from gpiozero.pins.rpigpio import RPiGPIOFactory as Factory
        else:
            from pyasync_hw.compat.gpiozero import Factory
        gpiozero.Device.pin_factory = Factory()
        with busy_machine() if "busy" in request.param else contextlib.nullcontext():
            yield gpio_board
    finally:
        gpiozero.Device.pin_factory.close()
        gpiozero.Device.pin_factory = None
        uninstall()


@pytest.fixture
def ours(gpio_board):
    """A simulated board behind our pin factory."""
    from pyasync_hw.compat.gpiozero import Factory

    gpiozero.Device.pin_factory = Factory()
    yield gpio_board
    gpiozero.Device.pin_factory.close()
    gpiozero.Device.pin_factory = None


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


def test_a_press_that_is_shorter_than_the_bounce_time(gpio_board):
    """It is over when edges are not ignored any more; nothing is held."""
    from pyasync_hw.compat.gpiozero import Factory

    line, factory = gpio_board.line(17), Factory()
    pressed, released = Count(), Count()
    try:
        with gpiozero.Button(17, bounce_time=0.2, hold_time=3600, pin_factory=factory) as button:
            button.when_pressed = pressed.happened
            button.when_released = released.happened
            for _ in range(3):
                line.drive(0)
                pressed.wait()
                line.drive(1)
                released.wait()
                assert not button.is_pressed
            line.drive(0)
            pressed.wait()
            line.drive(1)  # what would settle now ends with the button
    finally:
        factory.close()


class Echo:
    """An HC-SR04: after each trigger its echo pin is high for as long as sound takes."""

    def __init__(self, board, monkeypatch):
        self.distance = None
        self._line = board.line(ECHO)
        with gpio.Input(ECHO):
            begin = board.time()  # where `at` of this line counts from
        real = Channel.drive

        def drive(channel, value):
            real(channel, value)
            if channel.line_offset == TRIGGER and not value and self.distance is not None:
                now = board.time() - begin
                self._line.drive(1, at=now + 0.0005)
                self._line.drive(0, at=now + 0.0005 + 2 * self.distance / 343.26)

        monkeypatch.setattr(Channel, "drive", drive)
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


def test_distance_is_measured_by_the_time_stamps(ours):
    hand = ours.attach(sim.HCSR04(TRIGGER, ECHO, distance=0.35))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with gpiozero.DistanceSensor(echo=ECHO, trigger=TRIGGER, queue_len=3) as sensor:
            assert sensor.distance == pytest.approx(0.35, abs=0.005)
            hand.move(0.1)
            assert sensor.wait_for_in_range(PATIENCE_S)
            until(lambda: sensor.distance == pytest.approx(0.1, abs=0.005))


def wave_of(board, pin):
    """What is on a line: (Hz, percent)."""
    frequency, duty = board.line(pin).pwm
    return round(frequency), round(100 * duty)


def test_pwm_led(board):
    with gpiozero.PWMLED(17) as led:
        led.value = 0.25
        until(lambda: wave_of(board, 17) == (100, 25))
        assert led.value == 0.25
        led.frequency = 500
        until(lambda: wave_of(board, 17) == (500, 25))
        led.on()
        until(lambda: wave_of(board, 17) == (0, 100))
        led.off()
        until(lambda: wave_of(board, 17) == (0, 0))
        led.pulse(fade_in_time=0.02, fade_out_time=0.02, n=1, background=False)
        assert led.value == 0
    assert board.line(17).value == 0


def test_rgb_led_and_servo(board):
    with gpiozero.RGBLED(5, 6, 13) as led, gpiozero.Servo(18) as servo:
        led.color = (1, 0.5, 0.25)
        until(
            lambda: [wave_of(board, pin) for pin in (5, 6, 13)] == [(0, 100), (100, 50), (100, 25)]
        )
        for value, percent in ((-1, 5), (0, 7.5), (1, 10)):
            servo.value = value
            until(lambda p=percent: board.line(18).pwm == pytest.approx((50, p / 100), rel=1e-6))
            assert servo.value == pytest.approx(value)
        servo.detach()
        until(lambda: wave_of(board, 18) == (0, 0))
        assert servo.value is None


class Capacitor:
    """It is charged through a light sensor, once the pin that empties it lets go."""

    def __init__(self, board, monkeypatch, pin):
        self.seconds = None
        line = board.line(pin)
        with gpio.Input(pin):
            begin = board.time()
        real_input, real_output = Channel.be_input, Channel.be_output

        def be_input(channel, bias):
            real_input(channel, bias)
            if self.seconds is not None:
                line.drive(1, at=board.time() - begin + self.seconds)

        def be_output(channel, value):
            line.release()
            real_output(channel, value)

        monkeypatch.setattr(Channel, "be_input", be_input)
        monkeypatch.setattr(Channel, "be_output", be_output)


def test_light_sensor(ours, monkeypatch):
    capacitor = Capacitor(ours, monkeypatch, 18)
    capacitor.seconds = 0.0
    options = {"queue_len": 1, "charge_time_limit": 1.0}
    with gpiozero.LightSensor(18, **options) as sensor:
        assert sensor.wait_for_light(PATIENCE_S)
        assert sensor.value > 0.1
        capacitor.seconds = None  # never
        assert sensor.wait_for_dark(PATIENCE_S)


def test_a_value_that_comes_when_the_wave_has_ended_does_nothing(ours):
    """As from `source`, whose thread gpiozero stops after it has ended the wave."""
    pin = gpiozero.Device.pin_factory.pin(17)
    pin.output_with_state(0)
    pin.frequency, pin.state = 100, 0.5
    pin.frequency = None
    pin.state = 0.5
    assert (pin.state, ours.line(17).value) == (0, 0)
    pin.state = 1
    assert ours.line(17).value == 1
    pin.output_with_state(0)
    with pytest.raises(gpiozero.PinInvalidState):
        pin.state = 0.5


def test_mcp3008(ours):
    chip = ours.attach(sim.MCP3008("spi0.0", volts=[3.3]))
    with gpiozero.MCP3008(channel=0) as pot, gpiozero.MCP3008(channel=7) as other:
        chip.set(7, 0.33)
        assert pot.value == 1.0
        assert (pot.raw_value, other.raw_value) == (1023, 102)
        with gpiozero.PWMLED(17) as led:  # the potentiometer of the documentation
            led.source = pot
            until(lambda: wave_of(ours, 17) == (0, 100))
            chip.set(0, 1.65)
            until(lambda: wave_of(ours, 17) == (100, 50))


def test_callbacks_come_in_the_order_of_the_edges(ours):
    """One thread calls them; while it is in one, edges of other pins come."""
    order, busy, go_on, done = [], threading.Event(), threading.Event(), threading.Event()
    with gpiozero.Button(5, hold_time=0.02) as first, gpiozero.Button(6, hold_time=0.02) as second:

        def note(button):
            order.append((button.pin.info.name, button.is_active, threading.get_ident()))
            if len(order) == 1:
                busy.set()
                assert go_on.wait(PATIENCE_S)
            if len(order) == 6:
                done.set()

        for button in (first, second):
            button.when_activated = button.when_deactivated = lambda button=button: note(button)
        ours.line(5).drive(0)
        assert busy.wait(PATIENCE_S)
        for pin, level in ((6, 0), (6, 1), (5, 1), (6, 0), (5, 0)):
            ours.line(pin).drive(level)
        go_on.set()
        assert done.wait(PATIENCE_S)
    assert [name for name, _, _ in order] == [f"GPIO{pin}" for pin in (5, 6, 6, 5, 6, 5)]
    assert len({thread for _, _, thread in order}) == 1
    assert order[0][2] != threading.get_ident()


def test_what_a_callback_raises_is_reported_and_the_next_one_runs(ours, monkeypatch):
    reported, pressed = [], Count()
    monkeypatch.setattr(sys, "excepthook", lambda _, exc, trace: reported.append(exc))
    with gpiozero.Button(17) as button, gpiozero.Button(27) as other:
        button.when_pressed = lambda: 1 / 0
        other.when_pressed = pressed.happened
        ours.line(17).drive(0)
        ours.line(27).drive(0)
        pressed.wait()
    assert [type(exc) for exc in reported] == [ZeroDivisionError]


def test_the_time_of_an_edge_is_its_own(ours):
    times = []
    with gpiozero.Button(17) as button:
        told = threading.Event()

        def changed(ticks, state):
            times.append((ticks, state))
            told.set()

        button.pin.when_changed = changed
        with gpio.Input(17, bias="pull_up") as line:  # another user of it sees the same edge
            ours.line(17).drive(0)
            stamp = line.blocking.wait_for_edge("falling", PATIENCE_S).timestamp_ns
        assert told.wait(PATIENCE_S)
    assert times == [(stamp / 1e9, 0)]


def test_pins_refuse_what_they_cannot(ours):
    factory = gpiozero.Device.pin_factory
    pin = factory.pin("GPIO17")
    assert (pin.function, pin.pull, pin.edges, pin.bounce) == ("input", "floating", "both", None)
    with pytest.raises(gpiozero.PinSetInput):
        pin.state = 1
    with pytest.raises(gpiozero.PinInvalidFunction):
        pin.function = "alt0"
    with pytest.raises(gpiozero.PinInvalidPull):
        pin.pull = "sideways"
    with pytest.raises(gpiozero.PinInvalidEdges):
        pin.edges = "some"
    with pytest.raises(gpiozero.PinInvalidBounce):
        pin.bounce = -1
    with pytest.raises(gpiozero.PinFixedPull):
        factory.pin(2).pull = "down"
    pin.function = "output"
    with pytest.raises(gpiozero.PinFixedPull):
        pin.pull = "up"
    with pytest.raises(gpiozero.PinInvalidState):
        pin.state = 0.5
    pin.frequency = 100
    assert (pin.frequency, pin.state) == (100, 0)
    with pytest.raises(gpiozero.PinInvalidState):
        pin.state = 1.5
    pin.function = "input"
    assert pin.frequency is None
    with pytest.raises(gpiozero.PinPWMFixedValue):
        pin.frequency = 100
    with pytest.raises(gpiozero.PinInvalidPin):
        factory.pin("BOARD1")


def test_closing_the_factory_gives_the_lines_back(ours):
    button = gpiozero.Button(17)
    assert ours.line(17).consumer == "pyasync_hw"
    gpiozero.Device.pin_factory.close()
    until(lambda: ours.line(17).consumer is None)  # the service thread may be at it
    button.close()


def test_spi_has_gpiozero_s_properties(ours):
    with gpiozero.Device.pin_factory.spi(port=0, device=1) as bus:
        assert repr(bus) == "SPI(port=0, device=1)"
        assert (bus.clock_mode, bus.lsb_first, bus.select_high) == (0, False, False)
        assert (bus.bits_per_word, bus.rate) == (8, 500_000)
        bus.clock_mode, bus.rate = 3, 1_000_000
        assert (bus.clock_polarity, bus.clock_phase, bus.rate) == (True, True, 1_000_000)
        with pytest.raises(gpiozero.SPIInvalidClockMode):
            bus.clock_mode = 4
        assert bus.transfer([1, 2, 3]) == [0, 0, 0]  # nothing is there
        with pytest.raises(gpiozero.GPIOPinInUse):
            gpiozero.Device.pin_factory.spi(port=0, device=1)
    assert repr(bus) == "SPI(closed)"
    with pytest.raises(gpiozero.DeviceClosed):
        bus.transfer([1])
    options = {"port": 0, "device": 0, "shared": True}
    one = gpiozero.Device.pin_factory.spi(**options)
    assert gpiozero.Device.pin_factory.spi(**options) is one
    one.close()
    one.close()


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


def test_run_leaves_gpiozero_alone_where_it_is_told_so():
    code = "from gpiozero import Device; print(Device._default_pin_factory.__module__)"
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "GPIOZERO_PIN_FACTORY"}
    expected = {"gpiozero": "pyasync_hw.compat.gpiozero_default", "none": "gpiozero.devices"}
    for names, module in expected.items():
        assert run("--shims", names, "-c", code, env=environment) == (0, f"{module}\n", "")


def test_the_factory_has_an_entry_point(program, tmp_path):
    """Where the package is installed, gpiozero finds it by name; here, by what would be."""
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    group = project["entry-points"]["gpiozero_pin_factories"]
    folder = tmp_path / "site" / "installed-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1\n")
    lines = [f"{name} = {where}" for name, where in group.items()]
    (folder / "entry_points.txt").write_text("\n".join(["[gpiozero_pin_factories]", *lines]))
    path = program(
        """\
        from gpiozero import LED
        with LED(17) as led:
            led.on()
            print(type(led.pin_factory).__module__, led.pin_factory.board_info.model, led.value)
        """
    )
    environment = {
        **ENVIRONMENT,
        "PYTHONPATH": f"{folder.parent}{os.pathsep}{root}",
        "GPIOZERO_PIN_FACTORY": "pyasync_hw",
        "PYASYNC_HW": "sim",
    }
    done = as_python_does(path, env=environment)
    assert done == (0, "pyasync_hw.compat.gpiozero Zero W 1\n", "")


CHILD = """\
import os
import gpiozero
from pyasync_hw import hardware
button = gpiozero.Button(17)
button.when_pressed = lambda: print("pressed", flush=True)
if os.fork() == 0:
    raise SystemExit(3)  # and gpiozero closes all devices
print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
hardware.current().line(17).drive(0)
assert button.wait_for_press(60)
assert button.is_pressed
"""


def test_a_forked_child_leaves_the_pins_alone_and_the_program_ends(program):
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "GPIOZERO_PIN_FACTORY"}
    environment["PYTHONWARNINGS"] = "ignore::DeprecationWarning"
    status, out, err = run("-c", CHILD, env=environment)
    assert (status, err) == (0, "")
    assert out.splitlines() in (["3", "pressed"], ["3"])  # it may end before its callback


# gpiozero's documentation, "Basic recipes", as it stands there; what it prints, and when.
RECIPES = {
    "wait for a button": (
        """\
        from gpiozero import Button

        button = Button(2)

        button.wait_for_press()
        print("Button was pressed")
        """,
        "Button was pressed",
    ),
    "a callback": (
        """\
        from gpiozero import Button
        from signal import pause

        def say_hello():
            print("Hello!")

        button = Button(2)

        button.when_pressed = say_hello

        pause()
        """,
        "Hello!",
    ),
    "a LED by a button": (
        """\
        from gpiozero import LED, Button
        from signal import pause

        led = LED(17)
        button = Button(2)

        led.source = button

        while not led.is_lit:  # the recipe does without this
            pass
        print("lit")

        pause()
        """,
        "lit",
    ),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_run_and_end(program, tmp_path, recipe):
    text, prints = RECIPES[recipe]
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('[[event]]\nat = 0.05\nline = "GPIO2"\ndrive = 0\n')
    command = ["-u", "-m", "pyasync_hw", "run", "--hw", "sim", "--scenario", str(scenario)]
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "GPIOZERO_PIN_FACTORY"}
    with subprocess.Popen(
        [sys.executable, *command, program(text)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.readline() == f"{prints}\n"
        if "pause()" in text:
            child.send_signal(signal.SIGINT)
            status = -signal.SIGINT
        else:
            status = 0
        _, err = child.communicate(timeout=PATIENCE_S)
        assert child.returncode == status, err
        assert err == "" if status == 0 else err.endswith("\nKeyboardInterrupt\n")
        assert err.count("Traceback") == (status != 0), err
