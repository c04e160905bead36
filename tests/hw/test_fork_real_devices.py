"""Real devices in the child of a fork, which goes on with them; the kernel is fake_kernel.c."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="its kernel is built with gcc")

BEGINNING = """
import asyncio, ctypes, sys, threading, warnings
from pathlib import Path

sys.path.insert(0, "tests")
from forking import in_child

import pyasync_hw
from pyasync_hw import _core, gpio
from pyasync_hw.hardware import KernelBackend
from pyasync_hw.testing import open_descriptors

FILE = sys.argv[1]
kernel = ctypes.CDLL(None)


def given_back(device):
    before = len(open_descriptors())
    device.close()
    return before - len(open_descriptors())
"""


@pytest.fixture
def kernel(on_fake_kernel: Callable[[str], str]) -> Callable[[str], str]:
    return lambda program: on_fake_kernel(BEGINNING + program)


def test_a_line_on_which_a_thread_of_the_parent_blocks(kernel: Callable[[str], str]) -> None:
    program = """
line = gpio.Input(17, chip="/dev/null", board=KernelBackend())

def block():
    try:
        line.blocking.wait_for_edge()
    except OSError as error:
        print("parent:", error.strerror)

thread = threading.Thread(target=block)
thread.start()
while Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(") ")[2][0] != "S":
    pass

async def close_while_it_is_awaited():
    waiting = asyncio.ensure_future(line.wait_for_edge())
    await asyncio.sleep(0)
    count = given_back(line)
    try:
        await waiting
    except OSError as error:
        return f"{count > 0}, {error.strerror}"

print("child:", in_child(lambda: pyasync_hw.run(close_while_it_is_awaited())))
line.close()
thread.join()
"""
    closed = "Bad file descriptor; it was closed while it was waited for"
    assert kernel(program) == f"child: True, {closed}\nparent: {closed}\n"


def test_a_bus_on_which_a_thread_of_the_parent_sends(kernel: Callable[[str], str]) -> None:
    program = """
device = _core.open_spidev(FILE, "spi0.0", 1_000_000, 0)
thread = threading.Thread(target=device.transfer, args=(b"abc",))
thread.start()
kernel.fake_await()
def is_open():
    return FILE in open_descriptors().values()

print(in_child(lambda: (given_back(device), is_open())))
device.close()  # at the end of what is sent
print(is_open(), in_child(is_open))
kernel.fake_finish()
thread.join()
print(is_open())
"""
    assert kernel(program) == "(1, False)\nTrue False\nFalse\n"


def test_a_line_that_a_signal_handler_closes_in_a_child_of_its_own(
    kernel: Callable[[str], str],
) -> None:
    """In the midst of a wait, which goes on in both processes."""
    program = """
import os, signal

line = gpio.Input(17, chip="/dev/null", board=KernelBackend())
who = "parent"

def handler(number, frame):
    global who
    child = os.fork()
    if child != 0:
        os.waitpid(child, 0)
        line.close()
        return
    who = "child"
    print(given_back(line) > 0, flush=True)

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.01)
try:
    line.blocking.wait_for_edge()
except OSError as error:
    print(who, error.strerror, flush=True)
os._exit(0)
"""
    closed = "Bad file descriptor; it was closed while it was waited for"
    assert kernel(program) == f"True\nchild {closed}\nparent {closed}\n"


def test_a_line_that_is_awaited_on_another_loop_and_that_the_child_closes(
    kernel: Callable[[str], str],
) -> None:
    """Such a loop has one epoll in both processes."""
    program = """
async def main():
    with gpio.Input(17, chip="/dev/null", board=KernelBackend()) as line:
        waiting = asyncio.ensure_future(line.wait_for_edge())
        await asyncio.sleep(0)
        epoll = Path(f"/proc/self/fdinfo/{asyncio.get_running_loop()._selector.fileno()}")
        before = epoll.read_text()
        in_child(line.close)
        print(f"tfd: {line.fileno():8}" in before, epoll.read_text() == before)
        waiting.cancel()

asyncio.run(main())
"""
    assert kernel(program) == "True True\n"
