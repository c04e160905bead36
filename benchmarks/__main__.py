"""python -m benchmarks: our loop, asyncio, and what else is installed, as ratios.

Each loop has a process of its own.  Round by round, every case runs once on each
loop, one right after the other and in rotating order, so that a machine that is
busy for a while slows all of them down; ratios are formed within a round.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median

from .cases import CASES

OURS = "pyasync_hw"
SPECS = {
    "asyncio": "asyncio:SelectorEventLoop",
    "uvloop": "uvloop:new_event_loop",
    "rloop": "rloop:new_event_loop",
    OURS: "pyasync_hw:new_event_loop",
}
TIE = 1.05  # a smaller lead is noise

Samples = dict[str, dict[str, list[list[float]]]]  # case -> loop -> round -> [cpu, wall]


class Worker:
    def __init__(self, spec: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", spec],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, case: str, count: int) -> list[float]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{case} {count}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args} ended in {case}, status {self.process.wait()}")
        cpu, wall = json.loads(answer)
        return [cpu, wall]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(loops: list[str], cases: list[str], rounds: int, scale: float) -> Samples:
    samples: Samples = {case: {loop: [] for loop in loops} for case in cases}
    workers = {loop: Worker(SPECS[loop]) for loop in loops}
    try:
        for turn in range(-1, rounds):  # the first one warms up
            shift = turn % len(loops)
            for case in cases:
                count = max(1000 if case == "task_switch" else 10, int(CASES[case].count * scale))
                for loop in loops[shift:] + loops[:shift]:
                    sample = workers[loop].measure(case, count)
                    if turn >= 0:
                        samples[case][loop].append(sample)
    finally:
        for worker in workers.values():
            worker.close()
    return samples


def ratios(samples: Samples, case: str, loop: str, metric: int) -> tuple[float, float]:
    """How many times as fast as asyncio: best against best, and median over the rounds."""
    theirs = [sample[metric] for sample in samples[case]["asyncio"]]
    ours = [sample[metric] for sample in samples[case][loop]]
    return min(theirs) / min(ours), median(a / b for a, b in zip(theirs, ours, strict=True))


def table(samples: Samples, loops: list[str], metric: int) -> list[str]:
    others = [loop for loop in loops if loop != "asyncio"]
    lines = [
        "| case | asyncio, ns: min (median) | " + " | ".join(others) + " |",
        "|---" * (len(others) + 2) + "|",
    ]
    for case in samples:
        base = [sample[metric] for sample in samples[case]["asyncio"]]
        cells = [CASES[case].title, f"{min(base):,.0f} ({median(base):,.0f})"]
        for loop in others:
            best, middle = ratios(samples, case, loop, metric)
            cells.append(f"{best:.2f} / {middle:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def losses(samples: Samples, loops: list[str]) -> list[str]:
    """Where another loop is faster than ours, by more than noise, in the rounds' median."""
    lines = []
    for case in samples:
        for metric, name in enumerate(("CPU", "wall")):
            for loop in loops:
                if loop == OURS:
                    continue
                lead = median(
                    ours[metric] / theirs[metric]
                    for ours, theirs in zip(samples[case][OURS], samples[case][loop], strict=True)
                )
                if lead > TIE:
                    lines.append(f"- {CASES[case].title}: {loop} takes 1/{lead:.2f} of our {name}")
    return lines


def report(samples: Samples, loops: list[str], rounds: int) -> str:
    heading = f"## Python {platform.python_version()}, {platform.machine()}, {rounds} rounds"
    lines = [heading, "", "CPU per operation, as a multiple of asyncio's speed:", ""]
    lines += table(samples, loops, 0)
    lines += ["", "Wall time per operation:", ""]
    lines += table(samples, loops, 1)
    if OURS in loops:
        lines += ["", "Where another loop is faster than ours:", ""]
        lines += losses(samples, loops) or ["- nowhere"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--loops", nargs="+", choices=SPECS, help="default: all that import")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of operations")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every sample")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="append the tables to it")
    args = parser.parse_args()
    loops = args.loops or [
        loop for loop, spec in SPECS.items() if importlib.util.find_spec(spec.partition(":")[0])
    ]
    if "asyncio" not in loops:
        loops.insert(0, "asyncio")
    samples = measure(loops, args.cases, args.rounds, args.scale)
    text = report(samples, loops, args.rounds)
    print(text)
    if args.markdown:
        with args.markdown.open("a") as file:
            file.write("\n" + text)
    if args.json:
        args.json.write_text(json.dumps({"python": sys.version, "samples": samples}))


if __name__ == "__main__":
    main()
