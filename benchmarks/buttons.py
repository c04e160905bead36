"""python -m benchmarks.buttons: what waiting for four buttons costs, four ways.

Each way is a process of its own under `run`, on the simulated board: it waits for some
seconds while nothing happens, and is then told of presses, one after the other.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .ways import beside, compare

PINS = (17, 27, 22, 23)

Pressed = Callable[[int], object]


def polling(pressed: Pressed) -> None:
    """RPi.GPIO, asked every 10 ms."""
    from RPi import GPIO

    GPIO.setmode(GPIO.BCM)
    GPIO.setup(PINS, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    before = [1] * len(PINS)
    while True:
        now = [GPIO.input(pin) for pin in PINS]
        for pin, was, level in zip(PINS, before, now, strict=True):
            if was and not level:
                pressed(pin)
        before = now
        time.sleep(0.01)


def callbacks(pressed: Pressed) -> None:
    """RPi.GPIO's callbacks, by the module of this package."""
    from RPi import GPIO

    GPIO.setmode(GPIO.BCM)
    GPIO.setup(PINS, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    for pin in PINS:
        GPIO.add_event_detect(pin, GPIO.FALLING, callback=pressed)
    signal.pause()


def gpiozero(pressed: Pressed) -> None:
    """gpiozero's own buttons, on the pin factory of this package."""
    from gpiozero import Button

    buttons = [Button(pin) for pin in PINS]
    for button in buttons:
        button.when_pressed = lambda button: pressed(button.pin.info.name)
    signal.pause()


def awaited(pressed: Pressed) -> None:
    """gpio.Button, a task each."""
    import pyasync_hw
    from pyasync_hw import gpio

    async def watch(pin: int) -> None:
        with gpio.Button(pin) as button:
            while True:
                await button.wait_for_press()
                pressed(pin)

    async def main() -> None:
        await asyncio.gather(*map(watch, PINS))

    pyasync_hw.run(main())


WAYS = {way.__name__: way for way in (polling, callbacks, gpiozero, awaited)}


def threads() -> int:
    """Of the process, but for the board's own and the one that presses."""
    names = [Path(f"/proc/self/task/{task}/comm") for task in os.listdir("/proc/self/task")]
    return sum(name.read_text().strip() != "simulated-board" for name in names) - 1


def measure(way: str, seconds: float, presses: int) -> dict[str, float]:
    """Runs it in the main thread; the board's side is in another."""
    from pyasync_hw import hardware

    board = hardware.current()
    seen = threading.Event()
    found: dict[str, float] = {}
    times: list[float] = []

    def pressed(_: int) -> None:
        times.append(time.perf_counter())
        seen.set()

    def noticed(pin: int, timeout: float = 0.05) -> bool:
        seen.clear()
        board.line(pin).drive(0)
        called = seen.wait(timeout)
        board.line(pin).release()
        time.sleep(0.03 + random.random() / 50)  # until it is seen to be released
        return called

    def press(pin: int) -> float:
        began = time.perf_counter()
        if not noticed(pin, 20):
            raise TimeoutError(f"{way} missed a press of GPIO{pin}")
        return times[-1] - began

    def outside() -> None:
        for pin in PINS:  # until it waits for each
            while not noticed(pin):
                pass
        usage, cpu = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
        time.sleep(seconds)
        now = resource.getrusage(resource.RUSAGE_SELF)
        found["cpu"] = (time.process_time() - cpu) / seconds
        found["wakes"] = (now.ru_nvcsw - usage.ru_nvcsw) / seconds
        found["threads"] = threads()
        taken = [press(PINS[i % len(PINS)]) for i in range(presses)]
        found["latency"] = statistics.median(taken)
        found["latest"] = max(taken)

    beside(lambda: WAYS[way](pressed), outside)
    return found


def _row(found: dict[str, float]) -> str:
    return (
        f"{found['cpu'] * 100:.2f} % | {found['wakes']:.1f} | {found['threads']:.0f} "
        f"| {found['latency'] * 1e3:.2f} ms | {found['latest'] * 1e3:.2f} ms"
    )


if __name__ == "__main__":
    compare(
        "benchmarks.buttons",
        __doc__,
        dict.fromkeys(WAYS, ()),
        measure,
        ("--presses", 40),
        (
            "CPU while waiting",
            "wake-ups per second",
            "threads",
            "press to call, median",
            "longest",
        ),
        _row,
    )
