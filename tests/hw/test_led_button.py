"""gpio.LED, gpio.Button, and outputs that are left at a safe value."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, sim

Runner = Callable[[Awaitable[Any]], Any]


@pytest.fixture
def virtual(hw_board: sim.Board) -> Runner:
    return lambda coro: pyasync_hw.run(coro, clock=hw_board.clock)


def test_blink_and_what_ends_it(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        line = hw_board.line(17)
        with gpio.LED(17) as led:
            start = loop.time()
            await led.blink(0.1, 0.2, n=3)
            assert loop.time() - start == pytest.approx(0.9)
            assert not led.is_lit
            task = led.blink(0.1, 0.1)
            await asyncio.sleep(0.25)
            assert line.value == 1
            task.cancel()
            await asyncio.wait([task])
            assert line.value == 0
            led.blink(0.1, 0.1)
            await asyncio.sleep(0)
            led.on()
            await asyncio.sleep(1)
            assert led.is_lit and line.value == 1
            led.toggle()
            assert not led.is_lit
            left = led.blink()
        await asyncio.wait([left])
        assert left.cancelled()

    virtual(main())


def test_pulse(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with gpio.LED(17) as led:
            start = loop.time()
            await led.pulse(0.5, 0.5, n=2)
            assert loop.time() - start == pytest.approx(2.0)
            assert not led.is_lit
            task = led.pulse()
            await asyncio.sleep(0.5)
            led.on()
            await asyncio.wait([task])
            await asyncio.sleep(1)
            assert task.cancelled() and led.is_lit and hw_board.line(17).value == 1

    virtual(main())


def test_wrong_times(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.LED(17) as led:
            for work in (led.blink, led.pulse):
                for times in ((-1, 1), (0, 0), (float("nan"), 1), (1, float("inf"))):
                    with pytest.raises(ValueError, match="times must not be negative"):
                        work(*times)
                for n in (-1, 1.5, "2"):
                    with pytest.raises(ValueError, match="n must be a number of times or None"):
                        work(1, 1, n)  # type: ignore[arg-type]
            await led.blink(1, 1, n=0)

    virtual(main())


def test_a_blink_that_is_cancelled_before_it_begins(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.LED(17, value=1) as led:
            for begin in (led.blink, led.pulse):
                led.on()
                task = begin()
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled() and not led.is_lit and hw_board.line(17).value == 0

    virtual(main())


@pytest.mark.parametrize("new_loop", [pyasync_hw.new_event_loop, asyncio.SelectorEventLoop])
def test_a_button_calls_back_on_the_next_loop(
    hw_board: sim.Board, run: Runner, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """The one before was closed as it stood, with whom it was to call."""
    loop = new_loop()
    button = gpio.Button(17)

    async def begin() -> None:
        button.on("pressed", print)
        await asyncio.sleep(0)

    async def main() -> None:
        pressed = asyncio.Event()
        button.on("pressed", pressed.set)
        await asyncio.sleep(0)
        hw_board.line(17).drive(0)
        await asyncio.wait_for(pressed.wait(), 30)

    loop.run_until_complete(begin())
    (task,) = asyncio.all_tasks(loop)
    loop.close()
    with button:
        run(main())
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    task.get_coro().close()  # type: ignore[union-attr]


@pytest.mark.parametrize("new_loop", [pyasync_hw.new_event_loop, asyncio.SelectorEventLoop])
def test_devices_outlive_the_loop_of_their_tasks(
    hw_board: sim.Board, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Which was closed as it stood; asyncio.run() would have cancelled them."""
    loop = new_loop()
    led, button = gpio.LED(17), gpio.Button(27)

    async def begin() -> None:
        led.blink(3600, 1)
        button.on("pressed", print)
        while not led.is_lit:
            await asyncio.sleep(0)

    loop.run_until_complete(begin())
    tasks = asyncio.all_tasks(loop)
    loop.close()
    led.off()
    assert hw_board.line(17).value == 0
    led.close()
    button.close()
    for task in tasks:  # who drops a pending one is told
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()  # type: ignore[union-attr]


@pytest.mark.parametrize("runner", [pyasync_hw.run, asyncio.run])
def test_another_thread_ends_what_blinks_and_who_is_called(
    hw_board: sim.Board, runner: Runner
) -> None:
    async def main() -> None:
        for blink in (True, False):
            led, button = gpio.LED(17), gpio.Button(27)
            button.on("pressed", print)
            caller = button._caller
            assert caller is not None
            task = led.blink(1, 3600)
            await asyncio.sleep(0)
            await asyncio.to_thread(led.off)
            assert hw_board.line(17).value == 0
            await asyncio.wait([task])
            assert task.cancelled()
            task = led.blink(0.0001, 0.0001) if blink else led.pulse(0.0001, 0.0001)
            await asyncio.sleep(0.001)
            await asyncio.to_thread(led.close)
            await asyncio.to_thread(button.close)
            await asyncio.wait([task, caller])
            assert task.cancelled() and caller.cancelled()

    runner(main())


def test_led_without_a_loop(hw_board: sim.Board) -> None:
    with gpio.LED(17, active_low=True) as led:
        led.on()
        assert hw_board.line(17).value == 0
        with pytest.raises(RuntimeError, match="no running event loop"):
            led.blink()


def test_a_button_by_its_time_stamps(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        with gpio.Button(17, hold_time=1.0, double_click_time=0.4) as button:
            events = button.events()
            for at, level in [(0.1, 0), (0.2, 1), (0.3, 0), (0.4, 1), (2.0, 0), (4.0, 1)]:
                line.drive(level, at=at)
            start = asyncio.get_running_loop().time()
            seen = [await anext(events) for _ in range(8)]
            assert [event.kind for event in seen] == [
                "pressed",
                "released",
                "pressed",
                "double_clicked",
                "released",
                "pressed",
                "held",
                "released",
            ]
            times = [event.timestamp_ns / 1e9 - start for event in seen]
            assert times == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.4, 2.0, 3.0, 4.0])
            assert not button.is_pressed
            events.close()
            with pytest.raises(StopAsyncIteration):
                await anext(events)

    virtual(main())


# By (seconds, level): what comes, and when.
CLICKS = {
    "one": ([(1, 0), (1.1, 1)], [("clicked", 1.4)]),
    "two that are no double click": (
        [(1, 0), (1.1, 1), (1.5, 0), (1.6, 1)],
        [("clicked", 1.4), ("clicked", 1.9)],
    ),
    "slow, but not held": ([(1, 0), (1.7, 1)], [("clicked", 1.7)]),
    "held": ([(1, 0), (2.5, 1)], [("held", 2.0)]),
    "double": ([(1, 0), (1.1, 1), (1.2, 0), (1.3, 1)], [("double_clicked", 1.2)]),
    "double at the last moment": (
        [(1, 0), (1.1, 1), (1.4, 0), (1.5, 1)],
        [("double_clicked", 1.4)],
    ),
    "the second one held": (
        [(1, 0), (1.1, 1), (1.2, 0), (3.0, 1)],
        [("double_clicked", 1.2), ("held", 2.2)],
    ),
    "three": (
        [(1, 0), (1.1, 1), (1.2, 0), (1.3, 1), (1.35, 0), (1.4, 1)],
        [("double_clicked", 1.2), ("clicked", 1.75)],
    ),
    "let go": ([(0, 0), (1.1, 1)], []),  # who knows when it was pressed
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("case", CLICKS)
def test_what_is_a_click(virtual: Runner, hw_board: sim.Board, case: str, late: bool) -> None:
    """Neither held nor one of two; it makes no difference when the loop comes to see it."""
    edges, expected = CLICKS[case]

    async def main() -> None:
        line, seen = hw_board.line(17), []
        for at, level in [*edges, (10, 0)]:
            line.drive(level, at=at)
        await asyncio.sleep(0)
        with gpio.Button(17, hold_time=1.0, double_click_time=0.4) as button:
            start = asyncio.get_running_loop().time()
            events = button.events()
            if late:
                await asyncio.sleep(20)
            async for event in events:
                at = event.timestamp_ns / 1e9 - start
                if at > 9:
                    break
                if event.kind not in ("pressed", "released"):
                    seen.append((event.kind, pytest.approx(at)))
            assert seen == expected

    virtual(main())


def test_callbacks_of_each_kind(virtual: Runner, hw_board: sim.Board) -> None:
    """Coroutine functions, as of a Pushbutton's release after neither long nor double."""

    async def main() -> None:
        called: list[tuple[str, int]] = []
        loop = asyncio.get_running_loop()
        start = loop.time()

        def note(kind: str) -> Callable[[], Awaitable[None]]:
            async def run() -> None:
                await asyncio.sleep(0.01)
                called.append((kind, round((loop.time() - start) * 100)))

            return run

        with gpio.Button(17) as button:
            for kind in ("held", "clicked", "double_clicked"):
                button.on(kind, note(kind))
            for at, level in [
                (1, 0),
                (3, 1),
                (4, 0),
                (4.1, 1),
                (6, 0),
                (6.1, 1),
                (6.2, 0),
                (6.3, 1),
            ]:
                hw_board.line(17).drive(level, at=at)
            click = asyncio.ensure_future(button.wait_for_click())
            await asyncio.sleep(10)
            assert called == [("held", 201), ("clicked", 441), ("double_clicked", 621)]
            assert (await click).kind == "clicked"

    virtual(main())


def test_a_late_loop_sees_the_same(hw_board: sim.Board) -> None:
    """Edges that were queued before anybody looked."""

    async def main() -> None:
        with gpio.Button(17, hold_time=0.01) as button:
            events = button.events()
            hw_board.line(17).drive(0)
            loop = asyncio.get_running_loop()
            end = loop.time() + 0.02
            while loop.time() < end:
                pass  # the loop is busy
            hw_board.line(17).drive(1)
            kinds = [(await anext(events)).kind for _ in range(3)]
            assert kinds == ["pressed", "held", "released"]

    asyncio.run(main())


@pytest.mark.parametrize("runner", [pyasync_hw.run, asyncio.run])
def test_a_late_loop_takes_no_click_for_a_hold(hw_board: sim.Board, runner: Runner) -> None:
    """It was over in time, though the loop sees that after hold_time."""

    async def main() -> None:
        with gpio.Button(17, hold_time=0.05) as button:
            events = button.events()
            hw_board.line(17).drive(0)
            assert (await anext(events)).kind == "pressed"
            waiter = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            hw_board.line(17).drive(1)
            released = time.monotonic_ns()
            while time.monotonic_ns() < released + 60_000_000:
                pass  # the loop is busy
            event = await waiter
            if released - event.timestamp_ns < 10_000_000:  # else this thread was late, too
                assert event.kind == "released"

    runner(main())


def test_lost_edges_make_no_hold_and_no_double_click(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        with gpio.Button(17, hold_time=1.0) as button:
            events = button.events(maxlen=2)
            for at, level in [(0.1, 0), (0.2, 1), (0.3, 0), (3.0, 1), (3.1, 0), (3.2, 1)]:
                line.drive(level, at=at)
            assert (await anext(events)).kind == "pressed"
            await asyncio.sleep(4)
            seen = [await anext(events) for _ in range(3)]
            # Between 0.1 and 3.1 nobody knows: no hold, no double click.
            assert [event.kind for event in seen] == ["released", "pressed", "released"]
            assert not button.is_pressed

    virtual(main())


def test_a_button_that_is_pressed_at_first(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        line.drive(0)
        with gpio.Button(17) as button:
            events = button.events()
            line.drive(1, at=0.1)
            line.drive(0, at=1.2)
            assert [(await anext(events)).kind for _ in range(2)] == ["released", "pressed"]

    virtual(main())


def test_closing_the_events_of_a_button_ends_the_loop_over_them(
    hw_board: sim.Board, run: Runner
) -> None:
    async def main() -> None:
        seen: list[str] = []

        async def watch(events: gpio.ButtonEvents) -> None:
            async for event in events:
                seen.append(event.kind)

        with gpio.Button(17) as button:
            idle, held = button.events(), button.events()
            tasks = [asyncio.ensure_future(watch(events)) for events in (idle, held)]
            await asyncio.sleep(0)
            idle.close()
            hw_board.line(17).drive(0)
            while not seen:
                await asyncio.sleep(0)
            held.close()  # it waits for the end of hold_time
            await asyncio.gather(*tasks)
            assert seen == ["pressed"]

    run(main())


def test_callbacks_of_a_button_that_is_unplugged(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, c: errors.append(c))
        with gpio.Button(17) as button:
            button.on("pressed", lambda: None)
            await asyncio.sleep(0)
            hw_board.close()
            while not errors:
                await asyncio.sleep(0)
            assert errors[0]["message"] == f"no more callbacks of {button!r}"
            assert "unplugged" in str(errors[0]["exception"])

    virtual(main())


def test_waits_and_callbacks(hw_board: sim.Board, run: Runner) -> None:
    async def main() -> None:
        called: list[object] = []
        done = asyncio.Event()
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, c: errors.append(c["exception"]))

        async def released(button: gpio.Button) -> None:
            called.append(button)
            done.set()

        def fails() -> None:
            called.append("pressed")
            raise KeyError("mine")

        with gpio.Button(17) as button:
            button.on("pressed", fails)
            button.on("released", released)
            hw_board.line(17).drive(0)
            assert (await button.wait_for_press()).event_type == "rising"
            hw_board.line(17).drive(1)
            assert (await button.wait_for_release()).event_type == "falling"
            await done.wait()
            assert called == ["pressed", button]
            assert [str(error) for error in errors] == ["'mine'"]
            with pytest.raises(ValueError, match="kind must be"):
                button.on("pushed", fails)  # type: ignore[arg-type]

    run(main())


@pytest.mark.parametrize("wrong", [asyncio.CancelledError, GeneratorExit, BaseException])
def test_a_callback_may_raise_anything(
    hw_board: sim.Board, virtual: Runner, wrong: type[BaseException]
) -> None:
    """result() of a cancelled future, say; the next press calls again."""

    async def main() -> None:
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, c: errors.append(c["exception"]))

        def fails() -> None:
            raise wrong

        with gpio.Button(17) as button:
            button.on("pressed", fails)
            for _ in range(2):
                await asyncio.sleep(1)
                hw_board.line(17).drive(0)
                await asyncio.sleep(1)
                hw_board.line(17).release()
        assert [type(error) for error in errors] == [wrong, wrong]

    virtual(main())


def test_a_callback_may_close_its_button(hw_board: sim.Board, virtual: Runner) -> None:
    async def main() -> None:
        errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, c: errors.append(c))
        called: list[str] = []
        button = gpio.Button(17)

        def pressed() -> None:
            called.append("pressed")
            if called.count("pressed") == 2:
                button.close()

        button.on("pressed", pressed)
        button.on("double_clicked", lambda: called.append("double_clicked"))
        for _ in range(3):
            await asyncio.sleep(0.1)
            hw_board.line(17).drive(0)
            await asyncio.sleep(0.1)
            hw_board.line(17).release()
        gc.collect()
        assert called == ["pressed", "pressed"] and errors == []

    virtual(main())


def test_waiting_for_hold_and_double_click(virtual: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        with gpio.Button(17, hold_time=0.5) as button:
            for at, level in [(0.1, 0), (0.2, 1), (1.0, 0), (2.0, 1), (3.0, 0), (3.1, 1), (3.2, 0)]:
                line.drive(level, at=at)
            held = await button.wait_for_hold()
            double = await button.wait_for_double_click()
            assert (double.timestamp_ns - held.timestamp_ns) / 1e9 == pytest.approx(1.7)

    virtual(main())


def test_an_output_is_left_at_its_safe_value(hw_board: sim.Board) -> None:
    watcher = gpio.Output(17)
    with gpio.Output(17, value=1, safe=0):
        assert watcher.value == 1
    assert watcher.value == 0
    with pytest.raises(KeyError), gpio.Output(17, value=0, safe=1):
        raise KeyError
    assert watcher.value == 1

    async def hold() -> None:
        async with gpio.LED(17, safe=0) as motor:
            motor.on()
            await asyncio.sleep(3600)

    async def cancel() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hold(), 0.01)

    asyncio.run(cancel())
    assert watcher.value == 0
    watcher.close()
    with pytest.raises(ValueError, match="0 or 1"):
        gpio.Output(17, safe=2)


CRASH = """
import atexit
from pyasync_hw import gpio, sim
board = sim.Board()
watcher = gpio.Output(17, board=board)
atexit.register(lambda: print(watcher.value))
motor = gpio.Output(17, value=1, safe=0, board=board)
print(watcher.value, flush=True)
raise SystemExit(3)
"""


def test_a_program_that_ends_leaves_it_safe() -> None:
    result = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True)
    assert result.returncode == 3, result.stderr
    assert result.stdout.split() == ["1", "0"]
