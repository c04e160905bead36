"""The world's time: virtual, real, and from one to the other."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bare import FIELD_GUARD, TX_CONTROL, Chip, events, settings

import pyasync_hw
from pyasync_hw import VirtualClock, gpio, rc522, sim

REAL_TIMEOUT = 10.0  # s: never reached, but by a defect


class TestVirtual:
    def test_nothing_happens_until_the_clock_moves(
        self, board: sim.Board, clock: VirtualClock
    ) -> None:
        request = board.request_lines({17: settings(edge_detection="rising")}, "test")
        board.line(17).drive(1, at=2.0)
        clock.advance(1.999)
        assert events(request) == []
        clock.advance(0.001)
        assert [event.timestamp_ns for event in events(request)] == [2_000_000_000]
        request.close()

    def test_what_is_due_on_the_way_has_its_own_time(
        self, board: sim.Board, clock: VirtualClock
    ) -> None:
        request = board.request_lines({17: settings(edge_detection="both")}, "test")
        for step in range(1, 4):
            board.line(17).drive(step % 2, at=step)
        clock.advance(10)
        assert [event.timestamp_ns for event in events(request)] == [10**9, 2 * 10**9, 3 * 10**9]
        request.close()

    def test_drive_counts_from_the_first_request(
        self, board: sim.Board, clock: VirtualClock
    ) -> None:
        line = board.line(17)
        line.drive(1, at=0.5)
        clock.advance(5)
        assert line.value == 0
        board.request_lines({17: settings()}, "first").close()
        clock.advance(0.4)
        second = board.request_lines({17: settings(edge_detection="both")}, "second")
        clock.advance(1)
        assert [event.timestamp_ns for event in events(second)] == [5_500_000_000]
        second.close()

    def test_actions_of_the_same_moment_keep_their_order(
        self, board: sim.Board, clock: VirtualClock
    ) -> None:
        board.line(17).drive(1, at=1)
        board.line(17).drive(0, at=1)
        request = board.request_lines({17: settings(edge_detection="both")}, "test")
        clock.advance(1)
        assert [event.event_type for event in events(request)] == ["rising", "falling"]
        request.close()

    def test_cards_come_and_go_counted_from_the_field(
        self, board: sim.Board, reader: sim.SimReader, clock: VirtualClock
    ) -> None:
        card = sim.MifareClassic1K("a61d227e")
        reader.present(card, at=0.1)
        reader.remove(card, at=0.3)
        clock.advance(1)
        assert reader.cards == []
        spi = board.open_spi(0, 0)
        Chip(spi, clock).field(True)
        seen = []
        for _ in range(4):
            seen.append(reader.cards)
            clock.advance(0.1)
        assert seen == [[], [card], [card], []]
        spi.close()

    def test_a_field_that_goes_on_again_does_not_count(
        self, reader: sim.SimReader, chip: Chip, clock: VirtualClock
    ) -> None:
        card = sim.MifareClassic1K("a61d227e")
        chip.field(False)
        clock.advance(1)
        chip.field(True)
        reader.present(card, at=0.5)  # long ago: the field first went on a second before
        assert reader.cards == [card]

    @pytest.mark.parametrize(("model", "overhead"), [("pi-zero-w", 100e-6), ("pi-4", 30e-6)])
    @pytest.mark.parametrize("speed_hz", [100_000, 1_000_000, 10_000_000])
    def test_a_message_takes_its_bits_and_what_the_board_needs(
        self, clock: VirtualClock, model: str, overhead: float, speed_hz: int
    ) -> None:
        with sim.Board(model, clock=clock) as board:
            spi = board.open_spi(0, 0, speed_hz)
            spi.message([(b"\x00" * 10, 0, 0, True), b"\x00" * 5])
            first = overhead + 15 * 8 / speed_hz + 10e-6
            assert clock.time() == pytest.approx(first)
            spi.message([(b"\x00", 2_000_000, 50)])
            assert clock.time() == pytest.approx(first + overhead + 4e-6 + 50e-6)
            spi.close()

    def test_a_coroutine_sees_exact_times(self) -> None:
        async def main() -> list[float]:
            loop = asyncio.get_running_loop()
            with sim.Board() as board, gpio.Input("GPIO17") as button:
                board.line(17).drive(1, at=0.5)
                board.line(17).drive(0, at=3600.0)
                times = []
                for edge in ("rising", "falling"):
                    event = await button.wait_for_edge(edge)
                    assert loop.time() == event.timestamp_ns / 1e9
                    times.append(loop.time())
                return times

        assert pyasync_hw.run(main(), clock=VirtualClock()) == [0.5, 3600.0]

    def test_another_thread_drives_while_the_loop_sleeps(self) -> None:
        clock = VirtualClock()

        async def main() -> str:
            loop = asyncio.get_running_loop()
            with sim.Board() as board, gpio.Input("GPIO17", debounce_period=0.01) as button:
                waiting = asyncio.ensure_future(button.wait_for_edge("rising"))
                await asyncio.sleep(0)
                await loop.run_in_executor(None, board.line(17).drive, 1)
                return (await waiting).event_type

        assert pyasync_hw.run(main(), clock=clock) == "rising"
        assert clock.time() == pytest.approx(0.01)


class TestAnHour:
    """A reader that polls for an hour, in virtual time."""

    @staticmethod
    def poll(irq: str | None, present_at: float | None, boards: int) -> tuple[Any, ...]:
        """What it saw, when, and how: a second board on the clock makes its steps small."""
        clock = VirtualClock()

        async def main() -> tuple[Any, ...]:
            loop = asyncio.get_running_loop()
            async with rc522.Reader("spi0.0", irq=irq, reset="GPIO25") as reader:
                uid = None
                with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                    tag = await asyncio.wait_for(reader.wait_for_tag(), 3600)
                    uid = tag.uid.hex()
                return uid, loop.time(), reader.stats

        with contextlib.ExitStack() as stack:
            for _ in range(boards - 1):
                stack.enter_context(sim.Board(clock=clock))
            board = stack.enter_context(sim.Board("pi-zero-w"))
            door = board.attach_rc522()
            if present_at is not None:
                door.present(sim.MifareClassic1K(uid="a61d227e"), at=present_at)
            return pyasync_hw.run(main(), clock=clock)

    @pytest.mark.parametrize("irq", ["GPIO24", None])
    def test_nobody_comes(self, irq: str | None) -> None:
        uid, ended, stats = self.poll(irq, None, boards=1)
        assert uid is None
        assert 3600 <= ended < 3600.01
        # one request each 25 ms: nothing is left out because nobody looks
        assert stats.exchanges == pytest.approx(3600 / rc522.POLL_INTERVAL, abs=10)
        assert stats.messages == pytest.approx((2 if irq else 3) * stats.exchanges, abs=20)
        assert stats.edges_missed == 0

    @pytest.mark.parametrize("irq", ["GPIO24", None])
    def test_a_card_in_the_middle_is_seen_when_it_was(self, irq: str | None) -> None:
        alone = self.poll(irq, 300.012345678, boards=1)
        uid, seen, _ = alone
        assert uid == "a61d227e"
        assert 300.012345678 < seen < 300.1
        assert self.poll(irq, 300.012345678, boards=2) == alone


class TestReal:
    def test_a_timed_action_happens_by_itself(self) -> None:
        with sim.Board() as board, gpio.Input("GPIO17") as button:
            board.line(17).drive(1, at=0.01)
            event = button.blocking.wait_for_edge("rising", timeout=REAL_TIMEOUT)
            assert event.event_type == "rising"

    def test_a_debounce_ends_by_itself(self) -> None:
        with sim.Board() as board, gpio.Input("GPIO17", debounce_period=0.005) as button:
            before = board.time()
            board.line(17).drive(1)
            button.blocking.wait_for_edge("rising", timeout=REAL_TIMEOUT)
            assert board.time() - before >= 0.005

    def test_an_earlier_action_wakes_the_thread(self) -> None:
        with sim.Board() as board, gpio.Input("GPIO17") as button:
            board.line(17).drive(0, at=3600)  # the thread sleeps until then
            board.line(17).drive(1, at=0.02)
            button.blocking.wait_for_edge("rising", timeout=REAL_TIMEOUT)

    def test_on_a_stock_loop(self) -> None:
        async def main() -> str:
            with sim.Board() as board, gpio.Input("GPIO17") as button:
                board.line(17).drive(1, at=0.01)
                async with asyncio.timeout(REAL_TIMEOUT):
                    return (await button.wait_for_edge("rising")).event_type

        assert asyncio.run(main()) == "rising"

    def test_a_message_lasts_and_others_go_on_meanwhile(self) -> None:
        with sim.Board() as board, gpio.Output("GPIO17") as lamp:
            spi = board.open_spi(0, 0, 1000)

            def send() -> tuple[float, float]:
                began = board.time()
                spi.transfer(bytes(10))
                return began, board.time()

            def changed_during_a_message() -> bool:
                sent = spi.messages
                message = pool.submit(send)
                while spi.messages == sent:
                    pass
                lamp.toggle()
                assert board.line(17).value == lamp.value
                changed = board.time()
                began, ended = message.result()
                assert ended - began >= 0.0801
                return began < changed < ended

            with ThreadPoolExecutor(1) as pool:
                # Unless this thread has no CPU for so long.
                assert any(changed_during_a_message() for _ in range(20))
            spi.close()

    def test_waiting_for_a_card_wakes_few_threads(self) -> None:
        """Six times a poll of 25 ms, 15 us each: below a hundredth of a core."""

        def sleeps() -> int:
            return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw

        async def main() -> float:
            with sim.Board() as board:
                board.attach_rc522()
                async with rc522.Reader() as reader:
                    polls, before = reader.stats.exchanges, sleeps()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.wait_for_tag(), 0.5)
                    return (sleeps() - before) / (reader.stats.exchanges - polls)

        assert pyasync_hw.run(main()) < 12

    def test_the_thread_starts_when_needed_and_ends_with_the_board(self) -> None:
        def native_threads() -> int:
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if "Threads:" in line)

        before = native_threads()
        board = sim.Board()
        board.attach_rc522()
        assert native_threads() == before
        board.line(17).drive(1, at=3600)
        board.request_lines({17: settings()}, "test").close()
        assert native_threads() == before + 1
        board.close()
        assert native_threads() == before
        assert threading.active_count() >= 1


class TestEnd:
    """Time ends at 9e9 seconds: whatever would be due later is never due."""

    def test_what_waits_there_ends(self) -> None:
        clock = VirtualClock()
        board = sim.Board(clock=clock)
        board.attach_rc522()

        async def main() -> None:
            async with rc522.Reader(board=board) as reader:
                for _ in range(5):
                    clock.advance(2.0**31)
                assert clock.time() == 9e9
                await reader.wait_for_tag()

        with pytest.raises(pyasync_hw.SleepForeverError):
            pyasync_hw.run(main(), clock=clock)
        board.close()

    def test_what_is_due_after_it_keeps_nobody(self) -> None:
        clock = VirtualClock(8e9)
        with sim.Board(clock=clock) as board:
            request = board.request_lines({17: settings(edge_detection="both")}, "test")
            board.line(17).drive(1, at=8e9)
            clock.advance(1)
            assert clock.time() == pytest.approx(8e9 + 1, abs=1e-5)
            assert events(request) == []
            request.close()

    def test_own_time_has_the_same_end(self) -> None:
        with sim.Board(clock=VirtualClock()) as board:
            assert board.clock is not None
            board.clock.advance(8.9e9)
            clock = VirtualClock()
            board._world.use_clock(clock)
            board.line(17).drive(1)
            clock.advance(8.9e9)
            assert board.time() == 9e9


def test_a_card_may_move_the_clock(
    board: sim.Board, reader: sim.SimReader, clock: VirtualClock
) -> None:
    """The board stands still meanwhile, then what was due happens."""

    class Card(sim.MifareClassic1K):
        def receive(self, *args: Any) -> Any:
            clock.advance(2)
            return super().receive(*args)

    with rc522.Reader(board=board) as door, gpio.Input(17, board=board) as button:
        board.line(17).drive(1, at=board.time() + 1)
        reader.present(Card(uid="a61d227e"))
        assert door.blocking.wait_for_tag(timeout=60).uid.hex() == "a61d227e"
        assert button.value


class TestChange:
    def test_own_time_is_continuous(self, clock: VirtualClock) -> None:
        clock.advance(1000)
        with sim.Board() as board:
            board._world.use_clock(clock)
            at_change = board.time()
            assert at_change < 100
            clock.advance(5)
            assert board.time() == pytest.approx(at_change + 5, abs=1e-9)
            board._world.use_clock(None)
            assert board.time() >= at_change + 5

    def test_what_is_due_stays_due(self) -> None:
        clock = VirtualClock()
        with sim.Board() as board:
            request = board.request_lines({17: settings(edge_detection="rising")}, "test")
            board.line(17).drive(1, at=3600)
            board._world.use_clock(clock)
            clock.advance(3600)
            assert len(events(request)) == 1
            request.close()

    def test_a_board_goes_home_when_the_last_device_of_a_loop_closes(self) -> None:
        board = sim.Board()

        async def main() -> None:
            with gpio.Input("GPIO17", board=board) as button:
                board.line(17).drive(1, at=10)
                await button.wait_for_edge("rising")

        pyasync_hw.run(main(), clock=VirtualClock())
        pyasync_hw.run(main_again(board))
        board.close()

    def test_a_silent_line_keeps_the_board_on_no_clock(self) -> None:
        """Not on the one it was opened on, nor on another one in its place."""
        board = sim.Board(clock=VirtualClock())
        silent = board.request_lines({17: settings()}, "silent")
        board._world.use_clock(None)
        for _ in range(20):  # some in the memory of the first clock
            loop = pyasync_hw.EventLoop(clock=VirtualClock(1000))
            other = board.request_lines({27: settings()}, "other")
            other.use_loop(loop)
            other.close()
            loop.close()
            del loop, other
        loop = pyasync_hw.EventLoop()
        silent.use_loop(loop)
        assert board.time() < REAL_TIMEOUT
        silent.close()
        loop.close()
        board.close()

    def test_threads_that_change_its_clock_at_once(self) -> None:
        """The one that it is on is kept alive: the last, whoever had the GIL first."""
        clocks = [VirtualClock() for _ in range(4)]
        together = threading.Barrier(len(clocks))

        def change(clock: VirtualClock) -> None:
            together.wait()
            board._world.use_clock(clock)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with sim.Board() as board, ThreadPoolExecutor(len(clocks)) as pool:
                for _ in range(500):
                    list(pool.map(change, clocks))
                    assert board.clock in clocks
                    before = board.time()
                    board.clock.advance(5)
                    assert board.time() == pytest.approx(before + 5, abs=1e-6)
        finally:
            sys.setswitchinterval(interval)


async def main_again(board: sim.Board) -> None:
    """In real time, after a loop with virtual time: the board follows."""
    with gpio.Input("GPIO27", board=board) as button:
        board.line(27).drive(1, at=0.01)
        async with asyncio.timeout(REAL_TIMEOUT):
            await button.wait_for_edge("rising")


def test_field_guard_is_what_the_standard_says(chip: Chip, clock: VirtualClock) -> None:
    assert chip.read(TX_CONTROL) & 3 == 3
    assert clock.time() >= FIELD_GUARD
