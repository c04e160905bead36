"""python -m benchmarks: our loop beside asyncio and what else is installed.

Takes at most the given time and prints a table of how many times as fast as asyncio
each loop is.  See RESULTS.md for the method.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from .cases import CASES
from .driver import Driver
from .loops import SPECS, installed
from .report import heading, put, section


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--loops", nargs="+", choices=SPECS, help="default: all that are there")
    parser.add_argument("--only", default="", metavar="REGEX", help="of the cases' names")
    parser.add_argument("--rounds", type=int, default=40, help="at most, default %(default)s")
    parser.add_argument("--seconds", type=float, default=400, help="default %(default)s")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of operations")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every sample")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the tables into it")
    args = parser.parse_args()
    cases = [name for name in CASES if re.search(args.only, name)]
    if not cases:
        parser.error(f"--only: no case is called like {args.only!r}; there are {', '.join(CASES)}")
    measured = Driver(args.loops or installed(), cases, args.scale).run(args.rounds, args.seconds)
    text = section(measured)
    print(text)
    if args.json:
        args.json.write_text(measured.write())
    if args.markdown:
        put(args.markdown, heading(measured), text)


if __name__ == "__main__":
    main()
