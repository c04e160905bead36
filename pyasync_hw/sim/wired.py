"""A simulated board with everything that a board.toml says is wired to it."""

from __future__ import annotations

import os

from .._core import VirtualClock
from ..hardware.device import ClosedOnError
from ..hardware.tomlfile import problem_of
from ..hardware.wiring import ConfigError, PartWiring, ReaderWiring, Wiring, load_board
from .board import Board
from .parts import Part

__all__ = ["wired_board"]


def wired_board(
    wiring: Wiring | str | os.PathLike[str],
    *,
    clock: VirtualClock | None = None,
    name: str | None = None,
) -> Board:
    """A board with the readers and parts of a board.toml; who calls it closes it.

    Raises OSError and ConfigError as load_board() does, and ConfigError, with file and line,
    for what this model has no place for, or what a part's own code raises.
    """
    if not isinstance(wiring, Wiring):
        wiring = load_board(wiring)
    board = Board(wiring.model, clock=clock, name=name)
    board.names = wiring.names
    with ClosedOnError(board):
        for reader in wiring.readers:
            _attach_reader(board, reader)
        for part in wiring.parts:
            _attach_part(board, part)
    return board


def _attach_reader(board: Board, wired: ReaderWiring) -> None:
    try:
        reader = board.attach_rc522(wired.bus, irq=wired.irq, reset=wired.reset, name=wired.name)
    except (ValueError, OSError) as exc:
        raise _error(wired, exc) from exc
    reader.speed_hz = wired.speed_hz


def _attach_part(board: Board, wired: PartWiring) -> Part:
    try:
        return board.attach(wired.make())
    except Exception as exc:  # of whoever wrote the part
        raise _error(wired, exc) from exc


def _error(wired: ReaderWiring | PartWiring, exc: Exception) -> ConfigError:
    return ConfigError(wired.file, wired.line, "", f"{wired.name!r}: {problem_of(exc)}")
