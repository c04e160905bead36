"""run_program: a program of the tests, `python -m tests.NAME`, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from recorder import ROOT


def run_program(name: str, *arguments: object) -> tuple[int, str]:
    """(exit status, all that it printed)."""
    process = subprocess.run(
        [sys.executable, "-m", f"tests.{name}", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return process.returncode, process.stdout
