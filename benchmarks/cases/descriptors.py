"""From another process, through a pipe, to a callback and to a waiting coroutine.

As a GPIO line's descriptor carries the kernel's time stamps, the pipe carries those
of the writer; a wait lasts from there until Python code of ours has the bytes.
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


@contextmanager
def edges(count: int) -> Iterator[int]:
    """The pipe's end to read; a process in C starts to write to the other end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    command = [helper("edges"), "write", str(writing), str(count), PAUSE_US]
    writer = subprocess.Popen(command, pass_fds=[writing])
    os.close(writing)
    try:
        yield reading
    finally:
        writer.kill()
        writer.wait()
        os.close(reading)


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
        data = os.read(fd, 8)
        waits.append(time.monotonic_ns() - int.from_bytes(data, "little"))
        if len(waits) == count:
            end.set_result(None)

    with edges(count) as fd:
        watch = loop.run_until_complete(measure(loop, fd, receive, end))
    return {"p50": statistics.median(waits)} | watch.per(count)


@case(100, repeats=3)
def descriptor_coroutine(loop: Loop, count: int) -> Sample:
    waits: list[int] = []
    backlog: deque[bytes] = deque()
    waiter: asyncio.Future[bytes] | None = None

    def receive() -> None:
        data = os.read(fd, 8)
        if waiter is not None and not waiter.done():
            waiter.set_result(data)
        else:
            backlog.append(data)

    async def listen() -> None:
        nonlocal waiter
        while len(waits) < count:
            if backlog:
                data = backlog.popleft()
            else:
                waiter = loop.create_future()
                data = await waiter
            waits.append(time.monotonic_ns() - int.from_bytes(data, "little"))

    async def main() -> Stopwatch:
        return await measure(loop, fd, receive, loop.create_task(listen()))

    with edges(count) as fd:
        watch = loop.run_until_complete(main())
    return {"p50": statistics.median(waits)} | watch.per(count)


def bare_edges(count: int) -> Sample:
    command = [helper("edges"), "receive", str(count), PAUSE_US]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    sample: Sample = json.loads(answer)
    return sample


limit("descriptor_callback")(bare_edges)
limit("descriptor_coroutine")(bare_edges)
