"""Subinterpreters, with a GIL of their own and sharing it: import, loops, devices, the end.

Each test is a process of its own (interpreters.py).  Where CPython itself does not
survive the same with asyncio alone (3.12.1 does not, with a GIL of its own), the
test is skipped: its control decides.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("interpreters.py")

PRELUDE = """
import asyncio, gc, socket, warnings
import pyasync_hw
from pyasync_hw import gpio, rc522, sim
"""
SCENARIOS = {
    "timers and tasks": """
async def main():
    await asyncio.gather(*(asyncio.sleep(n / 1000) for n in range(10)))
    async with asyncio.timeout(10):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.001))
pyasync_hw.run(main())
""",
    "readers": """
async def main():
    loop, (one, other) = asyncio.get_running_loop(), socket.socketpair()
    with one, other:
        one.setblocking(False)
        seen = loop.create_future()
        loop.add_reader(one, lambda: seen.done() or seen.set_result(one.recv(10)))
        await loop.sock_sendall(other, b"x")
        assert await seen == b"x"
        loop.remove_reader(one)
pyasync_hw.run(main())
""",
    "executor": """
async def main():
    assert await asyncio.to_thread(lambda: 42) == 42
    loop = asyncio.get_running_loop()
    jobs = [loop.run_in_executor(None, int, n) for n in range(20)]
    assert await asyncio.gather(*jobs) == list(range(20))
pyasync_hw.run(main())
""",
    "subprocess": """
async def main():
    process = await asyncio.create_subprocess_exec("/bin/echo", "hi", stdout=-1)
    assert await process.communicate() == (b"hi\\n", None)
    assert process.returncode == 0
pyasync_hw.run(main())
""",
    "virtual time": """
clock = pyasync_hw.VirtualClock()
pyasync_hw.run(asyncio.sleep(1000), clock=clock)
assert clock.time() >= 1000
""",
    "devices": """
async def main():
    with sim.Board() as board, gpio.Input(17, board=board) as line:
        waiting = asyncio.ensure_future(line.wait_for_edge())
        await asyncio.sleep(0)
        board.line(17).drive(1)
        await waiting
        board.attach_rc522(irq="GPIO24").present(sim.MifareClassic1K(uid="a61d227e"))
        async with rc522.Reader(board=board) as reader:
            tag = await reader.wait_for_tag()
            assert tag.uid.hex() == "a61d227e"
pyasync_hw.run(main())
""",
    "left open": """
warnings.simplefilter("ignore")
loop = pyasync_hw.new_event_loop()
one, other = socket.socketpair()
loop.add_reader(one, print)
loop.call_later(1000, print, loop)
loop.call_soon(id, loop)
loop.run_until_complete(asyncio.sleep(0))
board = sim.Board()
line = gpio.Input(17, board=board)
wait = line._core.arm(loop, "both")
""",
    "left open, in a cycle": """
warnings.simplefilter("ignore")
class Keeper: pass
keeper = Keeper()
keeper.me, keeper.loop = keeper, pyasync_hw.new_event_loop()
keeper.loop.call_later(1000, print, keeper)
del keeper
""",
}
CONTROL = """
import asyncio, concurrent.futures.thread, socket, subprocess, warnings
async def main():
    await asyncio.sleep(0.001)
asyncio.run(main())
"""


@functools.cache
def outcome(code: str, gil: str, threads: int, rounds: int, main: str = "") -> Any:
    """What the driver printed; a text: how it died."""
    job = {"code": code, "gil": gil, "threads": threads, "rounds": rounds, "main": main}
    done = subprocess.run(
        [sys.executable, str(DRIVER), json.dumps(job)], capture_output=True, text=True, timeout=100
    )
    if done.returncode != 0 or done.stderr:
        return f"{done.returncode}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def check(code: str, gil: str, threads: int, rounds: int, main: str = "") -> None:
    control = outcome(CONTROL, gil, threads, 5)
    if isinstance(control, str) or control["errors"]:
        pytest.skip(f"CPython itself does not survive this: {str(control)[:60]}")
    result = outcome(PRELUDE + code, gil, threads, rounds, main)
    assert isinstance(result, dict), result
    assert result["errors"] == []
    assert result["after"] == result["before"]


GILS = ["own", "shared"] if sys.version_info >= (3, 12) else ["shared"]


@pytest.mark.parametrize("gil", GILS)
def test_in_several_threads_at_once(gil: str) -> None:
    check("".join(SCENARIOS.values()), gil, threads=3, rounds=2)


def test_many_times_nothing_is_left(thorough: bool) -> None:
    gil = "shared" if isinstance(outcome(CONTROL, "own", 1, 5), str) else "own"
    many = thorough and not os.environ.get("PYASYNC_HW_SANITIZE")  # there it takes minutes
    check(SCENARIOS["left open"] + SCENARIOS["timers and tasks"], gil, 1, 50 if many else 10)


MAIN = """
import asyncio, pyasync_hw
async def main():
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, work)
    turns = 0
    while not ended.done():
        await asyncio.sleep(0.001)
        process = await asyncio.create_subprocess_exec("/bin/true")
        assert await process.wait() == 0
        turns += 1
    await ended
    assert turns > 1
# Not run(): a Runner of another interpreter would look at this one's SIGINT handler.
loop = pyasync_hw.new_event_loop()
loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
"""


@pytest.mark.parametrize("gil", GILS)
def test_beside_a_loop_with_children_in_the_main_interpreter(gil: str) -> None:
    """uvloop#650: to spawn a subprocess when there are subinterpreters crashed."""
    check(SCENARIOS["timers and tasks"], gil, threads=2, rounds=3, main=MAIN)
