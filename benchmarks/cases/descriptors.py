"""From another process, through a pipe, to a callback and to a waiting coroutine.

The pipe is a GPIO line's descriptor as far as a reader can see: it has records with the
time stamps of the writer.  A wait lasts from there until Python code of ours has the bytes.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..helpers import helper
from .case import Loop, Sample, Stopwatch, case, limit

PAUSE_US = "200"
RECORD = 48  # struct gpio_v2_line_event


@contextmanager
def edges(count: int, *cpu: str) -> Iterator[int]:
    """The pipe's end to read; a process in C starts to write to the other end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    command = [helper("edges"), "write", str(writing), str(count), PAUSE_US, *cpu]
    writer = subprocess.Popen(command, pass_fds=[writing])
    os.close(writing)
    try:
        yield reading
    finally:
        writer.kill()
        writer.wait()
        os.close(reading)


def waited(record: bytes) -> int:
    return time.monotonic_ns() - int.from_bytes(record[:8], "little")


async def measure(
    loop: Loop, fd: int, receive: Callable[[], None], end: asyncio.Future[None]
) -> Stopwatch:
    loop.add_reader(fd, receive)
    try:
        with Stopwatch() as watch:
            await end
    finally:
        loop.remove_reader(fd)
    return watch


@case(100, repeats=3)
def descriptor_callback(loop: Loop, count: int) -> Sample:
    waits: list[int] = []
    end = loop.create_future()

    def receive() -> None:
        waits.append(waited(os.read(fd, RECORD)))
        if len(waits) == count:
            end.set_result(None)

    with edges(count) as fd:
        watch = loop.run_until_complete(measure(loop, fd, receive, end))
    return {"p50": statistics.median(waits)} | watch.per(count)


def by_reader(loop: Loop, fd: int, count: int) -> tuple[list[int], Stopwatch]:
    """The waits of a coroutine that add_reader() and os.read() have a future for."""
    waits: list[int] = []
    backlog: deque[bytes] = deque()
    waiter: asyncio.Future[bytes] | None = None

    def receive() -> None:
        record = os.read(fd, RECORD)
        if waiter is not None and not waiter.done():
            waiter.set_result(record)
        else:
            backlog.append(record)

    async def listen() -> None:
        nonlocal waiter
        while len(waits) < count:
            if backlog:
                record = backlog.popleft()
            else:
                waiter = loop.create_future()
                record = await waiter
            waits.append(waited(record))

    async def main() -> Stopwatch:
        return await measure(loop, fd, receive, loop.create_task(listen()))

    return waits, loop.run_until_complete(main())


@case(100, repeats=3)
def descriptor_coroutine(loop: Loop, count: int) -> Sample:
    with edges(count) as fd:
        waits, watch = by_reader(loop, fd, count)
    return {"p50": statistics.median(waits)} | watch.per(count)


def bare_edges(count: int, *cpus: str) -> Sample:
    command = [helper("edges"), "receive", str(count), PAUSE_US, *cpus]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    sample: Sample = json.loads(answer)
    return sample


limit("descriptor_callback")(bare_edges)
limit("descriptor_coroutine")(bare_edges)
