"""`python -m pyasync_hw run APP.py`: an asyncio or RPi.GPIO program, unchanged."""

from __future__ import annotations

import argparse
import sys

from .. import new_event_loop
from ..compat import legacy_asyncio, shims
from ..tomlfile import ConfigError
from .machine import HARDWARE, MachineError, set_up
from .program import run_program


def _shim_list(text: str) -> tuple[str, ...]:
    try:
        return shims.parse_list(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `run`."""
    parser = verbs.add_parser(
        "run",
        help="run a program on this package's loop and hardware",
        description="Run APP.py as __main__, unchanged, on this package's loop and hardware.",
        epilog="Options after APP.py are the program's own.",
    )
    parser.add_argument(
        "--hw",
        choices=HARDWARE,
        default="auto",
        help="auto: real on a Raspberry Pi, else the simulator (default: %(default)s)",
    )
    parser.add_argument("--board", metavar="board.toml", help="what is wired to the header")
    parser.add_argument(
        "--scenario", metavar="scenario.toml", help="what happens on the simulator, and when"
    )
    parser.add_argument(
        "--shims",
        metavar="LIST",
        type=_shim_list,
        default=shims.NAMES,
        help=f"modules to replace, or 'none' (default: {','.join(shims.NAMES)})",
    )
    parser.add_argument("app", metavar="APP.py", help="the program")
    parser.add_argument("args", metavar="ARGS", nargs=argparse.REMAINDER, help="its arguments")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Run the program; raises what it raises, or returns 2 for wrong options or files."""
    try:
        with open(options.app, "rb") as file:
            source = file.read()
        set_up(options.hw, options.board, options.scenario)
    except (ConfigError, MachineError, OSError) as exc:
        print(f"python -m pyasync_hw run: {exc}", file=sys.stderr)
        return 2
    shims.install(options.shims)
    legacy_asyncio.install(new_event_loop)
    run_program(options.app, source, options.args)
    return 0
