"""Other loops: in threads, dropped without close(); the collector; debug mode."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref

import pyasync_hw

from ..account import Expectation
from ..step import Step, operation
from .threads import Threads


@operation(2)
async def loop_in_another_thread(step: Step) -> None:
    expected = step.expect("loop in a thread")
    with_child, with_job = step.chance(0.3), step.chance(0.5)
    left: list[asyncio.Task[None]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        counted = [step.expect("call_soon", f"elsewhere {i}") for i in range(20)]
        for expectation in counted:
            loop.call_soon(expectation.ran)
        timer = step.expect("timer", "elsewhere")
        loop.call_later(0.001, timer.ran)
        await asyncio.sleep(0.005)
        if with_job:
            step.check(await asyncio.to_thread(sum, (1, 2)) == 3, "sum is wrong")
        if with_child:
            process = await asyncio.create_subprocess_exec("/bin/sh", "-c", "exit 4")
            step.check(await process.wait() == 4, f"status {process.returncode} for 4")
        left.append(asyncio.ensure_future(asyncio.sleep(1000)))  # the runner cancels it

    def body() -> None:
        with asyncio.Runner(loop_factory=step.new_loop) as runner:
            runner.run(main())
            loop = runner.get_loop()
        try:
            loop.call_soon_threadsafe(int)
        except RuntimeError:
            expected.ran()

    await Threads(step, [body]).finish()


@operation(2)
async def two_loops_call_each_other(step: Step) -> None:
    started, done = threading.Event(), step.loop.create_future()
    other: list[asyncio.AbstractEventLoop] = []

    def body() -> None:
        with asyncio.Runner(loop_factory=step.new_loop) as runner:
            other.append(runner.get_loop())
            started.set()
            other[0].run_forever()

    threads = asyncio.ensure_future(Threads(step, [body]).finish())
    await step.turns(2)
    step.check(started.wait(30), "the thread did not begin")
    left = step.rng.randrange(1, 60)

    def there() -> None:
        expected = step.expect("threadsafe call", "back")
        step.loop.call_soon_threadsafe(back, expected)

    def back(expected: Expectation) -> None:
        nonlocal left
        expected.ran()
        left -= 1
        if left:
            other[0].call_soon_threadsafe(there)
        else:
            done.set_result(None)

    other[0].call_soon_threadsafe(there)
    await done
    other[0].call_soon_threadsafe(other[0].stop)
    await threads


class Witness:
    """Something whose end can be seen."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop


async def _collected(step: Step, gone: weakref.ref[Witness]) -> None:
    """At once, unless another thread collects at this moment, or a worker goes idle."""
    for _ in range(2000):
        gc.collect()
        if gone() is None:
            return
        await asyncio.sleep(0.005)
    step.check(False, "a loop that was dropped is still there")


@operation(1)
async def loop_dropped_without_close(step: Step) -> None:
    def drop() -> tuple[weakref.ref[Witness], int, int]:
        loop = step.new_loop()
        witness = Witness(loop)
        read_fd, write_fd = os.pipe()
        loop.call_soon(id, witness)
        loop.call_later(1000, id, witness)
        loop.call_soon_threadsafe(id, witness)
        loop.add_reader(read_fd, id, witness)
        loop.create_future().add_done_callback(lambda _: witness)
        if step.chance(0.5):
            loop.call_later(1001, id, witness).cancel()
        return weakref.ref(witness), read_fd, write_fd

    gone, read_fd, write_fd = drop()
    await _collected(step, gone)
    os.close(read_fd)
    os.close(write_fd)


@operation(1)
async def loop_dropped_by_a_thread(step: Step) -> None:
    """It has run, has an executor with an idle worker, and is collected elsewhere."""
    gone: list[weakref.ref[Witness]] = []

    def body() -> None:
        loop = step.new_loop()

        async def main() -> None:
            await asyncio.sleep(0)
            await loop.run_in_executor(None, int)

        loop.run_until_complete(main())
        witness = Witness(loop)
        loop.call_later(1000, id, witness)
        gone.append(weakref.ref(witness))

    await Threads(step, [body]).finish()
    await _collected(step, gone[0])


@operation(1)
async def collect(step: Step) -> None:
    if step.chance(0.5):
        gc.collect(step.rng.randrange(3))
    else:
        await asyncio.to_thread(gc.collect, step.rng.randrange(3))


@operation(1)
async def debug_mode_for_a_while(step: Step) -> None:
    async with step.lock("debug"):
        step.loop.set_debug(True)
        await asyncio.sleep(step.rng.uniform(0, 0.03))
        expected = step.expect("thread check")

        def wrong_thread() -> None:
            try:
                step.loop.call_soon(int)
            except RuntimeError:
                expected.ran()

        await asyncio.to_thread(wrong_thread)
        step.loop.set_debug(False)


@operation(1)
async def loop_on_a_virtual_clock(step: Step) -> None:
    days = step.expect("virtual time")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(asyncio.sleep(step.rng.uniform(0, 86400)) for _ in range(20)))
        await asyncio.to_thread(int)
        await asyncio.sleep(86400)
        step.check(loop.time() - began >= 86400, "virtual time did not pass")
        days.ran()

    def body() -> None:
        pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock())

    await Threads(step, [body]).finish()
