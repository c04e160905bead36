"""The C programs beside this file, compiled when one is first asked for."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = ("-shared", "-fPIC", "-ldl")


def made(name: str, *options: str) -> str:
    """The path of what NAME.c is compiled to."""
    source = HERE / f"{name}.c"
    target = HERE / "build" / sysconfig.get_platform() / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f"{name}.{os.getpid()}")  # several workers may come at once
        command = ["cc", "-O2", "-Wall", "-Wextra", "-o", half, source, *options]
        subprocess.run(command, check=True)
        half.replace(target)
    return str(target)


def helper(name: str) -> str:
    """The path of the program made from NAME.c."""
    return made(name)


def with_kernel() -> dict[str, str]:
    """The environment of a process that runs on kernel.c."""
    preloaded = filter(None, (os.environ.get("LD_PRELOAD"), made("kernel", *LIBRARY)))
    return {**os.environ, "LD_PRELOAD": " ".join(preloaded)}
