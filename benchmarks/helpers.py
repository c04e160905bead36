"""The C programs beside this file, compiled when one is first asked for."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent


def helper(name: str) -> str:
    """The path of the program made from NAME.c."""
    source = HERE / f"{name}.c"
    program = HERE / "build" / sysconfig.get_platform() / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        half = program.with_name(f"{name}.{os.getpid()}")  # several workers may come at once
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", half, source], check=True)
        half.replace(program)
    return str(program)
