"""loop.stats(): lag, idle and busy time; counters begin anew on request."""

import asyncio
import threading
import time

import pytest

import pyasync_hw


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


def block(seconds):
    time.sleep(seconds)


def test_a_loop_that_never_ran_has_no_lag(loop):
    stats = loop.stats()
    assert stats["lag_p50_ns"] == stats["lag_p99_ns"] == stats["lag_max_ns"] == 0
    assert stats["busy_ns"] == stats["idle_ns"] == 0


def test_a_block_shows_up_without_any_timer(loop):
    loop.call_soon(block, 0.06)
    loop.call_soon(loop.stop)
    loop.run_forever()
    stats = loop.stats()
    assert stats["lag_max_ns"] >= 60e6
    # Nearly all of the run is the block: half of the moments in it wait half of it.
    assert stats["lag_max_ns"] * 0.4 < stats["lag_p50_ns"] < stats["lag_p99_ns"]
    assert stats["lag_p99_ns"] <= stats["lag_max_ns"]
    assert stats["busy_ns"] >= 60e6


def test_one_block_among_many_short_turns_is_in_p99(loop):
    async def main():
        loop.stats(reset=True)
        for _ in range(5000):
            await asyncio.sleep(0)
        block(0.06)

    loop.run_until_complete(main())
    stats = loop.stats()
    assert stats["iterations"] >= 5000
    assert stats["lag_p99_ns"] >= 1e6


def test_an_idle_loop_has_no_lag_in_half_of_the_time(loop):
    loop.run_until_complete(asyncio.sleep(0.05))
    stats = loop.stats()
    assert stats["idle_ns"] >= 40e6
    assert stats["lag_p50_ns"] == 0


def test_reset_returns_what_was_and_begins_anew(loop):
    loop.call_soon(block, 0.03)
    loop.call_soon(loop.stop)
    loop.run_forever()
    before = loop.stats(reset=True)
    after = loop.stats()
    assert before["lag_max_ns"] >= 30e6
    assert before["callbacks"] == 2
    for name in ("iterations", "callbacks", "polls", "lag_max_ns", "busy_ns", "idle_ns"):
        assert after[name] == 0
    assert after["descriptors"] == 1  # what it holds is not a counter


def test_reset_in_the_middle_of_a_turn(loop):
    figures = []

    def callback():
        block(0.2)
        figures.append(loop.stats(reset=True))
        figures.append(loop.stats())
        loop.stop()

    loop.call_soon(callback)
    loop.run_forever()
    assert figures[0]["lag_max_ns"] >= 200e6  # the turn that goes on counts
    assert figures[1]["lag_max_ns"] < 200e6
    assert loop.stats()["busy_ns"] < 200e6


def test_another_thread_sees_the_block_while_it_lasts(loop):
    blocked, seen = threading.Event(), threading.Event()
    figures = []

    def callback():
        blocked.set()
        assert seen.wait(10)
        loop.stop()

    def observer():
        assert blocked.wait(10)
        time.sleep(0.02)  # the block has to last
        figures.append(loop.stats())
        seen.set()

    thread = threading.Thread(target=observer)
    thread.start()
    loop.call_soon(callback)
    loop.run_forever()
    thread.join()
    assert figures[0]["lag_max_ns"] >= 20e6


def test_another_thread_asks_a_sleeping_loop(loop):
    sleeping = threading.Event()
    figures = []

    def observer():
        assert sleeping.wait(10)
        while not figures or figures[-1]["idle_ns"] < 200e6:
            figures.append(loop.stats())
        figures.append(loop.stats(reset=True))
        figures.append(loop.stats())
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=observer)
    thread.start()
    loop.call_soon(sleeping.set)
    loop.run_forever()
    thread.join()
    assert figures[-1]["idle_ns"] < figures[-2]["idle_ns"]
    end = loop.stats()
    assert end["idle_ns"] >= 0
    assert end["busy_ns"] >= 0


def test_virtual_time_is_no_lag():
    loop = pyasync_hw.new_event_loop(clock=pyasync_hw.VirtualClock())
    try:
        loop.run_until_complete(asyncio.sleep(3600))
        assert loop.stats()["lag_max_ns"] < 60e9  # real time of the turns, not an hour
        loop.call_soon(block, 0.03)
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert loop.stats()["lag_max_ns"] >= 30e6
    finally:
        loop.close()


@pytest.mark.parametrize("arguments", [((True,), {}), ((), {"rest": True})])
def test_wrong_arguments(loop, arguments):
    positional, keywords = arguments
    with pytest.raises(TypeError, match="reset"):
        loop.stats(*positional, **keywords)


def test_a_turn_inside_a_callback_is_part_of_its_turn(loop):
    def callback():
        loop._run_once()
        block(0.02)
        loop.stop()

    loop.call_soon(callback)
    loop.call_soon(lambda: None)
    loop.run_forever()
    stats = loop.stats()
    assert stats["lag_max_ns"] < 60e9
    assert stats["busy_ns"] >= 20e6
