"""Calls from other threads: each arrives once, in the order of its thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
import time
from collections.abc import Callable

from ..step import Step, operation


class Threads:
    """Threads of which the last to end says so to the loop."""

    def __init__(self, step: Step, bodies: list[Callable[[], None]]) -> None:
        self.step = step
        self.done = step.loop.create_future()
        self.left = len(bodies)
        self.threads = [threading.Thread(target=self._run, args=(body,)) for body in bodies]

    def _run(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:
            self.step.check(False, f"a thread raised {error!r}")
        self.step.loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.done.set_result(None)

    async def finish(self) -> None:
        for thread in self.threads:
            thread.start()
        await self.done
        for thread in self.threads:
            thread.join()


@operation(3)
async def calls_from_threads(step: Step) -> None:
    threads = step.rng.randrange(1, 5)
    if step.native:
        await _calls(step, step.rng.randrange(1, 500), threads)
        return
    # asyncio writes a byte for each call where it writes those of signals; when that
    # socket is full, signals are lost.
    async with step.lock("self-pipe"):
        await _calls(step, step.rng.randrange(1, 20), threads)


async def _calls(step: Step, count: int, threads: int) -> None:
    order: list[list[int]] = [[] for _ in range(threads)]
    pause = step.rng.choice((0.0, 0.0, 0.0002))

    def body(number: int) -> Callable[[], None]:
        def call() -> None:
            for i in range(count):
                expected = step.expect("threadsafe call", (number, i))

                def arrive(i: int = i, ran: Callable[[], None] = expected.ran) -> None:
                    ran()
                    order[number].append(i)

                step.loop.call_soon_threadsafe(arrive)
                if pause and i % 8 == 0:
                    time.sleep(pause)

        return call

    await Threads(step, [body(number) for number in range(threads)]).finish()
    for number in range(threads):
        step.check(order[number] == list(range(count)), f"calls of {number} not in order")


@operation(2)
async def threadsafe_handles_cancelled(step: Step) -> None:
    """By the thread that made the handle, while the loop may be running it.

    Before 3.14 a handle that is cancelled while it begins may run all the same, and
    asyncio's may then find its callback gone.
    """
    strict = sys.version_info >= (3, 14)
    if not step.native and not strict:
        return

    def call() -> None:
        for i in range(step.rng.randrange(1, 200)):
            expected = step.expect("threadsafe call", i)
            began: list[bool] = []

            def arrive(began: list[bool] = began, ran: Callable[[], None] = expected.ran) -> None:
                began.append(True)
                ran()

            handle = step.loop.call_soon_threadsafe(arrive)
            if i % 2:
                handle.cancel()
                if strict:
                    expected.cancelled_unless_ran()
                else:
                    racing.append((began, expected.cancelled_unless_ran))

    racing: list[tuple[list[bool], Callable[[], None]]] = []
    await Threads(step, [call]).finish()
    await step.turns(2)
    for began, cancelled in racing:
        step.check(len(began) <= 1, "a cancelled handle ran twice")
        cancelled()


class PlannedError(Exception):
    """What a coroutine raises, on purpose."""


@operation(2)
async def coroutines_from_threads(step: Step) -> None:
    async def work(index: int) -> int:
        await asyncio.sleep(0.0005 * (index % 3))
        if index % 5 == 4:
            raise PlannedError(index)
        return index

    def call() -> None:
        futures = [
            asyncio.run_coroutine_threadsafe(work(i), step.loop)
            for i in range(step.rng.randrange(1, 20))
        ]
        for index, future in enumerate(futures):
            expected = step.expect("coroutine from a thread", index)
            if index % 7 == 6 and future.cancel():
                expected.cancelled()
                continue
            try:
                result = future.result(30)
            except PlannedError:
                step.check(index % 5 == 4, f"coroutine {index} raised")
            except concurrent.futures.CancelledError:
                step.check(False, f"coroutine {index} was cancelled")
            else:
                step.check(result == index and index % 5 != 4, f"{index} gave {result}")
            expected.ran()

    await Threads(step, [call] * step.rng.randrange(1, 3)).finish()
    await asyncio.sleep(0.005)  # those that were cancelled end on the loop


@operation(1)
async def ping_pong_with_a_thread(step: Step) -> None:
    """One call at a time, so that each must wake a loop that sleeps."""
    answered = threading.Event()

    def call() -> None:
        for i in range(step.rng.randrange(1, 50)):
            expected = step.expect("threadsafe call", i)
            step.loop.call_soon_threadsafe(expected.ran)
            step.loop.call_soon_threadsafe(answered.set)
            step.check(answered.wait(30), "the call did not arrive in 30 s")
            answered.clear()

    await Threads(step, [call]).finish()
