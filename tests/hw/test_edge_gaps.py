"""Edges that were lost: counted, and the value read again; how many the kernel keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, sim


def bounce(line: sim.SimLine, edges: int) -> None:
    for _ in range(edges):
        line.drive(1 - line.value)


def test_a_gap_is_counted_and_comes_with_the_value(hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as line:
            bounce(hw_board.line(17), 21)  # the kernel keeps 16
            first = await line.wait_for_edge()
            assert (first.dropped, first.line_seqno, first.value) == (5, 6, 0)
            second = await line.wait_for_edge()
            assert (second.dropped, second.value) == (0, None)

    pyasync_hw.run(main(), clock=hw_board.clock)


BOTH = gpio.LineSettings(direction="input", edge_detection="both", bias="pull_up")


def test_gaps_of_several_lines(hw_board: sim.Board, run: Callable[[Awaitable[Any]], Any]) -> None:
    """Counted over all of them, as their buffer is one; a line's own are in line_seqno."""

    async def main() -> None:
        first, second = hw_board.line(17), hw_board.line(27)
        with gpio.request_lines("gpiochip0", {(17, 27): BOTH}, event_buffer_size=4) as request:
            lost = request.events()
            bounce(first, 2)  # nobody will see these
            bounce(second, 5)
            bounce(first, 1)
            event = await request.next_event()
            found = event.line_offset, event.global_seqno, event.line_seqno, event.dropped
            assert found == (27, 5, 3, 4)
            assert event.value == 0 == request.get_value(27)
            rest = [await request.next_event() for _ in range(3)]
            assert [(e.line_offset, e.line_seqno, e.dropped, e.value) for e in rest] == [
                (27, 4, 0, None),
                (27, 5, 0, None),
                (17, 3, 0, None),
            ]
            assert (await anext(lost))[:6] == event[:6]
            queue = request.events(maxlen=2)
            bounce(second, 3)
            assert [await request.next_event() for _ in range(3)]
            bounce(first, 2)
            for wait in (request.next_event, request.wait_edge_events):
                await wait()
            events = [await anext(queue) for _ in range(2)]
            assert [(e.line_offset, e.dropped, e.value) for e in events] == [
                (17, 3, request.get_value(17)),
                (17, 0, None),
            ]

    run(main())


def test_gaps_that_a_blocking_program_sees(hw_board: sim.Board) -> None:
    with gpio.request_lines("gpiochip0", {(17, 27): BOTH}, event_buffer_size=2) as request:
        bounce(hw_board.line(17), 5)
        assert request.blocking.wait_edge_events(timeout=0)
        events = request.blocking.read_edge_events(timeout=0)
        assert [(e.dropped, e.value) for e in events] == [(3, 0), (0, None)]
        with request.blocking as blocking:
            edges = blocking.events(maxlen=1)
            bounce(hw_board.line(27), 2)
            assert [next(edges).dropped] == [1]


def test_the_value_behind_a_gap_of_a_line_that_is_gone(hw_board: sim.Board) -> None:
    """What was read before is still told; the value cannot be."""

    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as line:
            first, second = line.edges(), line.edges()
            bounce(hw_board.line(17), 20)
            assert (await anext(first)).value == 1
            hw_board.close()
            event = await anext(second)
            assert (event.dropped, event.value) == (4, None)

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize(("wanted", "kept"), [(0, 16), (1, 2), (64, 64), (65, 128)])
def test_event_buffer_size(hw_board: sim.Board, wanted: int, kept: int) -> None:
    with gpio.Input(17, bias="pull_up", event_buffer_size=wanted) as line:
        bounce(hw_board.line(17), kept + 1)
        assert line.blocking.wait_for_edge().dropped == 1


def test_a_gap_in_an_iterators_own_queue(hw_board: sim.Board) -> None:
    with gpio.Input(17, bias="pull_up", active_low=True) as line:
        edges = line.blocking.edges(maxlen=2)
        bounce(hw_board.line(17), 5)
        assert [(e.dropped, e.value) for e in (next(edges), next(edges))] == [(3, 1), (0, None)]
        edges.close()


def test_clocks(hw_board: sim.Board) -> None:
    with gpio.Input(17, bias="pull_up", event_clock="realtime") as line:
        hw_board.line(17).drive(0)
        assert line.blocking.wait_for_edge().timestamp_ns > 1_500_000_000 * 10**9
    with pytest.raises(OSError, match="event_clock"):
        gpio.Input(17, event_clock="hte")
