"""Signals to the process itself: each reaches its handler on the loop, once."""

from __future__ import annotations

import asyncio
import os
import signal

from ..step import Step, operation

SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)


@operation(2)
async def signals_one_by_one(step: Step) -> None:
    number = step.rng.choice(SIGNALS)
    async with step.lock(number):
        came = asyncio.Event()
        count = 0

        def handler() -> None:
            nonlocal count
            count += 1
            came.set()

        step.loop.add_signal_handler(number, handler)
        for sent in range(1, step.rng.randrange(2, 6)):
            expected = step.expect("signal", number)
            os.kill(os.getpid(), number)
            await came.wait()
            came.clear()
            expected.ran()
            step.check(count == sent, f"{sent} signals sent, handler ran {count} times")
        step.check(step.loop.remove_signal_handler(number), "the handler was not there")
        step.check(not step.loop.remove_signal_handler(number), "the handler was there twice")
        step.check(signal.getsignal(number) == signal.SIG_DFL, "the handler was left")


@operation(1)
async def signals_in_a_burst(step: Step) -> None:
    number = step.rng.choice(SIGNALS)
    async with step.lock(number):
        came = asyncio.Event()
        count = 0

        def handler(argument: object) -> None:
            nonlocal count
            step.check(argument is step, "the handler's argument is another")
            count += 1
            came.set()

        step.loop.add_signal_handler(number, handler, step)
        expected, sent = step.expect("signal", "burst"), step.rng.randrange(2, 20)
        for _ in range(sent):
            os.kill(os.getpid(), number)
        await came.wait()
        await asyncio.sleep(0.005)
        expected.ran()
        step.check(1 <= count <= sent, f"{sent} signals sent, handler ran {count} times")
        step.loop.remove_signal_handler(number)


@operation(1)
async def alarm_while_the_loop_sleeps(step: Step) -> None:
    async with step.lock(signal.SIGALRM):
        came = step.loop.create_future()
        expected = step.expect("signal", "SIGALRM")

        def handler() -> None:
            expected.ran()
            came.set_result(None)

        step.loop.add_signal_handler(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, step.rng.uniform(0.0005, 0.02))
        await came
        step.loop.remove_signal_handler(signal.SIGALRM)


@operation(1)
async def handler_of_signal_signal(step: Step) -> None:
    """A handler of signal.signal() runs on the main thread, soon, loop asleep or not."""
    number = step.rng.choice(SIGNALS)
    async with step.lock(number):
        came = step.loop.create_future()
        expected = step.expect("signal", "signal.signal")

        def handler(*_: object) -> None:
            expected.ran()
            step.loop.call_soon_threadsafe(came.set_result, None)

        old = signal.signal(number, handler)
        step.loop.call_later(0.001, os.kill, os.getpid(), number)
        await came
        signal.signal(number, old)
        await asyncio.sleep(0.002)  # the wake-up byte is not for the next handler


@operation(1)
async def sigchld_handler_of_the_user(step: Step) -> None:
    async with step.lock(signal.SIGCHLD):
        came = asyncio.Event()
        step.loop.add_signal_handler(signal.SIGCHLD, came.set)
        expected = step.expect("signal", "SIGCHLD")
        code = step.rng.randrange(256)
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", f"exit {code}")
        step.check(await process.wait() == code, f"status {process.returncode} for {code}")
        await came.wait()
        expected.ran()
        step.check(step.loop.remove_signal_handler(signal.SIGCHLD), "handler was not there")
