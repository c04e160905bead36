"""gpio.Input and gpio.Output on the simulated board."""

from __future__ import annotations

import asyncio
import errno
import gc
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError as FuturesCancelledError
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, gpio, hardware, sim

Runner = Callable[[Awaitable[Any]], Any]


def types(events: list[gpio.EdgeEvent]) -> list[str]:
    return [event.event_type for event in events]


def test_an_edge_that_comes_later_is_awaited(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input("GPIO17", bias="pull_up") as button:
            waiter = asyncio.ensure_future(button.wait_for_edge("falling"))
            await asyncio.sleep(0)
            assert not waiter.done()
            hw_board.line(17).drive(0)
            event = await waiter
        assert event.event_type == "falling"
        assert (event.line_offset, event.global_seqno, event.line_seqno, event.dropped) == (
            17,
            1,
            1,
            0,
        )

    run(main())


def test_time_stamps_are_on_the_loops_clock(hw_board: sim.Board) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with gpio.Input(17, bias="pull_up") as button:
            hw_board.line(17).drive(0, at=1.5)
            before = loop.time()
            event = await button.wait_for_edge("falling")
            assert event.timestamp_ns == round((before + 1.5) * 1e9)
            assert loop.time() == before + 1.5

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_edges_before_the_wait_count_and_clear_forgets_them(
    run: Runner, hw_board: sim.Board
) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        with gpio.Input(17, bias="pull_up") as button:
            line.drive(0)
            line.drive(1)
            assert types([await button.wait_for_edge(), await button.wait_for_edge()]) == [
                "falling",
                "rising",
            ]
            line.drive(0)
            button.clear()
            waiter = asyncio.ensure_future(button.wait_for_edge())
            await asyncio.sleep(0)
            assert not waiter.done()
            line.drive(1)
            assert (await waiter).event_type == "rising"

    run(main())


def test_a_wait_for_one_kind_leaves_the_other_kind(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        with gpio.Input(17, bias="pull_up") as button:
            rising = asyncio.ensure_future(button.wait_for_edge("rising"))
            falling = asyncio.ensure_future(button.wait_for_edge("falling"))
            await asyncio.sleep(0)
            line.drive(0)
            assert (await falling).line_seqno == 1
            assert not rising.done()
            line.drive(1)
            assert (await rising).line_seqno == 2

    run(main())


def test_waiters_are_served_first_in_first_out(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as button:
            waiters = [asyncio.ensure_future(button.wait_for_edge()) for _ in range(8)]
            await asyncio.sleep(0)
            for i in range(8):
                hw_board.line(17).drive(i % 2)
            events = await asyncio.gather(*waiters)
        assert [event.line_seqno for event in events] == list(range(1, 9))

    run(main())


def test_a_cancelled_waiter_loses_no_edge(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as button:
            first = asyncio.ensure_future(button.wait_for_edge())
            second = asyncio.ensure_future(button.wait_for_edge())
            await asyncio.sleep(0)
            hw_board.line(17).drive(0)
            first.cancel()
            event = await second
            assert event.line_seqno == 1
            with pytest.raises(asyncio.CancelledError):
                await first

    run(main())


def test_a_waiter_cancelled_after_its_wake_up_passes_it_on(hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as button:
            core = button._core
            loop = asyncio.get_running_loop()
            first, second = core.arm(loop), core.arm(loop)
            hw_board.line(17).drive(0)
            await first  # woken: the edge is its to take
            assert not second.done()
            core.disarm(first)  # but it gives up
            assert second.done()
            assert core.collect(second) is not None and core.take() is None
            core.disarm(second)
            core.disarm(second)

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_wait_for_with_a_timeout(hw_board: sim.Board) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with gpio.Input(17, bias="pull_up") as button:
            before = loop.time()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3.0):
                    await button.wait_for_edge()
            assert loop.time() == before + 3.0
            assert loop.stats()["descriptors"] == loop_descriptors

    async def count() -> int:
        return asyncio.get_running_loop().stats()["descriptors"]

    loop_descriptors = pyasync_hw.run(count())
    pyasync_hw.run(main(), clock=hw_board.clock)


def test_close_wakes_every_waiter_with_an_error(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        button = gpio.Input(17, bias="pull_up")
        waiters = [asyncio.ensure_future(button.wait_for_edge()) for _ in range(3)]
        await asyncio.sleep(0)
        button.close()
        button.close()
        for result in await asyncio.gather(*waiters, return_exceptions=True):
            assert isinstance(result, OSError)
            assert result.errno == errno.EBADF
            assert "closed while" in str(result)
        with pytest.raises(ValueError, match="closed"):
            await button.wait_for_edge()
        with pytest.raises(ValueError, match="closed"):
            _ = button.value
        assert button.closed

    run(main())


def test_a_board_that_is_unplugged_wakes_every_waiter(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as button:
            waiters = [asyncio.ensure_future(button.wait_for_edge()) for _ in range(3)]
            await asyncio.sleep(0)
            hw_board.close()
            for result in await asyncio.gather(*waiters, return_exceptions=True):
                assert isinstance(result, OSError)
                assert result.errno == errno.ENODEV
            with pytest.raises(OSError, match="line 17"):
                await button.wait_for_edge()

    run(main())


def test_ten_thousand_waits(hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        with gpio.Input(17, bias="pull_up") as button:
            for i in range(10_000):
                waiter = asyncio.ensure_future(button.wait_for_edge())
                await asyncio.sleep(0)
                line.drive(i % 2)
                event = await waiter
                assert (event.line_seqno, event.dropped) == (i + 1, 0)

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_ten_thousand_cancelled_waits_leave_nothing(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as button:
            for _ in range(10_000):
                waiter = asyncio.ensure_future(button.wait_for_edge())
                await asyncio.sleep(0)
                waiter.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiter
            hw_board.line(17).drive(0)
            assert (await button.wait_for_edge()).line_seqno == 1

    run(main())


def test_a_task_that_nobody_holds_is_kept_by_the_loop(run: Runner, hw_board: sim.Board) -> None:
    async def wait(done: asyncio.Event) -> None:
        with gpio.Input(17, bias="pull_up") as button:
            async for _ in button.edges():
                break
            await button.wait_for_edge()
        done.set()

    async def main() -> None:
        done = asyncio.Event()
        asyncio.get_running_loop().create_task(wait(done))
        await asyncio.sleep(0)
        gc.collect()
        hw_board.line(17).drive(0)
        await asyncio.sleep(0)
        gc.collect()
        hw_board.line(17).drive(1)
        await done.wait()

    run(main())


# -- iterators ----------------------------------------------------------------


def test_each_iterator_sees_every_edge_from_its_start(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        with gpio.Input(17, bias="pull_up") as button:
            first = button.edges()
            line.drive(0)
            second = button.edges()
            line.drive(1)
            assert [(await anext(first)).line_seqno for _ in range(2)] == [1, 2]
            assert (await anext(second)).line_seqno == 2
            assert (await button.wait_for_edge()).line_seqno == 1

    run(main())


def test_an_iterator_that_is_left_is_gone(hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(17)
        with gpio.Input(17, bias="pull_up") as button:
            line.drive(0)
            edges = button.edges()
            line.drive(1)
            async for event in edges:
                assert event.line_seqno == 2
                break
            assert pyasync_hw._core._live()["EdgeQueue"] == 1
            edges.close()
            edges.close()
            with pytest.raises(StopAsyncIteration):
                await anext(edges)
            del edges
            assert pyasync_hw._core._live()["EdgeQueue"] == 0

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_closing_an_iterator_ends_the_loop_over_it(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as button:
            edges = button.edges()

            async def consume() -> list[gpio.EdgeEvent]:
                return [event async for event in edges]

            consumer = asyncio.ensure_future(consume())
            await asyncio.sleep(0)
            edges.close()
            assert await consumer == []

    run(main())


def test_a_full_queue_drops_the_oldest_and_says_so(hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as button:
            edges = button.edges(maxlen=4)
            for i in range(10):
                hw_board.line(17).drive(i % 2)
            got = [await anext(edges) for _ in range(4)]
            assert [event.line_seqno for event in got] == [7, 8, 9, 10]
            assert [event.dropped for event in got] == [6, 0, 0, 0]

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_what_the_kernels_buffer_lost_is_counted(hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as button:
            for i in range(40):  # a line's buffer holds 16
                hw_board.line(17).drive(i % 2)
            event = await button.wait_for_edge()
            assert (event.line_seqno, event.dropped) == (25, 24)
            event = await button.wait_for_edge()
            assert (event.line_seqno, event.dropped) == (26, 0)

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize("maxlen", [0, -1, 100_000])
def test_maxlen_out_of_range(hw_board: sim.Board, maxlen: int) -> None:
    with gpio.Input(17) as button, pytest.raises(ValueError, match="maxlen"):
        button.edges(maxlen=maxlen)


# -- blocking -----------------------------------------------------------------


def test_blocking_wait_on_the_virtual_clock(hw_board: sim.Board) -> None:
    assert hw_board.clock is not None
    with gpio.Input(17, bias="pull_up") as button:
        before = hw_board.clock.time()
        hw_board.line(17).drive(0, at=2.0)
        assert button.blocking.wait_for_edge("falling", timeout=5).event_type == "falling"
        assert hw_board.clock.time() == pytest.approx(before + 2.0)
        with pytest.raises(TimeoutError):
            button.blocking.wait_for_edge(timeout=5)
        assert hw_board.clock.time() == pytest.approx(before + 7.0)


def test_blocking_wait_that_nothing_can_end(hw_board: sim.Board) -> None:
    with gpio.Input(17) as button, pytest.raises(pyasync_hw.SleepForeverError):
        button.blocking.wait_for_edge()


class Blocked:
    """A thread in button.blocking.wait_for_edge(), on a board in real time."""

    def __init__(self, button: gpio.Input, token: CancelToken | None = None) -> None:
        self.result: object = None
        self._button = button
        self._token = token
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._started.wait(10)

    def _run(self) -> None:
        self._started.set()
        try:
            self.result = self._button.blocking.wait_for_edge(token=self._token)
        except BaseException as error:
            self.result = error

    def join(self) -> object:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.result


@pytest.fixture
def real_board() -> Any:
    with sim.Board(name="in real time") as board:
        yield board


def test_blocking_wait_ends_with_an_edge_a_cancel_or_a_close(real_board: sim.Board) -> None:
    with gpio.Input(17, bias="pull_up") as button:
        blocked = Blocked(button)
        real_board.line(17).drive(0)
        event = blocked.join()
        assert isinstance(event, gpio.EdgeEvent)
        assert event.event_type == "falling"

        token = CancelToken()
        blocked = Blocked(button, token)
        token.cancel()
        assert isinstance(blocked.join(), FuturesCancelledError)

        blocked = Blocked(button)
        button.close()
        error = blocked.join()
    # ValueError when the thread had not begun to wait
    assert isinstance(error, (OSError, ValueError))
    assert "closed" in str(error)


def test_several_threads_share_the_edges_of_a_line(real_board: sim.Board) -> None:
    with gpio.Input(17, bias="pull_up") as button:
        threads = [Blocked(button) for _ in range(4)]
        for i in range(4):
            real_board.line(17).drive(i % 2)
        events = [thread.join() for thread in threads]
        assert sorted(event.line_seqno for event in events) == [1, 2, 3, 4]  # type: ignore[attr-defined]


def test_a_loop_and_a_blocking_thread_do_not_share_a_line(hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17) as button:
            waiter = asyncio.ensure_future(button.wait_for_edge())
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="not both"):
                button.blocking.wait_for_edge(timeout=0)
            waiter.cancel()

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_blocking_wait_in_a_job_of_a_loop_on_the_virtual_clock(hw_board: sim.Board) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with gpio.Input(17, bias="pull_up") as button:
            before = loop.time()
            hw_board.line(17).drive(0, at=60.0)
            event = await loop.run_in_executor(None, button.blocking.wait_for_edge, "falling", 3600)
            assert event.event_type == "falling"
            assert loop.time() == pytest.approx(before + 60.0)

    pyasync_hw.run(main(), clock=hw_board.clock)


# -- values, settings, errors -------------------------------------------------


def test_values_follow_active_low(hw_board: sim.Board) -> None:
    line = hw_board.line(17)
    with gpio.Input(17, bias="pull_up", active_low=True) as button:
        assert button.value == 0
        line.drive(0)
        assert button.value == 1
        event = button.blocking.wait_for_edge()
        assert event.event_type == "rising"
    with gpio.Output(27, value=1, active_low=True) as led:
        assert (led.value, hw_board.line(27).value) == (1, 0)
        led.off()
        assert (led.value, hw_board.line(27).value) == (0, 1)
        led.toggle()
        led.on()
        assert led.value == 1


def test_pin_specs(hw_board: sim.Board) -> None:
    for spec in (17, "GPIO17", "BCM17", "BOARD11", "J8:11"):
        with gpio.Input(spec) as line:
            assert line.line_offset == 17
    with gpio.Input("GPIO5", chip=hw_board.chip_label) as line:
        assert line.line_offset == 5


def test_a_line_in_use_names_its_consumer(hw_board: sim.Board) -> None:
    with gpio.Input(17, consumer="door bell"):
        with pytest.raises(OSError, match="door bell") as info:
            gpio.Output(17)
        assert info.value.errno == errno.EBUSY


def test_bad_settings_name_the_argument(hw_board: sim.Board) -> None:
    with pytest.raises(ValueError, match=r"bias must be one of: as_is.*'up'"):
        gpio.Input(17, bias="up")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="edge_detection must be one of"):
        gpio.Input(17, edges="any")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="debounce_period"):
        gpio.Input(17, debounce_period=-1)
    with gpio.Input(17, edges="rising") as line:
        with pytest.raises(ValueError, match="never reports 'falling'"):
            line.blocking.wait_for_edge("falling", timeout=0)
        with pytest.raises(ValueError, match="rising"):
            line.blocking.wait_for_edge("up", timeout=0)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="CancelToken"):
            line.blocking.wait_for_edge(token=3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="timeout"):
            line.blocking.wait_for_edge(timeout=float("nan"))


def test_an_input_cannot_be_set(hw_board: sim.Board) -> None:
    with gpio.Input(17) as line, pytest.raises(OSError, match="input"):
        line._core.set(1, 1)


def test_a_line_is_not_awaited_on_two_loops(real_board: sim.Board) -> None:
    other = pyasync_hw.new_event_loop()

    async def main() -> None:
        with gpio.Input(17) as line:
            future = line._core.arm(asyncio.get_running_loop())
            with pytest.raises(RuntimeError, match="another event loop"):
                line._core.arm(other)
            line._core.disarm(future)
            line._core.disarm(line._core.arm(other))

    try:
        pyasync_hw.run(main())
    finally:
        other.close()


def test_a_forgotten_line_warns(hw_board: sim.Board) -> None:
    with pytest.warns(ResourceWarning, match="line 17"):
        gpio.Input(17)
    with gpio.Input(17):
        pass


def test_devices_open_on_the_board_they_are_given(hw_board: sim.Board) -> None:
    with sim.Board(name="other") as other, gpio.Input(17, board=hw_board):
        assert hardware.current() is other
        assert hw_board.line(17).consumer == "pyasync_hw"
        assert other.line(17).consumer is None
