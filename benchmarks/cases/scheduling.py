"""Callbacks, tasks, and what synchronises tasks."""

from __future__ import annotations

import asyncio

from .case import Loop, Sample, Stopwatch, case, nothing


@case(20_000)
def call_soon_chain(loop: Loop, count: int) -> Sample:
    """Each callback schedules the next one."""
    left = count

    def link() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(link)
        else:
            loop.stop()

    loop.call_soon(link)
    with Stopwatch() as watch:
        loop.run_forever()
    return watch.per(count)


def schedule_and_run(loop: Loop, count: int) -> Sample:
    """Many are scheduled, then all run."""
    with Stopwatch() as watch:
        for _ in range(count):
            loop.call_soon(nothing)
        loop.call_soon(loop.stop)
        loop.run_forever()
    return watch.per(count)


@case(15_000)
def call_soon_burst(loop: Loop, count: int) -> Sample:
    return schedule_and_run(loop, count)


@case(50_000)
def call_soon_long_burst(loop: Loop, count: int) -> Sample:
    return schedule_and_run(loop, count)


@case(20_000)
def task_switch(loop: Loop, count: int) -> Sample:
    """1,000 tasks in sleep(0)."""
    tasks = min(1000, count)
    turns = count // tasks

    async def spin() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def main() -> Sample:
        spinners = [loop.create_task(spin()) for _ in range(tasks)]
        await asyncio.sleep(0)  # all have started
        with Stopwatch() as watch:
            for spinner in spinners:
                await spinner
        return watch.per(tasks * turns)

    return loop.run_until_complete(main())


async def leaf() -> int:
    return 1


@case(10_000)
def create_and_await(loop: Loop, count: int) -> Sample:
    """A task is created and awaited, then the next one."""

    async def main() -> Sample:
        with Stopwatch() as watch:
            for _ in range(count):
                await loop.create_task(leaf())
        return watch.per(count)

    return loop.run_until_complete(main())


@case(10_000)
def gather(loop: Loop, count: int) -> Sample:
    """One gather() of many coroutines."""

    async def main() -> Sample:
        with Stopwatch() as watch:
            await asyncio.gather(*[leaf() for _ in range(count)])
        return watch.per(count)

    return loop.run_until_complete(main())


@case(8_000)
def queue(loop: Loop, count: int) -> Sample:
    """Two tasks throw an item to each other through two queues."""

    async def main() -> Sample:
        there: asyncio.Queue[int] = asyncio.Queue()
        back: asyncio.Queue[int] = asyncio.Queue()

        async def peer() -> None:
            for _ in range(count):
                back.put_nowait(await there.get())

        task = loop.create_task(peer())
        with Stopwatch() as watch:
            for i in range(count):
                there.put_nowait(i)
                await back.get()
        await task
        return watch.per(count)

    return loop.run_until_complete(main())


@case(8_000)
def event(loop: Loop, count: int) -> Sample:
    """Two tasks wake each other through two events."""

    async def main() -> Sample:
        there, back = asyncio.Event(), asyncio.Event()

        async def peer() -> None:
            for _ in range(count):
                await there.wait()
                there.clear()
                back.set()

        task = loop.create_task(peer())
        with Stopwatch() as watch:
            for _ in range(count):
                there.set()
                await back.wait()
                back.clear()
        await task
        return watch.per(count)

    return loop.run_until_complete(main())
