"""A board on a virtual clock, and what the tests need to look at it from the program's side."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bare import Chip

from pyasync_hw import VirtualClock, sim


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def board(clock: VirtualClock) -> Iterator[sim.Board]:
    with sim.Board(clock=clock) as board:
        yield board


@pytest.fixture
def reader(board: sim.Board) -> sim.SimReader:
    return board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25", name="door")


@pytest.fixture
def chip(board: sim.Board, reader: sim.SimReader, clock: VirtualClock) -> Iterator[Chip]:
    """The reader's chip by its registers, field on and past the guard time."""
    spi = board.open_spi(0, 0)
    chip = Chip(spi, clock)
    chip.field(True)
    yield chip
    spi.close()
