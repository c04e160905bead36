"""`python -m pyasync_hw kernel`: a Jupyter kernel whose cells run on this package's loop.

Jupyter starts a kernel by the command of its kernelspec; here that is ipykernel under
`run`.  Its loop cannot be exchanged once it runs, so a notebook chooses it as its kernel.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from ..hardware.tomlfile import ConfigError
from ..hardware.wiring import load_board
from ..sim.scenario import load_scenario
from .machine import DEFAULT_WIRING
from .run import add_hardware

__all__ = ["add_parser", "main"]


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `kernel`."""
    parser = verbs.add_parser(
        "kernel",
        help="let Jupyter's notebooks run on this package's loop and hardware",
        description="Write a kernelspec, by which Jupyter starts ipykernel under `run`.",
    )
    add_hardware(parser)
    parser.add_argument(
        "--name", default="pyasync_hw", help="of the kernelspec (default: %(default)s)"
    )
    parser.add_argument(
        "--prefix",
        metavar="DIR",
        help="write it below DIR, such as a virtual environment, instead of the user's own folder",
    )
    parser.set_defaults(main=main)


def _data_folder(prefix: str | None) -> Path:
    """Where Jupyter looks: https://docs.jupyter.org/en/latest/use/jupyter-directories.html"""
    if prefix is not None:
        return Path(prefix) / "share" / "jupyter"
    if folder := os.environ.get("JUPYTER_DATA_DIR"):
        return Path(folder)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "jupyter"


def _command(options: argparse.Namespace) -> list[str]:
    command = [sys.executable, "-m", "pyasync_hw", "run", "--hw", options.hw]
    if options.board is not None:
        command += ["--board", os.path.abspath(options.board)]
    if options.scenario is not None:
        command += ["--scenario", os.path.abspath(options.scenario)]
    return [*command, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def main(options: argparse.Namespace) -> int:
    """Exit status 2 without ipykernel, or for a file that cannot be read or written."""
    import json  # not for programs under `run`, which start through this folder, too

    spec = {
        "argv": _command(options),
        "display_name": f"Python {sys.version_info[0]} ({options.name})",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": True},
    }
    folder = _data_folder(options.prefix) / "kernels" / options.name
    try:
        if importlib.util.find_spec("ipykernel") is None:
            raise OSError(f"ipykernel is not installed: {sys.executable} -m pip install ipykernel")
        wiring = DEFAULT_WIRING if options.board is None else load_board(options.board)
        if options.scenario is not None:
            load_scenario(options.scenario, wiring)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "kernel.json"
        file.write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
    except (ConfigError, OSError) as exc:
        print(f"python -m pyasync_hw kernel: {exc}", file=sys.stderr)
        return 2
    print(f"{file}: in a notebook, choose the kernel {spec['display_name']!r}")
    return 0
