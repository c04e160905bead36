"""gpio.PWM: exact on a virtual clock; in real time the periods are counted, not measured."""

from __future__ import annotations

import asyncio
import errno
import gc
from collections.abc import Coroutine
from typing import Any

import pytest
from forking import error_of, in_child

import pyasync_hw
from pyasync_hw import _core, gpio, sim

MS = 0.001


def run(board: sim.Board, coro: Coroutine[Any, Any, Any]) -> Any:
    return pyasync_hw.run(coro, clock=board.clock)


class Scope:
    """What a wire to another input sees of a line: its edges, in ms since the scope began.

    The wire is part of the test's circuit: on the simulated board a hand copies levels.
    """

    def __init__(self, board: sim.Board, spec: int) -> None:
        self.line = board.line(spec)
        self.began = board.time()
        self.board = board
        self.level = self.line.value
        self.edges: list[tuple[float, int]] = []

    async def watch(self, seconds: float, step: float = 0.25 * MS) -> None:
        """Look at it every `step`; edges are on that grid in these tests."""
        loop = asyncio.get_running_loop()
        start, n = loop.time(), 0
        while n * step < seconds:
            n += 1
            await asyncio.sleep(start + n * step - loop.time())
            if self.line.value != self.level:
                self.level = self.line.value
                now = (self.board.time() - self.began) / MS
                self.edges.append((round(now, 3), self.level))


def test_edges_are_exact_on_a_virtual_clock(hw_board: sim.Board) -> None:
    async def main() -> None:
        scope = Scope(hw_board, 18)
        async with gpio.PWM(18, 250, duty=0.25) as pwm:
            assert hw_board.line(18).value == 1  # it begins high, at once
            scope.level = 1
            await scope.watch(8.5 * MS)
            assert scope.edges == [(1.0, 0), (4.0, 1), (5.0, 0), (8.0, 1)]
            assert hw_board.line(18).pwm == (250.0, 0.25)
            assert pwm.jitter == gpio.Jitter(edges=4, missed=0, p50=0.0, p99=0.0, max=0.0)
            assert pwm.running and not pwm.closed
        assert hw_board.line(18).value == 0
        assert hw_board.line(18).consumer is None
        assert pwm.closed and not pwm.running

    run(hw_board, main())


def test_changes_begin_with_the_next_period(hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.PWM("GPIO18", 100, duty=0.5) as pwm:
            scope = Scope(hw_board, 18)
            await scope.watch(2 * MS)
            pwm.duty = 0.1  # of 10 ms: not before the pulse of 5 ms is over, nor in it
            pwm.frequency = 250
            assert (pwm.frequency, pwm.duty) == (250, 0.1)
            await scope.watch(6 * MS)
            pwm.change(frequency=500, duty=0.5)
            await scope.watch(6 * MS)
            assert scope.edges == [(5.0, 0), (10.0, 1), (11.0, 0), (12.0, 1), (13.0, 0), (14.0, 1)]

    run(hw_board, main())


def test_0_and_1_are_levels_without_an_edge(hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(18)
        with gpio.PWM(18, 1000) as pwm:
            await asyncio.sleep(1)
            assert (line.value, line.pwm) == (0, (0.0, 0.0))
            pwm.duty = 1
            assert line.value == 1  # from a level there is nothing to wait for
            await asyncio.sleep(1)
            assert (line.value, line.pwm) == (1, (0.0, 1.0))
            assert pwm.jitter.edges == 0
            pwm.duty = 0.5
            await asyncio.sleep(1)
            assert line.pwm == (1000.0, 0.5)
            assert pwm.jitter.edges >= 1998

    run(hw_board, main())


def test_stop_rests_at_once_and_start_goes_on(hw_board: sim.Board) -> None:
    async def main() -> None:
        line = hw_board.line(18)
        with gpio.PWM(18, 10, duty=0.5, rest=1) as pwm:
            await asyncio.sleep(0.075)
            assert line.value == 0
            pwm.stop()
            pwm.stop()
            assert line.value == 1 and not pwm.running
            pwm.duty = 0.25  # for when it goes on
            await asyncio.sleep(1)
            assert line.pwm == (0.0, 1.0)
            pwm.start()
            await asyncio.sleep(0.5)
            assert line.pwm == (10.0, 0.25)

    run(hw_board, main())


def test_close_while_it_runs_leaves_the_resting_level(hw_board: sim.Board) -> None:
    lamp = gpio.Output(18, value=1)  # another user of the line, who sees what is left
    pwm = gpio.PWM(18, 1000, duty=0.5)
    assert lamp.value == 1
    pwm.close()
    pwm.close()
    assert lamp.value == 0
    assert hw_board.clock is not None
    hw_board.clock.advance(1)
    assert hw_board.line(18).pwm == (0.0, 0.0)
    lamp.close()
    for use in (pwm.start, pwm.stop, lambda: pwm.jitter, pwm.__enter__):
        with pytest.raises(ValueError, match="PWM of line 18 of pinctrl-bcm2835 is closed"):
            use()


def test_active_low(hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.PWM(18, 1000, duty=0.25, active_low=True):
            await asyncio.sleep(0.01)
            assert hw_board.line(18).pwm == (1000.0, 0.75)
        assert hw_board.line(18).consumer is None

    run(hw_board, main())


def test_20_channels(hw_board: sim.Board) -> None:
    async def main() -> None:
        pwms = [gpio.PWM(pin, 50 + 10 * pin, duty=pin / 40) for pin in range(4, 24)]
        await asyncio.sleep(0.2)
        for pin, pwm in zip(range(4, 24), pwms, strict=True):
            frequency, duty = hw_board.line(pin).pwm
            assert frequency == pytest.approx(50 + 10 * pin, rel=1e-6)
            assert duty == pytest.approx(pin / 40, rel=1e-6)
            pwm.close()

    run(hw_board, main())


def test_periods_are_counted_in_real_time() -> None:
    with sim.Board() as board:
        before = board.time()
        with gpio.PWM(18, 500, duty=0.5, board=board) as pwm:
            while pwm.jitter.edges < 40:
                pass  # a program without a loop; the board's thread makes the wave
            assert board.time() - before >= 0.04
            assert board.line(18).pwm == (500.0, 0.5)
            jitter = pwm.jitter
            assert 0 <= jitter.p50 <= jitter.p99 <= jitter.max
            assert jitter.missed == 0


class NotPermitted:
    """A wave whose thread may not have the priority that it is asked to have."""

    def __init__(self, core: Any) -> None:
        self._core = core

    def be_realtime(self) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


def test_realtime_is_never_silently_claimed(
    hw_board: sim.Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gpio.PWM(18, 50, realtime=True) as pwm:  # the board makes it, and needs no priority
        assert pwm.realtime is False
    with pytest.raises(ValueError, match="closed"):
        _ = pwm.realtime
    real = _core.pwm_of_line
    monkeypatch.setattr(_core, "pwm_of_line", lambda *args: NotPermitted(real(*args)))
    with (
        pytest.warns(RuntimeWarning, match="without real-time priority.*rtprio"),
        gpio.PWM(18, 50, realtime=True) as pwm,
    ):
        assert pwm.running
        assert pwm.realtime is False


def test_it_follows_its_board_to_another_clock() -> None:
    with sim.Board() as board, gpio.PWM(18, 1000, duty=0.5, board=board) as pwm:

        async def main() -> int:
            with gpio.Output(17, board=board):
                before = pwm.jitter.edges
                await asyncio.sleep(60)
                return pwm.jitter.edges - before

        assert pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock()) in (120_000, 120_001)


def test_unplugged(hw_board: sim.Board) -> None:
    pwm = gpio.PWM(18, 1000, duty=0.5)
    hw_board.close()
    for use in (pwm.start, pwm.stop, lambda: pwm.jitter, lambda: setattr(pwm, "duty", 0.1)):
        with pytest.raises(OSError) as caught:
            use()
        assert caught.value.errno == errno.ENODEV
    assert pwm.duty == 0.5
    pwm.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((18.0, 50), TypeError, "a pin is a GPIO number"),
        ((99, 50), ValueError, "99"),
        ((18, 0), ValueError, "frequency must be 0.001 to 1e.06, not 0"),
        ((18, float("nan")), ValueError, "frequency must be"),
        ((18, "50"), TypeError, "frequency must be a number, not '50'"),
    ],
)
def test_bad_arguments(
    hw_board: sim.Board, arguments: tuple[Any, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        gpio.PWM(*arguments)
    assert hw_board.line(18).consumer is None


@pytest.mark.parametrize("duty", [-0.1, 1.1, float("nan")])
def test_a_bad_duty_changes_nothing(hw_board: sim.Board, duty: float) -> None:
    with gpio.PWM(18, 50, duty=0.5) as pwm:
        with pytest.raises(ValueError, match="duty must be 0 to 1, not"):
            pwm.duty = duty
        assert pwm.duty == 0.5
    with pytest.raises(ValueError, match="duty must be"):
        gpio.PWM(18, 50, duty=duty)


def test_a_line_that_is_an_input_is_refused(hw_board: sim.Board) -> None:
    with gpio.Input(18, consumer="button"), pytest.raises(OSError, match="button") as caught:
        gpio.PWM(18, 50)
    assert caught.value.errno == errno.EBUSY


def test_one_that_is_forgotten_says_so_and_stops(hw_board: sim.Board) -> None:
    pwm: gpio.PWM | None = gpio.PWM(18, 50, duty=0.5)
    assert pwm is not None
    with pytest.warns(ResourceWarning, match="unclosed PWM of line 18"):
        pwm = None
        gc.collect()
    assert hw_board.line(18).consumer is None


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("clock", [None, pyasync_hw.VirtualClock()], ids=["real", "virtual"])
def test_a_forks_child_has_none(clock: pyasync_hw.VirtualClock | None) -> None:
    with sim.Board(clock=clock) as board, gpio.PWM(18, 500, duty=0.5, board=board) as pwm:
        for use in (pwm.start, pwm.stop, lambda: pwm.jitter):
            message = in_child(lambda use=use: error_of(use))
            assert message.startswith("this PWM was made in process ")
            assert message.endswith("can't be used after fork; open one in the child")
        assert in_child(pwm.close) is None
        edges = pwm.jitter.edges
        if clock is not None:
            clock.advance(1)
        while pwm.jitter.edges < edges + 4:
            pass  # it goes on here
