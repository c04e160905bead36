"""No operation on lines and SPI devices leaves objects, descriptors or memory behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, VirtualClock, executor, gpio, i2c, sim, spi

from .growth import assert_no_growth


@pytest.fixture(params=["ours", "asyncio"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Our loop on a virtual clock, and asyncio's own, each with one thread for its jobs.

    A second one would come when a job does before the first thread is idle again.
    """
    pool: concurrent.futures.ThreadPoolExecutor
    if request.param == "ours":
        factory: Callable[[], asyncio.AbstractEventLoop] = lambda: pyasync_hw.new_event_loop(  # noqa: E731
            VirtualClock()
        )
        pool = executor.ThreadPoolExecutor(1)
    else:
        factory = asyncio.SelectorEventLoop
        pool = concurrent.futures.ThreadPoolExecutor(1)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_default_executor(pool)
        yield runner


@pytest.fixture
def board() -> Iterator[sim.Board]:
    with sim.Board("pi-zero-w") as board:
        yield board


def no_growth(runner: asyncio.Runner, operation: Callable[[], Awaitable[object]]) -> None:
    async def once() -> None:
        await operation()

    assert_no_growth(lambda: runner.run(once()), calls=100)


def test_lines_opened_and_closed(board: sim.Board) -> None:
    def open_close() -> None:
        with gpio.Input("GPIO17"), gpio.Output("GPIO27", value=1) as output:
            output.toggle()
        gpio.Input("GPIO17").close()

    assert_no_growth(open_close)


def test_pwm(board: sim.Board) -> None:
    def open_change_close() -> None:
        with gpio.PWM("GPIO18", 1000, duty=0.5) as pwm:
            pwm.change(frequency=100, duty=0.1)
            pwm.stop()
            pwm.start()
            _ = pwm.jitter
            with pytest.raises(ValueError):
                pwm.duty = 2.0
        with gpio.Input("GPIO18"), pytest.raises(OSError):
            gpio.PWM("GPIO18", 1000)

    assert_no_growth(open_change_close)


def test_lines_that_are_dropped(board: sim.Board) -> None:
    def drop() -> None:
        gpio.Input("GPIO17")

    assert_no_growth(drop)


def test_lines_that_are_busy(board: sim.Board) -> None:
    with gpio.Input("GPIO17"):

        def refused() -> None:
            with pytest.raises(OSError):
                gpio.Output("GPIO17")
            with pytest.raises(ValueError):
                gpio.Input("GPIO18", debounce_period=-1.0)

        assert_no_growth(refused)


def test_an_awaited_edge(board: sim.Board, runner: asyncio.Runner) -> None:
    with gpio.Input("GPIO17") as line:
        wire = board.line("GPIO17")

        async def edge() -> None:
            waiter = asyncio.ensure_future(line.wait_for_edge("rising"))
            await asyncio.sleep(0)
            wire.drive(0)
            wire.drive(1)
            await waiter
            line.clear()

        no_growth(runner, edge)


def test_a_cancelled_wait(board: sim.Board, runner: asyncio.Runner) -> None:
    with gpio.Input("GPIO17") as line:

        async def cancelled() -> None:
            waiter = asyncio.ensure_future(line.wait_for_edge())
            await asyncio.sleep(0)
            waiter.cancel()
            await asyncio.wait([waiter])

        no_growth(runner, cancelled)


def test_a_line_closed_under_a_waiter(board: sim.Board, runner: asyncio.Runner) -> None:
    async def closed() -> None:
        with gpio.Input("GPIO17") as line:
            waiter = asyncio.ensure_future(line.wait_for_edge())
            await asyncio.sleep(0)
        with pytest.raises(OSError):
            await waiter

    no_growth(runner, closed)


def test_an_iterator_over_edges(board: sim.Board, runner: asyncio.Runner) -> None:
    with gpio.Input("GPIO17") as line:
        wire = board.line("GPIO17")

        async def iterate() -> None:
            async with aclosing(line.edges(maxlen=4)) as edges:
                wire.drive(0)
                wire.drive(1)
                async for _event in edges:
                    break
            line.clear()

        no_growth(runner, iterate)


def test_requests_of_several_lines(board: sim.Board, runner: asyncio.Runner) -> None:
    both = gpio.LineSettings(direction="input", edge_detection="both")

    async def use() -> None:
        with gpio.request_lines("gpiochip0", {(17, 27): both, 5: None}) as request:
            request.reconfigure_lines({5: gpio.LineSettings(direction="output")})
            request.set_value(5, 1)
            waiter = asyncio.ensure_future(request.wait_edge_events())
            await asyncio.sleep(0)
            board.line(27).drive(0)
            board.line(27).drive(1)
            await waiter
            request.blocking.wait_edge_events(timeout=1)
            _ = request.read_edge_events(), request.get_values(), repr(request)
            waiter = asyncio.ensure_future(anext(request.events()))
            await asyncio.sleep(0)
        with pytest.raises(OSError):
            await waiter
        with pytest.raises(ValueError):
            request.get_values()
        with pytest.raises(TypeError):
            gpio.request_lines("gpiochip0", {17: "input"})  # type: ignore[dict-item]

    no_growth(runner, use)


def test_a_chip_and_who_watches_it(board: sim.Board, runner: asyncio.Runner) -> None:
    async def watch() -> None:
        with gpio.Chip("gpiochip0") as chip:
            chip.watch_line_info("GPIO17")
            waiters = [asyncio.ensure_future(chip.next_info_event()) for _ in range(3)]
            await asyncio.sleep(0)
            waiters[0].cancel()
            gpio.Input("GPIO17").close()
            await asyncio.wait(waiters)
            gpio.Input("GPIO17").close()
            chip.blocking.next_info_event(timeout=1)
            with pytest.raises(OSError):
                chip.watch_line_info("GPIO17")
            with pytest.raises(ValueError):
                chip.get_line_info(99)
            waiter = asyncio.ensure_future(chip.next_info_event())
            await asyncio.sleep(0)
            await waiter
            chip.unwatch_line_info(17)
            waiter = asyncio.ensure_future(anext(chip.info_events()))
            await asyncio.sleep(0)
        with pytest.raises(OSError):
            await waiter

    no_growth(runner, watch)


def test_a_button_and_a_light(board: sim.Board, runner: asyncio.Runner) -> None:
    async def use() -> None:
        with gpio.Button("GPIO17", hold_time=0) as button, gpio.LED("GPIO27", safe=0) as light:
            button.on("pressed", light.on)
            waiters = [
                asyncio.ensure_future(wait)
                for wait in (button.wait_for_press(), button.wait_for_hold())
            ]
            await asyncio.sleep(0)
            board.line("GPIO17").drive(0)
            await asyncio.wait(waiters)
            board.line("GPIO17").drive(1)
            while not light.is_lit:
                await asyncio.sleep(0)
            await light.blink(0, 1e-6, n=1)
            pulsing = light.pulse(0, 1e-6)
            await asyncio.sleep(0)
        await asyncio.wait([pulsing])

    no_growth(runner, use)


def test_a_blocking_wait(board: sim.Board) -> None:
    with gpio.Input("GPIO17") as line:
        wire = board.line("GPIO17")
        cancelled = CancelToken()
        cancelled.cancel()

        def wait() -> None:
            wire.drive(0)
            wire.drive(1)
            line.blocking.wait_for_edge("rising", timeout=1.0)
            line.clear()
            with pytest.raises(TimeoutError):
                line.blocking.wait_for_edge(timeout=0.0)
            with pytest.raises(concurrent.futures.CancelledError):
                line.blocking.wait_for_edge(token=cancelled)

        assert_no_growth(wait)


def test_spi_messages(board: sim.Board) -> None:
    board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25")
    with spi.Device("spi0.0") as device:

        def messages() -> None:
            device.blocking.transfer(bytes([0x37 << 1 | 0x80, 0]))
            device.blocking.message(
                [b"\xee\x00", spi.Transfer(b"\xee\x00", cs_change=True), b"\xee\x00"]
            )
            with pytest.raises(ValueError):
                device.blocking.message([b""])
            with pytest.raises(TypeError):
                device.blocking.message([b"\xee\x00", "text"])  # type: ignore[list-item]

        assert_no_growth(messages)


def test_spi_devices_opened_and_closed(board: sim.Board) -> None:
    def open_close() -> None:
        with spi.Device("spi0.0"):
            pass
        spi.Device("spi0.1")
        with pytest.raises(OSError):
            spi.Device("spi7.0")

    assert_no_growth(open_close)


class Registers:
    """A part of an I2C bus."""

    def write(self, data: bytes) -> None:
        pass

    def read(self, n: int) -> bytes:
        return bytes(n)


def test_messages_that_take_their_turns(board: sim.Board, runner: asyncio.Runner) -> None:
    board.attach_i2c(1, 0x20, Registers())

    async def use() -> None:
        with spi.Device("spi0.1") as device, i2c.Device(1, 0x20) as sensor:
            for verb, lock in (device.transfer, device.lock()), (sensor.write, sensor.bus.lock()):
                async with lock:
                    tasks = [asyncio.ensure_future(verb(b"ab")) for _ in range(3)]
                    await verb(b"a")
                    await asyncio.sleep(0)
                    tasks[0].cancel()
                await asyncio.wait(tasks)
                with pytest.raises(TypeError):
                    await verb("text")  # type: ignore[operator]
            with pytest.raises(OSError):
                sensor.bus.blocking.transfer([(0x21, b"a")])
            async with device.lock():
                waiter = asyncio.ensure_future(device.transfer(b"a"))
                await asyncio.sleep(0)
                device.close()
                with pytest.raises(OSError):
                    await waiter

    no_growth(runner, use)


def test_i2c_buses_opened_and_closed(board: sim.Board) -> None:
    board.attach_i2c(1, 0x20, Registers())

    def use() -> None:
        with i2c.Bus(1) as bus, bus.blocking.lock():
            sensor = bus.device(0x20).blocking
            sensor.write_read(b"a", 3)
            bus.blocking.core.smbus(0x20, True, 1, 2, b"")
        i2c.Bus(0)
        with pytest.raises(OSError):
            i2c.Bus(7)

    assert_no_growth(use)
