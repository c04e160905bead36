"""The command line, `python -m pyasync_hw` or `pyasync-hw`.

One file per verb, each with add_parser() and main().
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .. import __version__
from . import demo, kernel, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit status; 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pyasync_hw",
        description="Run asyncio and Raspberry Pi programs on this package's loop and hardware.",
    )
    parser.add_argument("--version", action="version", version=f"pyasync_hw {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in (run, kernel, demo):
        verb.add_parser(verbs)
    words = sys.argv[1:] if argv is None else argv
    options = parser.parse_args(run.mark_program(words) if words[:1] == ["run"] else words)
    status: int = options.main(options)
    return status
