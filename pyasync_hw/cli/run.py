"""`python -m pyasync_hw run APP.py`: an asyncio or RPi.GPIO program, unchanged."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..compat import port_map, shims
from ..compat.upy.board import restart
from ..hardware.tomlfile import ConfigError
from .machine import HARDWARE, MachineError
from .prelude import put_in_place
from .program import find_program

_FLAGS = ("--no-rewrite", "--micropython")  # options that no word belongs to


def _shim_list(text: str) -> tuple[str, ...]:
    try:
        return shims.parse_list(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _port_map(text: str) -> str:
    try:
        port_map.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    return text


def add_hardware(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the hardware."""
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


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `run`."""
    parser = verbs.add_parser(
        "run",
        help="run a program on this package's loop and hardware",
        usage="%(prog)s [options] (APP.py | -m MODULE | -c CODE | -) [ARGS ...]",
        description="Run APP.py as __main__, unchanged, on this package's loop and hardware.",
        epilog="APP.py may be a folder or a zip file with a __main__.py, or a folder with a "
        "main.py, before which its boot.py runs, as on a MicroPython board; -m, -c and - are "
        "those of python.  What follows is the program's own.",
    )
    add_hardware(parser)
    parser.add_argument(
        "--shims",
        metavar="LIST",
        type=_shim_list,
        default=shims.NAMES,
        help=f"modules to replace, or 'none' (default: {','.join(shims.NAMES)})",
    )
    parser.add_argument(
        "--no-rewrite",
        dest="rewrite",
        action="store_false",
        help="compile the program's source as it is, without what older Pythons took",
    )
    parser.add_argument(
        "--trace",
        metavar="FILE",
        help="say on stderr, at the end, what the program did, what that spared, and which "
        "lines blocked its loop; --trace=FILE writes it to FILE as JSON, too",
    )
    parser.add_argument(
        "--micropython",
        action="store_true",
        help="run the boot.py that is beside APP.py before it, as for a main.py",
    )
    parser.add_argument(
        "--port-map",
        metavar="PORT:OTHER",
        type=_port_map,
        help="bind OTHER where the program binds PORT; several with commas (default: "
        f"{port_map.VARIABLE})",
    )
    parser.add_argument("app", metavar="APP.py", help="the program")
    parser.add_argument("args", metavar="ARGS", nargs=argparse.REMAINDER, help="its arguments")
    parser.set_defaults(main=main)


def mark_program(argv: Sequence[str]) -> list[str]:
    """`run` and its options, with "--" before a -m or -c, which ends them as APP.py does.

    As for python, what it takes may follow it at once: -mMODULE.  A FILE of --trace is
    only what is joined to it: what follows is the program.
    """
    argv = list(argv)
    place = 1
    while place < len(argv) and argv[place].startswith("--"):
        if argv[place] == "--trace":
            argv[place] = "--trace="
        place += 1 if "=" in argv[place] or argv[place] in _FLAGS else 2
    if place >= len(argv) or argv[place][:2] not in ("-m", "-c"):
        return argv
    word, joined = argv[place][:2], argv[place][2:]
    return [*argv[:place], "--", word, *([joined] if joined else []), *argv[place + 1 :]]


def main(options: argparse.Namespace) -> int:
    """Run the program; raises what it raises, or returns 2 for wrong options or files."""
    try:
        if options.port_map is not None:
            os.environ[port_map.VARIABLE] = options.port_map  # its children have it, too
        micropython = (options.micropython or None) if "micropython" in options.shims else False
        program = find_program(options.app, options.args, micropython)
        folder = program.folder if options.rewrite else None
        put_in_place(options.hw, options.board, options.scenario, options.shims, folder)
    except (ConfigError, MachineError, OSError, ValueError) as exc:
        print(f"python -m pyasync_hw run: {exc}", file=sys.stderr)
        return 2
    if options.trace is not None:
        from . import trace  # not before it is asked for

        trace.start(options.app, options.trace)
    restart.allow()
    program.run()
    return 0
