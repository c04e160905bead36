"""A program whose death must not take with it what it did last.

The program notes each step in memory that it shares with a file, so the steps are
there after a crash, a hang or os._exit().  run() starts it, and tells of its end.
"""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SANITIZED = bool(os.environ.get("PYASYNC_HW_SANITIZE"))

_VARIABLE = "PYASYNC_HW_STEPS"  # the file's path, in the program's environment
_LINES, _WIDTH = 4096, 200
_SIZE = (_LINES + 1) * _WIDTH  # the first line is the number of steps
LAST = int(os.environ.get("PYASYNC_HW_LAST_STEPS", "60"))  # to be shown
_TELL = signal.SIGRTMIN + 3  # asks the program where its threads are
_GRACE = 3.0 if not SANITIZED else 20.0  # seconds to answer


class Recorder:
    """What the program notes its steps with."""

    def __init__(self) -> None:
        path = os.environ.get(_VARIABLE)
        if path is None:  # started by hand: nobody will read it
            self._memory = mmap.mmap(-1, _SIZE)
        else:
            with open(path, "r+b") as file:
                self._memory = mmap.mmap(file.fileno(), _SIZE)
        self.count = 0
        if not SANITIZED:  # whose report says more
            faulthandler.enable()
        faulthandler.register(_TELL, all_threads=True)

    def note(self, text: str) -> None:
        line = text.encode(errors="replace").replace(b"\n", b" ")[: _WIDTH - 1]
        at = (1 + self.count % _LINES) * _WIDTH
        self._memory[at : at + _WIDTH] = line.ljust(_WIDTH)
        self.count += 1
        self._memory[:8] = self.count.to_bytes(8, "little")


def _steps(data: bytes) -> list[str]:
    count = int.from_bytes(data[:8], "little")
    return [
        data[(1 + i % _LINES) * _WIDTH :][:_WIDTH].rstrip().decode(errors="replace")
        for i in range(max(0, count - _LINES), count)
    ]


@dataclass
class Outcome:
    status: int
    output: str
    steps: list[str]
    hung: bool

    def __str__(self) -> str:
        how = "hung" if self.hung else f"ended with status {self.status}"
        return "\n".join(["its last steps:", *self.steps[-LAST:], self.output, how])


def run(*arguments: object, limit: float, environment: dict[str, str] | None = None) -> Outcome:
    """Run Python with these arguments, for `limit` seconds at most."""
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile() as steps:
        steps.truncate(_SIZE)
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, _VARIABLE: steps.name, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        hung = False
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            hung = True
            process.send_signal(_TELL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it has left
            process.wait()
        output.seek(0)
        steps.seek(0)
        return Outcome(
            process.returncode,
            output.read().decode(errors="replace"),
            _steps(steps.read()),
            hung,
        )
