"""A simulated board leaves nothing behind: no object, no descriptor, no thread."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from pyasync_hw import VirtualClock, sim

from .growth import assert_no_growth


def test_a_board_made_and_closed() -> None:
    assert_no_growth(lambda: sim.Board("pi-zero-w").close(), calls=50)


def test_a_board_that_is_dropped() -> None:
    def drop() -> None:
        board = sim.Board("pi-zero-w")
        board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25")

    assert_no_growth(drop, calls=50)


def test_cards_that_come_and_go() -> None:
    with closing(sim.Board("pi-zero-w", clock=VirtualClock())) as board:
        reader = board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25")

        def come_and_go() -> None:
            card = sim.MifareClassic1K(uid="a61d227e")
            reader.present(card)
            assert reader.cards == [card]
            reader.remove(card)

        assert_no_growth(come_and_go)


def test_plans_that_are_never_carried_out() -> None:
    def plan() -> None:
        with closing(sim.Board("pi-zero-w", clock=VirtualClock())) as board:
            reader = board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25")
            card = sim.MifareClassic1K(uid="a61d227e")
            reader.present(card, at=1.0)
            reader.remove(card, at=2.0)
            board.line("GPIO17").drive(0, at=3.0)

    assert_no_growth(plan, calls=50)


def test_lines_that_are_driven() -> None:
    with closing(sim.Board("pi-zero-w", clock=VirtualClock())) as board:
        line = board.line("GPIO17")

        def toggle() -> None:
            line.drive(1)
            line.drive(0)
            line.release()
            assert line.value in (0, 1)

        assert_no_growth(toggle)


def test_mistakes() -> None:
    with closing(sim.Board("pi-zero-w")) as board:

        def err() -> None:
            with pytest.raises(ValueError):
                board.line("GPIO99")
            with pytest.raises(ValueError):
                board.attach_rc522("spi7.0")
            with pytest.raises(ValueError):
                sim.MifareClassic1K(uid="a61d")

        assert_no_growth(err)


def test_no_thread_is_left_in_real_time() -> None:
    before = threading.active_count(), native_threads()
    with closing(sim.Board("pi-zero-w")) as board:
        reader = board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25")
        reader.present(sim.MifareClassic1K(uid="a61d227e"), at=0.001)
        board.line("GPIO17").drive(0, at=0.001)
    assert (threading.active_count(), native_threads()) == before


def native_threads() -> int:
    with open("/proc/self/status") as file:
        return int(next(line.split()[1] for line in file if line.startswith("Threads:")))
