"""Timers and the ready queue: once each, never early, in order."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from ..account import Expectation
from ..step import Step, operation

NANOSECOND = 1e-9


class TimerBatch:
    """Timers set in one go; checks when and in which order they run."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.handles: list[asyncio.TimerHandle] = []
        self.expected: list[Expectation] = []
        self.order: list[int] = []
        self.done = step.loop.create_future()
        self.left = 0

    def add(self, when: float) -> None:
        index = len(self.handles)
        self.expected.append(self.step.expect("timer", index))
        self.handles.append(self.step.loop.call_at(when, self._fire, index))
        self.left += 1

    def _fire(self, index: int) -> None:
        handle, loop = self.handles[index], self.step.loop
        # asyncio rounds by the clock's resolution.
        allowed = 0.0 if self.step.native else 1e-9
        if loop.time() + allowed < handle.when():
            self.step.check(False, f"timer early by {handle.when() - loop.time()} s")
        self.expected[index].ran()
        self.order.append(index)
        self._settle()

    def cancel(self, index: int) -> None:
        if self.expected[index].state == "coming":
            self.handles[index].cancel()
            self.expected[index].cancelled()
            self._settle()

    def _settle(self) -> None:
        self.left -= 1
        if self.left == 0 and not self.done.done():
            self.done.set_result(None)

    async def finish(self) -> None:
        native = self.step.native
        if self.left:
            await self.done
        for first, second in pairwise(self.order):
            due = self.handles[first].when(), self.handles[second].when()
            # Of the same time: in order of scheduling, which asyncio does not promise.
            # Ours counts nanoseconds, so in the same one either may be the first.
            tied = first < second if native else True
            right = tied if due[0] == due[1] else due[0] < due[1] + NANOSECOND
            self.step.check(right, f"timer {second} came after {first}, they are of {due}")


@operation(3)
async def timers_in_order(step: Step) -> None:
    batch, now = TimerBatch(step), step.loop.time()
    for _ in range(step.rng.randrange(1, 60)):
        batch.add(now + step.rng.choice((0, -1, 1e-6, 0.001, step.rng.uniform(0, 0.1))))
    await batch.finish()


@operation(1)
async def timers_by_thousands_and_cancels(step: Step) -> None:
    batch, now = TimerBatch(step), step.loop.time()
    count = step.rng.randrange(500, 3000)
    for _ in range(count):
        batch.add(now + step.rng.uniform(0, 0.2))
    for index in step.rng.sample(range(count), count // 2):
        batch.cancel(index)
    for _ in range(5):
        await asyncio.sleep(0.02)
        for index in step.rng.sample(range(count), 20):
            batch.cancel(index)
    await batch.finish()


@operation(1)
async def timers_of_the_same_time(step: Step) -> None:
    batch = TimerBatch(step)
    when = step.loop.time() + step.rng.uniform(-0.01, 0.05)
    for _ in range(step.rng.randrange(2, 100)):
        batch.add(when)
    await batch.finish()


@operation(2)
async def timer_cancels_another_that_is_due(step: Step) -> None:
    loop = step.loop
    when = loop.time() + step.rng.uniform(0, 0.02)
    done = loop.create_future()
    first, second = step.expect("timer", "first"), step.expect("timer", "second")

    def cancel_second() -> None:
        first.ran()
        handle.cancel()
        second.cancelled()
        loop.call_later(0.005, done.set_result, None)

    loop.call_at(when, cancel_second)
    handle = loop.call_at(when + 1e-9, second.ran)
    await done


@operation(2)
async def timer_chain(step: Step) -> None:
    loop, done = step.loop, step.loop.create_future()

    def link(left: int, expected: Expectation, due: float) -> None:
        expected.ran()
        step.check(loop.time() + 1e-9 >= due, "timer early")
        if left == 0:
            done.set_result(None)
            return
        delay = step.rng.choice((0, 0, 0.0005, 0.003))
        coming = step.expect("timer", f"{left} left")
        loop.call_later(delay, link, left - 1, coming, loop.time() + delay)

    link(step.rng.randrange(1, 40), step.expect("timer", "chain"), 0)
    await done


@operation(3)
async def sleeps(step: Step) -> None:
    async def sleep(delay: float) -> None:
        expected, due = step.expect("sleep", delay), step.loop.time() + delay
        await asyncio.sleep(delay)
        step.check(step.loop.time() + 1e-9 >= due, f"sleep({delay}) early")
        expected.ran()

    delays = [step.rng.choice((0, 0.0001, step.rng.uniform(0, 0.05))) for _ in range(20)]
    await asyncio.gather(*map(sleep, delays))


@operation(3)
async def call_soon_burst(step: Step) -> None:
    loop, done = step.loop, step.loop.create_future()
    count = step.rng.randrange(1, 1000)
    expected = [step.expect("call_soon", i) for i in range(count)]
    order: list[int] = []

    def run(index: int) -> None:
        expected[index].ran()
        order.append(index)

    handles = [loop.call_soon(run, i) for i in range(count)]
    for index in step.rng.sample(range(count), count // 4):
        handles[index].cancel()
        expected[index].cancelled()
    loop.call_soon(done.set_result, None)
    await done
    step.check(order == sorted(order), "call_soon not in order")


@operation(2)
async def call_soon_cancels_the_next(step: Step) -> None:
    loop, done = step.loop, step.loop.create_future()
    first, second = step.expect("call_soon", "first"), step.expect("call_soon", "second")

    def cancel_second() -> None:
        first.ran()
        handle.cancel()
        second.cancelled()

    loop.call_soon(cancel_second)
    handle = loop.call_soon(second.ran)
    loop.call_soon(done.set_result, None)
    await done


@operation(1)
async def timers_beside_a_busy_ready_queue(step: Step) -> None:
    loop, done = step.loop, step.loop.create_future()
    expected = step.expect("timer", "beside a busy queue")
    busy = True

    def spin() -> None:
        if busy:
            loop.call_soon(spin)
        else:
            done.set_result(None)

    def due() -> None:
        nonlocal busy
        busy = False
        expected.ran()

    loop.call_later(step.rng.uniform(0, 0.02), due)
    spin()
    await done
