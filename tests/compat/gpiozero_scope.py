"""A part that writes down what it sees on all lines: for programs in processes of their own."""

import os
from typing import Any

from pyasync_hw import sim


class Scope(sim.Part):
    """One line of text per change, in the file that the environment names: time, line, level."""

    pin_lists = ("lines",)

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._file = open(os.environ["SCOPE"], "a", buffering=1)  # noqa: SIM115

    def on_attach(self) -> None:
        for line in self.lines.values():
            self.on_level(line, line.value, 0.0)

    def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
        self._file.write(f"{time:.9f} {line.offset} {level}\n")
