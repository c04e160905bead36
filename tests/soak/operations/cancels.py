"""Tasks, futures, timeouts and groups that are cancelled at any moment."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from ..step import Step, operation


@operation(3)
async def tasks_cancelled(step: Step) -> None:
    async def work(index: int) -> int:
        expected = step.expect("task", index)
        try:
            for _ in range(step.rng.randrange(6)):
                await asyncio.sleep(step.rng.choice((0, 0, 0.001, 0.01)))
        except asyncio.CancelledError:
            expected.cancelled()
            raise
        expected.ran()
        return index

    tasks = [asyncio.ensure_future(work(i)) for i in range(step.rng.randrange(1, 30))]
    await step.turns(1)  # one that never began has nothing in the account
    for index in step.rng.sample(range(len(tasks)), len(tasks) // 2):
        await step.turns(step.rng.randrange(2))
        tasks[index].cancel()
    for index, result in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
        right = isinstance(result, asyncio.CancelledError) or result == index
        step.check(right, f"task {index} gave {result!r}")


@operation(2)
async def timeouts(step: Step) -> None:
    async def one() -> None:
        delay, limit = step.rng.uniform(0, 0.02), step.rng.uniform(0, 0.02)
        expected, began = step.expect("timeout"), step.loop.time()
        try:
            if step.chance(0.5):
                async with asyncio.timeout(limit):
                    await asyncio.sleep(delay)
            else:
                await asyncio.wait_for(asyncio.sleep(delay), limit)
        except TimeoutError:
            step.check(step.loop.time() - began >= limit - 1e-6, "timeout early")
        else:
            step.check(step.loop.time() - began >= delay - 1e-6, "sleep early")
        expected.ran()

    await asyncio.gather(*(one() for _ in range(step.rng.randrange(1, 20))))


class PlannedError(Exception):
    """What a task of a group raises, on purpose."""


@operation(2)
async def task_groups(step: Step) -> None:
    async def child(index: int, fails: bool) -> None:
        expected = step.expect("group's task", index)
        try:
            await asyncio.sleep(step.rng.choice((0, 0.001, 0.01)))
        except asyncio.CancelledError:
            expected.cancelled()
            raise
        expected.ran()
        if fails:
            raise PlannedError(index)

    count = step.rng.randrange(1, 12)
    failing = set(step.rng.sample(range(count), step.rng.choice((0, 0, 1))))
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child(i, i in failing)) for i in range(count)]
            await step.turns(1)
    except ExceptionGroup as errors:
        step.check(failing and errors.subgroup(PlannedError), f"group raised {errors!r}")
    else:
        step.check(not failing, "the group hid an error")
    step.check(all(task.done() for task in tasks), "the group left a task")


@operation(2)
async def queue_with_cancelled_getters(step: Step) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(step.rng.choice((0, 1, 5)))
    count = step.rng.randrange(1, 60)
    got: list[int] = []

    async def get() -> None:
        while True:
            got.append(await queue.get())
            queue.task_done()

    getters = [asyncio.ensure_future(get()) for _ in range(4)]
    for i in range(count):
        await queue.put(i)
        if step.chance(0.2):
            victim = step.rng.randrange(len(getters))
            getters[victim].cancel()
            getters.append(asyncio.ensure_future(get()))
    await queue.join()
    for getter in getters:
        getter.cancel()
    await asyncio.gather(*getters, return_exceptions=True)
    step.check(got == list(range(count)), f"queue gave {got} of {count}")


@operation(2)
async def locks_and_events(step: Step) -> None:
    lock, semaphore, event = asyncio.Lock(), asyncio.Semaphore(2), asyncio.Event()
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        await event.wait()
        async with semaphore:
            inside += 1
            most = max(most, inside)
            try:
                async with lock:
                    await asyncio.sleep(step.rng.choice((0, 0.0005)))
            finally:
                inside -= 1

    tasks = [asyncio.ensure_future(work()) for _ in range(12)]
    await step.turns(step.rng.randrange(3))
    event.set()
    for task in step.rng.sample(tasks, 3):
        await step.turns(step.rng.randrange(3))
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    step.check(inside == 0 and most <= 2, f"{inside} inside, {most} at once")
    step.check(not lock.locked() and not semaphore.locked(), "a lock was kept")


@operation(2)
async def future_callbacks(step: Step) -> None:
    loop = step.loop
    future: asyncio.Future[int] = loop.create_future()
    expected = [step.expect("done callback", i) for i in range(step.rng.randrange(1, 20))]
    for expectation in expected:
        future.add_done_callback(expectation.ran)
    removed = step.expect("done callback", "removed")
    future.add_done_callback(removed.ran)
    step.check(future.remove_done_callback(removed.ran) == 1, "callback was not there")
    removed.cancelled()
    how = step.rng.randrange(4)
    if how == 0:
        future.set_result(1)
    elif how == 1:
        future.set_exception(PlannedError())
    elif how == 2:
        future.cancel()
    else:
        loop.call_later(0.002, future.set_result, 1)
    result = (await asyncio.gather(future, return_exceptions=True))[0]
    right: tuple[type, ...] = (int, PlannedError, asyncio.CancelledError)
    step.check(isinstance(result, right), f"future gave {result!r}")
    await step.turns(2)


@operation(1)
async def shielded(step: Step) -> None:
    expected = step.expect("shielded task")

    async def inner() -> None:
        await asyncio.sleep(step.rng.uniform(0, 0.01))
        expected.ran()

    task = asyncio.ensure_future(inner())

    async def outer() -> None:
        await asyncio.shield(task)

    waiter = asyncio.ensure_future(outer())
    await step.turns(step.rng.randrange(3))
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    await task


@operation(1)
async def generator_left_in_the_middle(step: Step) -> None:
    closed = step.expect("aclose of a dropped generator")

    async def numbers() -> AsyncIterator[int]:
        try:
            for i in range(10):
                yield i
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            closed.ran()

    async for number in numbers():
        if number == step.rng.randrange(9):
            break
    else:
        return
    for _ in range(1000):  # the loop's hook makes a task of aclose()
        if closed.state != "coming":
            break
        await asyncio.sleep(0.001)


@operation(1)
async def eager_tasks(step: Step) -> None:
    if sys.version_info < (3, 12):
        return
    expected = [step.expect("eager task", i) for i in range(step.rng.randrange(1, 10))]

    async def work(index: int) -> None:
        if index % 2:
            await asyncio.sleep(0.001)
        expected[index].ran()

    tasks = [asyncio.Task(work(i), loop=step.loop, eager_start=True) for i in range(len(expected))]
    step.check(tasks[0].done(), "an eager task did not run at once")
    await asyncio.gather(*tasks)
