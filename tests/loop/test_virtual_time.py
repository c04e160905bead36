"""Time that nobody waits for: VirtualClock under a loop."""

import asyncio
import sys
import threading
import time

import pytest

import pyasync_hw


def run(main, **kwargs):
    return pyasync_hw.run(main, clock=pyasync_hw.VirtualClock(**kwargs))


def test_a_day_passes_at_once():
    async def main():
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(86400)
        return loop.time() - before

    began = time.monotonic()
    assert run(main(), start=5.0) == 86400
    assert time.monotonic() - began < 5


def test_timers_and_tasks_interleave_in_order():
    seen = []

    async def tick(name, period):
        for _ in range(3):
            await asyncio.sleep(period)
            seen.append((asyncio.get_running_loop().time(), name))

    async def main():
        await asyncio.gather(tick("a", 2), tick("b", 3))

    run(main())
    assert seen == [(2, "a"), (3, "b"), (4, "a"), (6, "b"), (6, "a"), (9, "b")] or seen == [
        (2, "a"),
        (3, "b"),
        (4, "a"),
        (6, "a"),
        (6, "b"),
        (9, "b"),
    ]


def test_a_deadlock_raises():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(pyasync_hw.SleepForeverError):
        run(main())


def test_an_executor_job_holds_the_clock():
    async def main():
        loop = asyncio.get_running_loop()
        release = threading.Event()
        job = loop.run_in_executor(None, release.wait, 10)
        loop.call_later(3600, loop.stop)  # must not be reached meanwhile
        threading.Timer(0.05, release.set).start()
        assert await job
        return loop.time()

    assert run(main()) == 0


def test_a_cancelled_job_still_holds_until_its_thread_is_done():
    async def main():
        loop = asyncio.get_running_loop()
        release, finished = threading.Event(), threading.Event()

        def work():
            release.wait(10)
            finished.set()

        job = loop.run_in_executor(None, work)
        job.cancel()
        threading.Timer(0.05, release.set).start()
        await asyncio.sleep(3600)
        return finished.is_set()

    assert run(main())


def test_a_child_holds_the_clock():
    async def main():
        loop = asyncio.get_running_loop()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
        )
        timer = loop.call_later(3600, child.kill)
        await child.communicate(b"\n")
        timer.cancel()
        return child.returncode, loop.time()

    returncode, now = run(main())
    assert returncode == 0
    assert now < 3600


def test_an_outside_descriptor_is_waited_for():
    import os

    async def main():
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        r, w = os.pipe()
        loop.add_reader(r, readable.set)
        threading.Timer(0.05, os.write, (w, b"x")).start()
        await readable.wait()
        loop.remove_reader(r)
        os.close(r)
        os.close(w)

    run(main())


def test_the_clock_can_be_held_and_advanced_from_outside():
    clock = pyasync_hw.VirtualClock()

    async def main():
        sleeper = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0)  # it begins to sleep before the clock is advanced
        clock.hold()
        threading.Timer(0.02, lambda: (clock.advance(4), clock.release())).start()
        await sleeper
        return clock.time()

    assert pyasync_hw.run(main(), clock=clock) == 10


def test_two_loops_cannot_run_on_one_clock():
    clock = pyasync_hw.VirtualClock()
    other = pyasync_hw.new_event_loop(clock)

    async def main():
        def second():
            with pytest.raises(RuntimeError, match="another loop is running"):
                other.run_forever()

        await asyncio.to_thread(second)

    pyasync_hw.run(main(), clock=clock)
    other.close()


@pytest.mark.parametrize("start", [-1, 1e10, float("nan")])
def test_bad_start(start):
    with pytest.raises(ValueError, match="start"):
        pyasync_hw.VirtualClock(start)


def test_bad_clock():
    with pytest.raises(TypeError, match="VirtualClock"):
        pyasync_hw.new_event_loop(3)


def test_time_does_not_go_back():
    clock = pyasync_hw.VirtualClock()
    clock.advance(1.5)
    assert (clock.time(), clock.time_ns()) == (1.5, 1_500_000_000)
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)
    with pytest.raises(RuntimeError, match=r"without hold"):
        clock.release()


def test_the_end_of_time():
    clock = pyasync_hw.VirtualClock(start=8.9e9)
    clock.advance(8.9e9)
    end = clock.time_ns()
    clock.advance(1.0)
    assert clock.time_ns() == end == 9 * 10**18
