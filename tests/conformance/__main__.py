"""python -m tests.conformance: test_asyncio with a loop, side by side with asyncio's own.

Status 1 if a test fails that asyncio passes, or if fewer than 98 % as many tests
pass that really made the loop.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import suite

ENOUGH = 0.98


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--loop", default=suite.OURS, help="MODULE:FACTORY (%(default)s)")
    parser.add_argument("--only", default="*", metavar="GLOB", help="only tests with such an id")
    parser.add_argument("--module", action="append", metavar="NAME", help="such as test_tasks")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every test's outcome")
    parser.add_argument("--no-baseline", action="store_true", help="leave asyncio's own run out")
    args = parser.parse_args()

    known = suite.modules()
    if not known:
        parser.error(suite.NO_TESTS)
    names = [f"test.test_asyncio.{name}" for name in args.module or []] or known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no module of these, or not about loops: {', '.join(unknown)}")
    loops = [args.loop] if args.no_baseline else [args.loop, suite.ASYNCIO]
    start = time.monotonic()
    scores = {loop: suite.Score() for loop in loops}
    jobs = [(name, loop) for name in names for loop in loops]
    with ThreadPoolExecutor(args.jobs) as pool:
        done = pool.map(lambda job: suite.run_module(*job, glob=args.only), jobs)
        for (_, loop), score in zip(jobs, done, strict=True):
            scores[loop].add(score)

    print(f"test_asyncio of Python {platform.python_version()}, {time.monotonic() - start:.0f} s")
    for loop, score in scores.items():
        print(f"{loop}: {score.summary()}")
        for note in score.notes:
            print("   ", note.splitlines()[0])
    ours = scores[args.loop]
    theirs = scores.get(suite.ASYNCIO, suite.Score())
    new = [name for name in ours.failed if name not in theirs.failed]
    for name in new:
        outcome = ours.outcomes[name]
        print(f"{outcome.status.upper()} {name}\n{outcome.text}")
    for name in ours.flaky:
        print(f"FLAKY {name}")
    if args.json:
        everything = {
            loop: {name: vars(outcome) for name, outcome in score.outcomes.items()}
            for loop, score in scores.items()
        }
        args.json.write_text(json.dumps(everything, indent=1))
    enough = len(ours.passed_with_loop) >= ENOUGH * len(theirs.passed_with_loop)
    if not enough:
        print(f"fewer than {ENOUGH:.0%} of asyncio's passes made the loop")
    return 0 if enough and not new else 1


if __name__ == "__main__":
    raise SystemExit(main())
