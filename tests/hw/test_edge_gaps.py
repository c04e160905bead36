"""Edges that were lost: counted, and the value read again; how many the kernel keeps."""

from __future__ import annotations

import pytest

import pyasync_hw
from pyasync_hw import gpio, sim


def bounce(line: sim.SimLine, edges: int) -> None:
    for i in range(edges):
        line.drive(i % 2)


def test_a_gap_is_counted_and_comes_with_the_value(hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Input(17, bias="pull_up") as line:
            bounce(hw_board.line(17), 21)  # the kernel keeps 16
            first = await line.wait_for_edge()
            assert (first.dropped, first.line_seqno, first.value) == (5, 6, 0)
            second = await line.wait_for_edge()
            assert (second.dropped, second.value) == (0, None)

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
