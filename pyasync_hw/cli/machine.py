"""The hardware that `run` gives a program: the real one, or a simulated board."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from .. import hardware
from ..compat.upy.board.default_parts import DEFAULT_PARTS, wire_default_parts
from ..hardware.device import ClosedOnError
from ..hardware.wiring import ReaderWiring, Wiring, load_board
from ..sim import wired_board
from ..sim.scenario import load_scenario

HARDWARE = ("auto", "sim", "real")

# What a program meets that brings no board.toml: the wiring that pi-rc522 assumes.
DEFAULT_WIRING = Wiring(readers=(ReaderWiring("rc522"),))


class MachineError(Exception):
    """The hardware asked for cannot be had."""


def _say_that_nothing_is_there(device: str, wiring: str) -> None:
    so = "it reads zeros" if device.startswith("spi") else "nobody answers there"
    print(
        f"pyasync_hw: nothing is wired to {device} of the simulated board: {so} "
        f'(in board.toml, of run --board: [[part]] with kind = "...", {wiring})',
        file=sys.stderr,
        flush=True,
    )


def set_up(hw: str, board_file: str | None, scenario_file: str | None) -> str:
    """Make the hardware `hw` ("auto", "sim" or "real") the process's default; which it is.

    At exit it is there until the program's last object has gone.  Raises ConfigError,
    OSError or MachineError.
    """
    wiring = DEFAULT_WIRING if board_file is None else load_board(board_file)
    known = wiring if board_file is not None else replace(wiring, parts=DEFAULT_PARTS)
    scenario = None if scenario_file is None else load_scenario(scenario_file, known)
    if hw == "auto":
        hw = os.environ.get("PYASYNC_HW") or "auto"
        if hw not in HARDWARE:
            raise MachineError(f"PYASYNC_HW must be sim, real or auto, not {hw!r}")
    if hw == "auto":
        hw = "real" if hardware.is_raspberry_pi() else "sim"
        if hw == "sim":
            parts = [wiring.model, *(f"an RC522 at {reader.bus}" for reader in wiring.readers)]
            parts += [f"{part.kind} {part.name!r}" for part in wiring.parts]
            print(
                "pyasync_hw: this is no Raspberry Pi: running on the simulator "
                f"({', '.join(parts)})",
                file=sys.stderr,
                flush=True,
            )
    if hw == "real":
        if scenario is not None:
            raise MachineError(f"{scenario_file}: a scenario needs the simulator: add --hw sim")
        if wiring.parts:
            print(
                f"pyasync_hw: {board_file}: [[part]] is for the simulator; this is real hardware",
                file=sys.stderr,
            )
        hardware.set_default(hardware.KernelBackend(wiring.readers, wiring.names))
        return hw
    board = wired_board(wiring)
    board.on_silence = _say_that_nothing_is_there
    if scenario is not None:
        with ClosedOnError(board):
            if any(event.part is not None for event in scenario.events):
                wire_default_parts(board)
            scenario.apply(board)
    hardware.set_default(board)
    hardware.keep_to_the_end(board)
    return hw
