"""How a run in virtual time ends that cannot go on: deadlock, limit, signal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

import pyasync_hw
from pyasync_hw import VirtualClock, executor, gpio, rc522, sim


class Interrupted(BaseException):
    """What a signal handler raises, as pytest-timeout's does."""


@pytest.fixture
def alarm() -> Iterator[Callable[[], None]]:
    """Call it: soon a signal comes, whose handler raises Interrupted."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1))
    yield timer.start
    timer.cancel()
    timer.join()
    signal.signal(signal.SIGUSR1, before)


class TestSignal:
    def test_ends_a_reader_that_polls(self, alarm: Callable[[], None]) -> None:
        async def main() -> None:
            with sim.Board() as board:
                board.attach_rc522()
                async with rc522.Reader() as reader:
                    alarm()
                    await reader.wait_for_tag()

        with pytest.raises(Interrupted):
            pyasync_hw.run(main(), clock=VirtualClock())

    def test_ends_a_blocking_reader_that_polls(self, alarm: Callable[[], None]) -> None:
        with sim.Board(clock=VirtualClock()) as board:
            board.attach_rc522()
            with rc522.Reader(board=board) as reader, pytest.raises(Interrupted):
                alarm()
                reader.blocking.wait_for_tag()

    def test_ends_a_wait_in_which_the_clock_jumps_and_jumps(
        self, alarm: Callable[[], None]
    ) -> None:
        """200,000 times, for another line, without ever blocking in a system call."""
        with (
            sim.Board(clock=VirtualClock()) as board,
            gpio.Input(17, board=board) as line,
            gpio.Input(27, board=board),
        ):
            for ms in range(200_000):
                board.line(27).drive(ms % 2, at=ms / 1000)
            with pytest.raises(Interrupted):
                alarm()
                line.blocking.wait_for_edge()

    def test_ends_a_run_that_is_held(self, alarm: Callable[[], None]) -> None:
        clock = VirtualClock()

        async def main() -> None:
            clock.hold()
            alarm()
            await asyncio.sleep(1)

        with pytest.raises(Interrupted):
            pyasync_hw.run(main(), clock=clock)


class TestLimit:
    def test_ends_a_reader_for_which_no_card_comes(self) -> None:
        clock = VirtualClock(limit=60)
        assert clock.limit == 60.0

        async def main() -> None:
            with sim.Board() as board:
                board.attach_rc522()
                async with rc522.Reader() as reader:
                    await reader.wait_for_tag()

        with pytest.raises(pyasync_hw.TimeLimitError, match="limit of the virtual clock, 60 s"):
            pyasync_hw.run(main(), clock=clock)
        assert 59 < clock.time() <= 60.001

    def test_ends_a_blocking_wait(self) -> None:
        clock = VirtualClock(limit=60)
        with sim.Board(clock=clock) as board, gpio.Input(17, board=board) as line:
            with pytest.raises(TimeoutError):
                line.blocking.wait_for_edge(timeout=60)
            with pytest.raises(pyasync_hw.TimeLimitError, match=r"wait for an edge: .* 60 s"):
                line.blocking.wait_for_edge(timeout=0.001)

    def test_what_is_due_at_the_limit_happens(self) -> None:
        async def main() -> float:
            await asyncio.sleep(60)
            return asyncio.get_running_loop().time()

        assert pyasync_hw.run(main(), clock=VirtualClock(limit=60)) == 60.0
        with pytest.raises(pyasync_hw.TimeLimitError):
            pyasync_hw.run(main(), clock=VirtualClock(limit=59.9))

    def test_it_counts_anew_for_cleaning_up(self) -> None:
        cleaned: list[float] = []

        async def main() -> None:
            try:
                await asyncio.sleep(1e6)
            finally:
                await asyncio.sleep(5)
                cleaned.append(asyncio.get_running_loop().time())

        with pytest.raises(pyasync_hw.TimeLimitError):
            pyasync_hw.run(main(), clock=VirtualClock(limit=10))
        assert cleaned == [5.0]

    def test_advance_has_none(self) -> None:
        clock = VirtualClock(limit=1)
        clock.advance(100)
        assert clock.time() == 100.0

    @pytest.mark.parametrize("limit", [-1, 1e10, float("nan")])
    def test_bad_limit(self, limit: float) -> None:
        with pytest.raises(ValueError, match="limit"):
            VirtualClock(limit=limit)

    def test_none(self) -> None:
        assert VirtualClock(limit=None).limit is None


class TestMessage:
    """The error says what is still waited for."""

    @staticmethod
    def ended(limit: float | None) -> str:
        async def wait_for_card() -> None:
            await asyncio.get_running_loop().create_future()  # the task

        async def main() -> None:
            loop = asyncio.get_running_loop()
            waits = executor.CancelToken()
            if limit is not None:
                loop.call_later(1000, print, "late")
            job = loop.run_in_executor(None, lambda: wait_in_thread(waits))
            task = asyncio.create_task(wait_for_card(), name="card")
            await asyncio.gather(task, job)  # the main task

        def wait_in_thread(token: executor.CancelToken) -> None:
            token.wait()  # the thread

        with pytest.raises(pyasync_hw.SleepForeverError) as info:
            pyasync_hw.run(main(), clock=VirtualClock(limit=limit))
        assert isinstance(info.value, pyasync_hw.TimeLimitError) == (limit is not None)
        return str(info.value)

    @staticmethod
    def line_of(comment: str) -> int:
        with open(__file__) as file:
            return next(n for n, line in enumerate(file, 1) if line.endswith(f"  # {comment}\n"))

    @pytest.mark.parametrize("limit", [None, 500.0])
    def test_tasks_and_threads_with_their_lines(self, limit: float | None) -> None:
        text = self.ended(limit)
        here = re.escape(os.path.abspath(__file__))
        assert re.search(rf"task card: {here}:{self.line_of('the task')}, in wait_for_card", text)
        assert re.search(rf"task Task-\d+: {here}:{self.line_of('the main task')}, in main", text)
        assert re.search(
            rf"thread asyncio_0: {here}:{self.line_of('the thread')}, in wait_in", text
        )

    def test_timers(self) -> None:
        assert re.search(r"timer at 1000 s: <TimerHandle .*print", self.ended(500.0))
        assert "timer" not in self.ended(None)

    def test_of_a_blocking_wait(self) -> None:
        with (
            sim.Board(clock=VirtualClock()) as board,
            gpio.Input(17, board=board) as line,
            pytest.raises(pyasync_hw.SleepForeverError) as info,
        ):
            line.blocking.wait_for_edge()  # the wait
        text = str(info.value)
        assert text.startswith("wait for an edge: nothing is ready and nothing is due, ever")
        assert f"thread MainThread: {__file__}:{self.line_of('the wait')}, in test_of_a" in text
