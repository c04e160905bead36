"""What a loop holds is garbage when the loop is, and what a burst took is given back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable

import pytest

import pyasync_hw


class Owner:
    """In a cycle with its handle, the loop and what the handle calls."""

    def __init__(self, loop: pyasync_hw.EventLoop, verb: str) -> None:
        self.loop = loop
        schedule = getattr(loop, verb)
        self.handle = schedule(1e9, self.method) if "call_l" in verb else schedule(self.method)

    def method(self) -> None:
        raise AssertionError("never run")


VERBS = ["call_soon", "call_soon_threadsafe", "call_later"]


def held(owner: Owner) -> None:
    """As it is: the owner has the handle."""


def by_weakref(owner: Owner) -> None:
    """The handle was let go of, and got back by a weak reference."""
    weak = weakref.ref(owner.handle)
    owner.handle = None
    owner.loop.call_soon(int)  # the loop has looked at it by now
    gc.collect()
    owner.handle = weak()
    assert owner.handle is not None


def by_the_loop(owner: Owner) -> None:
    """The handle was let go of, and found among what the loop refers to."""
    owner.handle = None
    owner.loop.call_soon(int)
    found = [x for x in gc.get_referents(owner.loop) if getattr(x, "_callback", None)]
    owner.handle = next(x for x in found if x._callback == owner.method)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("keep", [held, by_weakref, by_the_loop])
@pytest.mark.parametrize("verb", VERBS)
def test_a_cycle_through_a_handle_that_never_runs(
    verb: str, keep: Callable[[Owner], None], debug: bool
) -> None:
    loop = pyasync_hw.new_event_loop()
    loop.set_debug(debug)
    owner = Owner(loop, verb)
    keep(owner)
    gone = weakref.ref(owner), weakref.ref(loop)
    del owner, loop
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_a_cycle_through_a_handle_that_was_made_while_another_one_was() -> None:
    """In debug mode a handle notes the stack, and the collector may schedule meanwhile."""
    loop = pyasync_hw.new_event_loop()
    loop.set_debug(True)
    gone = []

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            owner = Owner(loop, "call_soon")
            owner.handle.cancel()
            gone.append(weakref.ref(owner))

    thresholds = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for _ in range(20):
            Cycle()
            loop.call_soon(int)
    finally:
        gc.set_threshold(*thresholds)
    loop.close()
    gc.collect()
    assert len(gone) == 20
    assert [ref() for ref in gone] == [None] * 20


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


SECOND_INSTANCE = """
import gc, importlib.machinery, importlib.util, weakref
import pyasync_hw

def instance():
    loader = importlib.machinery.ExtensionFileLoader("pyasync_hw._core", pyasync_hw._core.__file__)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("pyasync_hw._core", loader)
    )
    loader.exec_module(module)
    assert module is not pyasync_hw._core
    return module

for _ in range(3):
    core = instance()
    types = [weakref.ref(core.Handle), weakref.ref(core.TimerHandle)]
    loop = core.Loop()
    loop._closed = False
    kept = [loop.call_soon(int) for _ in range(200)]
    loop._run_once()
    kept += [loop.call_soon(int), loop.call_later(1e6, int)]
    del kept[:100]  # to the free list
    if ORDER == "module first":
        core = None
        gc.collect()
        loop.call_soon(int)
        loop._run_once()
    elif ORDER == "together":
        kept.append((kept, loop, core))
    else:
        loop = None
        gc.collect()
        kept[0]._run()
    kept = loop = core = None
    gc.collect()
    assert [ref() for ref in types] == [None, None]
"""


@pytest.mark.parametrize("order", ["module first", "together", "handles last"])
def test_the_free_list_of_a_second_instance_of_the_module(order: str) -> None:
    """Its handles' types belong to that instance, and go with it."""
    run(f"ORDER = {order!r}\n" + SECOND_INSTANCE, PYTHONMALLOC="debug")


BURST = """
import asyncio
import os
import pyasync_hw

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

def soon(loop, count):
    for _ in range(count):
        loop.call_soon(int)

def later(loop, count):
    for handle in [loop.call_later(1000, int) for _ in range(count)]:
        handle.cancel()

def threadsafe(loop, count):
    for _ in range(count):
        loop.call_soon_threadsafe(int)

async def main():
    loop = asyncio.get_running_loop()
    BURST(loop, 1000)
    await asyncio.sleep(0.001)
    before = resident()
    BURST(loop, 500_000)
    await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)
    print(resident() - before)

pyasync_hw.run(main())
"""


@pytest.mark.skipif(
    "PYASYNC_HW_SANITIZE" in os.environ, reason="the sanitizer keeps what was freed"
)
@pytest.mark.parametrize("burst", ["soon", "later", "threadsafe"])
def test_what_a_burst_took_comes_back_when_the_loop_sleeps(burst: str) -> None:
    grown = float(run(BURST.replace("BURST", burst)))
    assert grown < 8, f"{grown:.1f} MiB stay of half a million callbacks"
