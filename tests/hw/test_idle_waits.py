"""Programs that wait for four buttons, and for nothing else, are not woken: counted by the
kernel, as the times that their threads were put to sleep.  With --thorough for 10 s.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PINS = "PINS = (17, 27, 22, 5)\n"
ON_A_LOOP = (
    PINS
    + """
import asyncio, sys
import {loop}
from pyasync_hw import gpio, sim

async def main():
    a, b = (gpio.Button(pin) for pin in PINS[:2])
    c, d = (gpio.Input(pin, bias="pull_up", debounce_period=0.005) for pin in PINS[2:])
    b.on("held", print)
    waits = [a.wait_for_press(), a.wait_for_hold(), b.wait_for_double_click()]
    waits += [c.wait_for_edge("falling"), anext(d.edges())]
    waits = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.sleep(0.01)
    print("waiting", flush=True)
    await asyncio.gather(*waits)

with sim.Board():
    asyncio.Runner(loop_factory={factory}).run(main())
"""
)
BLOCKING = (
    PINS
    + """
import threading
from pyasync_hw import gpio, sim

with sim.Board():
    lines = [gpio.Input(pin, bias="pull_up") for pin in PINS]
    threads = [threading.Thread(target=line.blocking.wait_for_edge) for line in lines]
    for thread in threads:
        thread.start()
    print("waiting", flush=True)
    threads[0].join()
"""
)
RPI_GPIO = (
    PINS
    + """
import signal
from RPi import GPIO

GPIO.setmode(GPIO.BCM)
for pin in PINS:
    GPIO.setup(pin, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.add_event_detect(pin, GPIO.FALLING, callback=print, bouncetime=200)
print("waiting", flush=True)
signal.pause()
"""
)
GPIOZERO = (
    PINS
    + """
import signal, threading
from gpiozero import Button
from gpiozero.mixins import HoldThread

buttons = [Button(pin, hold_time=1) for pin in PINS]
for button in buttons:
    button.when_pressed = button.when_held = print
# gpiozero's own: one for each Button, which looks 10 times a second.
own = [thread.native_id for thread in threading.enumerate() if isinstance(thread, HoldThread)]
print("waiting", *own, flush=True)
signal.pause()
"""
)
LOOPS = {
    "pyasync_hw": "pyasync_hw.new_event_loop",
    "asyncio": "asyncio.SelectorEventLoop",
    "uvloop": "uvloop.new_event_loop",
}
PROGRAMS = {
    **{
        f"on {loop}": ON_A_LOOP.format(loop=loop, factory=factory)
        for loop, factory in LOOPS.items()
        if importlib.util.find_spec(loop)
    },
    "blocking": BLOCKING,
}
UNDER_RUN = {"RPi.GPIO": RPI_GPIO}
if importlib.util.find_spec("gpiozero"):
    UNDER_RUN["gpiozero"] = GPIOZERO

Counts = dict[str, tuple[str, ...]]


@contextmanager
def waiting(program: Path, *options: str) -> Iterator[tuple[int, set[str]]]:
    """The process of a program that has said that it waits, and its threads not to look at."""
    command = [sys.executable, *options, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            word, *threads = process.stdout.readline().split() or [""]
            assert word == "waiting"
            yield process.pid, set(threads)
            assert process.poll() is None
        finally:
            process.kill()


def counts(pid: int, others: set[str]) -> Counts:
    """By thread: its state, and how often it slept and was made to give up the CPU."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        if thread.name in others:
            continue
        status = (thread / "status").read_text().splitlines()
        wanted = ("State", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
        found[thread.name] = tuple(line for line in status if line.partition(":")[0] in wanted)
    return found


def asleep(threads: Counts) -> bool:
    return all("S (sleeping)" in state for state, *_ in threads.values())


def settled(pids: dict[str, tuple[int, set[str]]]) -> dict[str, Counts]:
    """The counts of all programs once they have slept for a moment."""
    before: dict[str, Counts] = {}
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        now = {name: counts(*pid) for name, pid in pids.items()}
        if now == before and all(map(asleep, now.values())):
            return now
        before = now
        time.sleep(0.2)
    raise AssertionError(f"still busy: {before}")


def test_four_waiting_buttons_cause_no_wake_up(tmp_path: Path, thorough: bool) -> None:
    with ExitStack() as stack:
        pids = {}
        for name, text in (PROGRAMS | UNDER_RUN).items():
            program = tmp_path / f"waits {name}.py"
            program.write_text(text)
            run = ("-m", "pyasync_hw", "run", "--hw", "sim") if name in UNDER_RUN else ()
            pids[name] = stack.enter_context(waiting(program, *run))
        before = settled(pids)
        time.sleep(10 if thorough else 1)
        assert {name: counts(*pid) for name, pid in pids.items()} == before


def test_a_wake_up_is_counted(tmp_path: Path) -> None:
    """What the test above compares: one wake-up changes it."""
    program = tmp_path / "ticks.py"
    program.write_text("import time\nprint('waiting', flush=True)\nwhile True: time.sleep(0.05)\n")
    limit = time.monotonic() + 60
    with waiting(program) as pid:
        before = counts(*pid)
        while counts(*pid) == before:
            assert time.monotonic() < limit
            time.sleep(0.01)
