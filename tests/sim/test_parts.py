"""Each part of the simulator, by an ordinary program."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

import pyasync_hw
from pyasync_hw import gpio, hardware, sim
from pyasync_hw.compat.RPi import GPIO
from pyasync_hw.compat.service import service
from pyasync_hw.compat.spidev import SpiDev


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, hw_board: sim.Board) -> Iterator[None]:
    """RPi.GPIO, as a program finds it that has just begun; gone before the board."""
    monkeypatch.setattr(GPIO, "_state", GPIO._State())
    GPIO.setwarnings(False)
    GPIO.setmode(GPIO.BCM)
    yield
    GPIO.release_all()
    service.stop()


class Probe(sim.Part):
    """Keeps the levels of a line, and drives it."""

    pins = ("pin",)

    def on_attach(self) -> None:
        self.told: list[tuple[float, int]] = []

    def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
        self.told.append((time, level))


def test_a_button_bounces_as_its_seed_says(hw_board: sim.Board) -> None:
    buttons = [
        hw_board.attach(sim.Button(pin, bounce=0.004, seed=seed))
        for pin, seed in ((17, 7), (27, 7), (22, 8))
    ]
    probes = [hw_board.attach(Probe(pin=pin)) for pin in (17, 27, 22)]
    assert [button.name for button in buttons] == ["button1", "button2", "button3"]

    async def main() -> None:
        inputs = [gpio.Input(pin, bias="pull_up") for pin in (17, 27, 22)]
        await asyncio.sleep(1)
        for probe in probes:
            probe.told.clear()
        for button in buttons:
            button.press()
        assert [line.value for line in inputs] == [0, 0, 0]
        await asyncio.sleep(1)
        for line in inputs:
            line.close()

    pyasync_hw.run(main(), clock=hw_board.clock)
    one, same, other = ([(t, level) for t, level in probe.told if t < 2] for probe in probes)
    assert one == same
    assert one != other
    for told in (one, other):
        assert told[0] == (1.0, 0)
        assert told[-1][1] == 0
        assert 1.0 < told[-1][0] <= 1.004
        assert len(told) in range(5, 18)
        assert all(before[1] != after[1] for before, after in pairwise(told))


def test_a_debounced_line_sees_each_press_once(hw_board: sim.Board) -> None:
    button = hw_board.attach(sim.Button("GPIO17", bounce=0.004, seed=1))

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        with gpio.Input(17, bias="pull_up", debounce_period=0.01) as line:
            for second in range(3):
                loop.call_later(second + 0.5, button.click, 0.2)
            seen = [(await line.wait_for_edge()).event_type for _ in range(6)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):
                    await line.wait_for_edge()
            return seen

    assert pyasync_hw.run(main(), clock=hw_board.clock) == ["falling", "rising"] * 3


@pytest.mark.usefixtures("script")
def test_a_callback_of_rpi_gpio_hears_a_button_to_3v3() -> None:
    heard: queue.Queue[int] = queue.Queue()
    with sim.Board() as board:
        before = hardware.set_default(board)
        button = board.attach(sim.Button(23, to_3v3=True))
        GPIO.setup(23, GPIO.IN, pull_up_down=GPIO.PUD_DOWN)
        GPIO.add_event_detect(23, GPIO.RISING, callback=heard.put)
        for _ in range(3):
            button.click(0.001)
            assert heard.get(timeout=60) == 23
        GPIO.cleanup()
        hardware.set_default(before)


def test_an_led_remembers_when_it_was_lit(hw_board: sim.Board) -> None:
    green = hw_board.attach(sim.LED(17))
    red = hw_board.attach(sim.LED(27, active_high=False, name="red"))
    assert (green.lit, red.lit) == (False, True)

    async def main() -> None:
        with gpio.Output(17) as line:
            for _ in range(2):
                line.on()
                assert green.lit
                await asyncio.sleep(0.5)
                line.off()
                await asyncio.sleep(0.25)
        with gpio.Output(27) as line:
            line.on()
            assert not red.lit
            line.off()

    pyasync_hw.run(main(), clock=hw_board.clock)
    assert green.history == [(0.0, True), (0.5, False), (0.75, True), (1.25, False)]
    assert red.history == [(1.5, False), (1.5, True)]


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("distance", [0.02, 0.5, 4.0, None])
def test_an_hc_sr04_answers_by_distance(hw_board: sim.Board, distance: float | None) -> None:
    sensor = hw_board.attach(sim.HCSR04(trigger=23, echo=24, distance=2.0))
    sensor.move(distance)
    GPIO.setup(23, GPIO.OUT, initial=GPIO.LOW)

    async def measure() -> float:
        with gpio.Input(24) as echo:
            GPIO.output(23, 1)
            await asyncio.sleep(0.00001)
            GPIO.output(23, 0)
            rose = await echo.wait_for_edge("rising")
            fell = await echo.wait_for_edge("falling")
            return (fell.timestamp_ns - rose.timestamp_ns) / 1e9

    length = pyasync_hw.run(measure(), clock=hw_board.clock)
    assert length == pytest.approx(0.038 if distance is None else 2 * distance / 343, abs=1e-6)


@pytest.mark.usefixtures("script")
def test_an_hc_sr04_does_not_hear_a_short_trigger(hw_board: sim.Board) -> None:
    hw_board.attach(sim.HCSR04(trigger=23, echo=24))

    async def main() -> None:
        with gpio.Input(24) as echo:
            GPIO.setup(23, GPIO.OUT, initial=GPIO.LOW)
            GPIO.output(23, 1)
            GPIO.output(23, 0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await echo.wait_for_edge()

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_a_script_measures_in_real_time(script: None) -> None:
    """As tutorials have it, which poll the echo."""
    with sim.Board() as board:
        before = hardware.set_default(board)
        board.attach(sim.HCSR04(trigger=23, echo=24, distance=3.43))
        GPIO.setup(23, GPIO.OUT)
        GPIO.setup(24, GPIO.IN)
        GPIO.output(23, False)
        GPIO.output(23, True)
        time.sleep(0.00001)
        GPIO.output(23, False)
        start = looked = time.monotonic()
        while GPIO.input(24) == 0:
            start, looked = looked, time.monotonic()
        while GPIO.input(24) == 1:
            pass
        stop = time.monotonic()
        GPIO.cleanup()
        hardware.set_default(before)
    assert stop - start > 0.0199  # 20 ms; start was before the last look at a low echo


@pytest.mark.usefixtures("script")
def test_a_key_matrix_is_scanned(hw_board: sim.Board) -> None:
    rows, columns = [5, 6, 13, 19], [12, 16, 20, 21]
    pad = hw_board.attach(sim.KeyMatrix(rows, columns, keys="123A456B789C*0#D"))
    GPIO.setup(rows, GPIO.OUT, initial=GPIO.HIGH)
    GPIO.setup(columns, GPIO.IN, pull_up_down=GPIO.PUD_UP)

    def scan() -> str:
        down = ""
        for row, pin in enumerate(rows):
            GPIO.output(pin, GPIO.LOW)
            down += "".join(
                pad.keys[4 * row + column]
                for column, line in enumerate(columns)
                if GPIO.input(line) == GPIO.LOW
            )
            GPIO.output(pin, GPIO.HIGH)
        return down

    assert scan() == ""
    for key in pad.keys:
        pad.press(key)
        assert scan() == key
        pad.release(key)
    assert scan() == ""
    pad.press("5")
    pad.press((3, 3))
    assert scan() == "5D"
    with pytest.raises(ValueError, match="no key 'x'; there are: 1 2 3 A"):
        pad.press("x")
    with pytest.raises(ValueError, match="no key in row 4, column 0"):
        pad.press((4, 0))


def test_a_wire_joins_both_ways(hw_board: sim.Board) -> None:
    hw_board.attach(sim.Wire(17, 27))
    for one, other in ((17, 27), (27, 17)):
        with gpio.Output(one) as output, gpio.Input(other, bias="pull_down") as line:
            for level in (1, 0, 1, 1, 0, 1):
                output.value = level
                assert line.value == level
        assert hw_board.clock is not None
        hw_board.clock.advance(0)  # who closes a line does not wait for parts
        assert [hw_board.line(pin).value for pin in (17, 27)] == [0, 0]


@pytest.mark.parametrize(
    ("kind", "channels", "ask", "shift"),
    [
        (sim.MCP3008, 8, lambda n: [1, (8 + n) << 4, 0], 0),
        (sim.MCP3004, 4, lambda n: [1, (8 + n) << 4, 0], 0),
        (sim.MCP3002, 2, lambda n: [0b01101000 | n << 4, 0], 0),
    ],
)
def test_an_adc_is_read_by_spidev(hw_board, kind, channels, ask, shift):  # type: ignore[no-untyped-def]
    adc = hw_board.attach(kind("spi0.0", volts=[0.1, 3.3]))
    adc.set(channels - 1, 1.65)
    spi = SpiDev()
    spi.open(0, 0)
    spi.max_speed_hz = 1_000_000
    values = []
    for channel in range(channels):
        answer = spi.xfer2(ask(channel))
        values.append((answer[-2] & 3) << 8 | answer[-1])
    spi.close()
    wanted = [31, 1023] + [0] * (channels - 2)
    wanted[channels - 1] = 512
    assert values == wanted


def test_an_mcp3008_measures_differences_and_repeats_itself_backwards() -> None:
    adc = sim.MCP3008(volts=[2.0, 1.0], vref=5.0)
    code = 204
    answer = adc.transfer(bytes([1, 0, 0, 0]))
    assert int.from_bytes(answer, "big") >> 8 & 0x3FF == code
    assert f"{answer[3]:08b}" == f"{code:010b}"[-2::-1][:8]
    assert adc.transfer(bytes([1, 1 << 4, 0]))[1:] == bytes(2)
    assert adc.transfer(bytes(3)) == bytes(3)
    two = sim.MCP3002(volts=[1.0, 2.0], vref=5.0)
    assert two.transfer(b"\x68\0\0") == bytes([0, code, 0])  # MSBF: zeros follow
    assert two.transfer(b"\x60\0\0") == bytes([0, code, int(f"{code:010b}"[-2:0:-1], 2)])
    with pytest.raises(ValueError, match="volts must be -100 to 100 V, not nan"):
        adc.set(0, float("nan"))
    with pytest.raises(ValueError, match="channel must be 0 to 7, not 8"):
        adc.set(8, 1.0)


def test_a_light_sensor_charges_from_when_it_is_let_go(hw_board: sim.Board) -> None:
    light = hw_board.attach(sim.LightSensor(18, charge_time=0.002))

    async def measure() -> float | None:
        """gpiozero's way; None: it takes more than 10 ms."""
        with gpio.Output(18):
            await asyncio.sleep(0.1)
            assert hw_board.line(18).value == 0
        with gpio.Input(18) as line:
            start = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(0.01):
                    edge = await line.wait_for_edge("rising")
            except TimeoutError:
                return None
            return edge.timestamp_ns / 1e9 - start

    async def main() -> None:
        for _ in range(2):
            assert await measure() == pytest.approx(0.002, abs=1e-6)
        light.set(0.015)
        for _ in range(3):  # what has not charged is emptied, and begins anew
            assert await measure() is None
        light.set(None)
        assert await measure() is None
        light.set(0.0005)
        assert await measure() == pytest.approx(0.0005, abs=1e-6)

    pyasync_hw.run(main(), clock=hw_board.clock)
    with pytest.raises(ValueError, match="charge_time must be"):
        light.set(-1)


@pytest.mark.parametrize(
    ("make", "error", "problem"),
    [
        (lambda: sim.Button(4, bounce="x"), TypeError, "bounce must be a number, not 'x'"),
        (lambda: sim.Button(4, bounce=True), TypeError, "bounce must be a number, not True"),
        (lambda: sim.Button(4).click("x"), TypeError, "hold must be a number"),
        (lambda: sim.Button(4).press(), ReferenceError, "is on no board"),
        (lambda: sim.LED(4).lit, ReferenceError, "is on no board"),
        (lambda: sim.LED(4, name=3), TypeError, "name must be a string, not 3"),
        (lambda: sim.HCSR04(4, 4), ValueError, "trigger and echo are the same line, GPIO4"),
        (lambda: sim.HCSR04(4, 5, distance="far"), TypeError, "distance must be a number"),
        (lambda: sim.HCSR04(4, 5, distance=5), ValueError, "distance must be 0.02 to 4 m, not 5"),
        (lambda: sim.KeyMatrix([], [1]), ValueError, "rows must name at least one pin"),
        (lambda: sim.KeyMatrix("45", [1]), TypeError, "rows must be a list of pins, not '45'"),
        (lambda: sim.KeyMatrix([4], 1), TypeError, "columns must be a list of pins, not 1"),
        (lambda: sim.KeyMatrix([4], [1], keys="12"), ValueError, "keys must be 1, not 2"),
        (lambda: sim.MCP3008(volts=3), TypeError, "volts must be a list"),
        (lambda: sim.MCP3008(volts=["3"]), TypeError, "volts must be a number, not '3'"),
        (lambda: sim.MCP3008(volts=[1] * 9), ValueError, "channel must be 0 to 7, not 8"),
        (lambda: sim.MCP3008(vref=0), ValueError, "vref must be 0.25 to 5.5 V, not 0"),
        (lambda: sim.MCP3008(0), TypeError, "an SPI device is a name such as 'spi0.0', not 0"),
        (lambda: sim.BMP180(address="0x77"), TypeError, "an I2C address is a whole number"),
        (lambda: sim.BMP180(address=0x78), ValueError, "address must be 0x08 to 0x77, not 0x78"),
        (lambda: sim.BMP180(bus="spi"), ValueError, "'spi' is not an I2C bus"),
        (lambda: sim.BMP180(celsius=200), ValueError, "celsius must be -40 to 85 degrees, not 200"),
        (lambda: sim.ADXL345(x="1"), TypeError, "x must be a number, not '1'"),
        (lambda: sim.SSD1306(height=48), ValueError, "height must be 32 or 64, not 48"),
        (lambda: sim.SSD1306(address="0x3c"), TypeError, "an I2C address is a whole number"),
        (lambda: sim.Wire(4, 4), ValueError, "one and other are the same line, GPIO4"),
        (lambda: sim.register(3, sim.LED), TypeError, "a kind is a name, not 3"),
    ],
)
def test_what_cannot_be_is_named(make, error, problem) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error) as caught:
        make()
    assert problem in str(caught.value)
