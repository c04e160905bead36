"""A loop that is dropped and was not closed: it says so, and nothing is left of it."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import pytest

import pyasync_hw


def usage() -> tuple[list[str], int]:
    return sorted(os.listdir("/proc/self/fd")), threading.active_count()


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


def fill(loop: pyasync_hw.EventLoop, what: str, keeper: list[Any]) -> None:
    if what == "timers":
        loop.call_later(1000, keeper.append, loop)
        loop.call_soon(keeper.append, loop)
        loop.call_soon_threadsafe(keeper.append, loop)
    elif what == "readers":
        one, other = socket.socketpair()
        loop.add_reader(one, other.send, b"x")
    elif what == "tasks":
        task = loop.create_task(forever())
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.run_until_complete(asyncio.sleep(0))
    elif what == "workers":
        loop.run_until_complete(loop.run_in_executor(None, int))
    keeper.append((loop, keeper))


@pytest.mark.parametrize("what", ["nothing", "timers", "readers", "tasks", "workers"])
def test_it_warns_and_leaves_nothing(what: str) -> None:
    gc.collect()
    before = usage()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop = pyasync_hw.new_event_loop()
        name = repr(loop)
        fill(loop, what, [])
        del loop
        gc.collect()
        patience = time.monotonic() + 10
        while usage() != before and time.monotonic() < patience:
            gc.collect()
            time.sleep(0.001)  # its workers see that it is gone
    assert usage() == before
    mine = [one for one in caught if "unclosed event loop" in str(one.message)]
    assert [str(one.message) for one in mine] == [f"unclosed event loop {name}"]
    assert mine[0].category is ResourceWarning
    assert isinstance(mine[0].source, pyasync_hw.EventLoop)


AT_EXIT = """
import asyncio, sys, threading
import pyasync_hw

what, holder = sys.argv[1:]
loop = pyasync_hw.new_event_loop()

async def start():
    if what == "child":
        return await asyncio.create_subprocess_exec("/bin/sleep", "0.2")
    if what == "workers":
        return await asyncio.to_thread(int)
    return await asyncio.start_server(print, "127.0.0.1", 0)

thing = loop.run_until_complete(start())
if holder == "cycle":
    cycle = [loop, thing]
    cycle.append(cycle)
    del loop, thing, cycle
elif holder == "thread":
    threading.Thread(target=lambda _: threading.Event().wait(), args=(loop,), daemon=True).start()
"""


@pytest.mark.parametrize("holder", ["global", "cycle", "thread"])
@pytest.mark.parametrize("what", ["child", "workers", "server"])
def test_at_the_end_of_the_interpreter(what: str, holder: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", AT_EXIT, what, holder],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    if holder != "thread":  # which keeps it to the end, unseen
        assert "ResourceWarning: unclosed event loop" in done.stderr
