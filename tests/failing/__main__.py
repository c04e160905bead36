"""python -m tests.failing [--call CALL ...] [OPERATION ...]

Lets each call of a kind fail, one after the other, in every operation.  Without
arguments: all calls, all operations.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..recorder import Outcome, run
from .operations import OPERATIONS
from .planted import PLANTED
from .shim import ERRORS, MEMORY, build

LIMIT = 300.0  # seconds for one operation


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.failing", description=(__doc__ or "").partition("\n")[2]
    )
    parser.add_argument("--call", action="append", default=[], choices=sorted(ERRORS))
    parser.add_argument("--kind", choices=("memory", "calls"), help="all calls of one kind")
    parser.add_argument("--without", metavar="PREFIX", help="operations whose names begin so")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("operations", nargs="*", metavar="OPERATION")
    args = parser.parse_args()
    if unknown := set(args.operations) - OPERATIONS.keys() - PLANTED.keys():
        parser.error(f"no such operation: {', '.join(unknown)}")
    names = args.operations or list(OPERATIONS)
    names = [name for name in names if not (args.without and name.startswith(args.without))]
    calls = args.call or [
        call for call in ERRORS if args.kind is None or (call in MEMORY) == (args.kind == "memory")
    ]
    began = time.monotonic()
    wrong = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(args.jobs) as pool:
        preload = {"LD_PRELOAD": str(build(Path(folder)))}

        def sweep(name: str) -> Outcome:
            arguments = ("-m", "tests.failing.sweep", name, *calls)
            return run(*arguments, limit=LIMIT, environment=preload)

        for name, outcome in zip(names, pool.map(sweep, names), strict=True):
            if outcome.status or outcome.hung:
                wrong.append(name)
                print(f"\nFAULT in {name}, {outcome}", flush=True)
    print(f"{len(names)} operations in {time.monotonic() - began:.0f} s; faults in {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
