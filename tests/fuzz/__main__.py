"""python -m tests.fuzz --seconds S --seed N

Runs of random calls, each a process of its own with a seed of its own (N, N+1, ...).
The first that crashes, hangs, raises SystemError or leaves something behind ends it:
its seed and last steps are printed.  `--seed N --runs 1` does that run again; threads
and real time make it take another course at times, so try it more than once.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from ..recorder import SANITIZED, Outcome, run
from .planted import PLANTED

LIMIT = 300.0 if SANITIZED else 90.0  # seconds that one run may take


def is_fault(outcome: Outcome) -> bool:
    return outcome.status != 0 or outcome.hung


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=(__doc__ or "").partition("\n")[2],
    )
    parser.add_argument("--seed", type=int, default=secrets.randbits(31))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=10**9, help="at most")
    parser.add_argument("--verbs", type=int, default=1500, help="in each run")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for one run")
    parser.add_argument(
        "--again", type=int, default=0, help="replays, of which one must show the fault, too"
    )
    parser.add_argument("--go-on", action="store_true", help="after a fault, too")
    parser.add_argument("--plant", choices=sorted(PLANTED), help="a fault to be found")
    args = parser.parse_args()
    print(f"fuzz --seed {args.seed} on Python {sys.version.split()[0]}", flush=True)
    end = time.monotonic() + args.seconds
    planted = [args.plant] if args.plant else []
    found: list[int] = []
    runs = 0

    def work(seed: int) -> Outcome | None:
        if (time.monotonic() > end and seed != args.seed) or (found and not args.go_on):
            return None
        return repeat(seed)

    def repeat(seed: int) -> Outcome:
        return run("-m", "tests.fuzz.run", seed, args.verbs, *planted, limit=args.limit)

    def is_sure(seed: int) -> bool:
        return not args.again or any(is_fault(repeat(seed)) for _ in range(args.again))

    def next_seeds() -> list[int]:
        count = min(args.jobs, args.runs - runs)
        return list(range(args.seed + runs, args.seed + runs + count))

    with ThreadPoolExecutor(args.jobs) as pool:
        while seeds := next_seeds():
            outcomes = list(pool.map(work, seeds))
            for seed, outcome in zip(seeds, outcomes, strict=True):
                if outcome is None or not is_fault(outcome):
                    continue
                print(f"\nFAULT found by --seed {seed} --runs 1, {outcome}", flush=True)
                if is_sure(seed):
                    found.append(seed)
                else:
                    print(f"not seen again in {args.again} replays of --seed {seed}", flush=True)
            runs += sum(outcome is not None for outcome in outcomes)
            if None in outcomes or (found and not args.go_on):
                break
    print(f"{runs} runs of {args.verbs} verbs, {len(found)} with a fault: {found}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
