"""Runs the cases: one process for each loop, all loops in turn within each round.

A machine that is busy for a while thus slows all of them down, and a ratio formed
within a round does not see it.  A loop that fails or hangs in a case is started
afresh; after the second time it is left out of that case.
"""

from __future__ import annotations

import json
import os
import platform
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from .cases import CASES, LIMITS
from .cases.case import Sample
from .helpers import with_kernel
from .loops import BASE, LIMIT, SPECS, version

TIME_LIMIT = 20.0  # seconds for one sample
FAILURES = 2  # so many, and the loop is left out of the case


class FailedError(Exception):
    """A worker could not answer; says why."""


class Worker:
    def __init__(self, loop: str, kernel: bool = False) -> None:
        command = [sys.executable, "-m", "benchmarks.worker"]
        if loop != LIMIT:
            command.append(SPECS[loop])
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - close() does
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            env=with_kernel() if kernel else None,
        )

    def measure(self, case: str, count: int) -> Sample:
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps([case, count]).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise FailedError(self.last_words()) from None
        if not select.select([self.process.stdout], [], [], TIME_LIMIT)[0]:
            raise FailedError(f"no answer within {TIME_LIMIT:.0f} s")
        answer = self.process.stdout.readline()
        if not answer:
            raise FailedError(self.last_words())
        result = json.loads(answer)
        if "error" in result:
            raise FailedError(result["error"])
        sample: Sample = result["sample"]
        return sample

    def last_words(self) -> str:
        status = self.process.wait()
        self.complaints.seek(0)
        lines = self.complaints.read().decode(errors="replace").strip().splitlines()
        return f"process ended with {status}" + (f": {lines[-1]}" if lines else "")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.complaints.close()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@dataclass
class Measurement:
    python: str = field(default_factory=platform.python_version)
    machine: str = field(default_factory=platform.machine)
    kernel: str = field(default_factory=platform.release)
    cpus: int = field(default_factory=lambda: os.cpu_count() or 1)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    versions: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    seconds: float = 0.0
    # case -> loop -> one sample after the other, None where the loop failed
    samples: dict[str, dict[str, list[Sample | None]]] = field(default_factory=dict)
    # case -> loop -> why it failed the last time
    failures: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Measurement:
        return cls(**json.loads(text))

    def write(self) -> str:
        return json.dumps(asdict(self))


class Driver:
    def __init__(self, loops: list[str], cases: Iterable[str], scale: float) -> None:
        self.loops = [BASE, *(loop for loop in loops if loop != BASE)]
        self.cases = list(cases)
        self.scale = scale
        self.workers: dict[tuple[str, bool], Worker] = {}
        self.failed: dict[tuple[str, str], int] = {}
        self.result = Measurement(versions={loop: version(loop) for loop in self.loops})

    def run(self, rounds: int, seconds: float) -> Measurement:
        """As many rounds as asked for and as fit into the time, but at least one."""
        start = time.monotonic()
        try:
            self.round(-1)  # warms up
            longest = 0.0
            while self.result.rounds < rounds:
                begin = time.monotonic()
                if self.result.rounds and begin + longest > start + seconds:
                    break
                self.round(self.result.rounds)
                self.result.rounds += 1
                longest = max(longest, time.monotonic() - begin)
                print(f"\rround {self.result.rounds}", end="", file=sys.stderr, flush=True)
        finally:
            for worker in self.workers.values():
                worker.close()
            print(file=sys.stderr)
        self.result.seconds = time.monotonic() - start
        return self.result

    def round(self, number: int) -> None:
        shift = number % len(self.loops)
        for case in self.cases:
            loops = self.loops[shift:] + self.loops[:shift]
            if case in LIMITS:
                loops.append(LIMIT)
            for _ in range(CASES[case].repeats):
                for loop in loops:
                    sample = self.sample(case, loop)
                    if number >= 0:
                        samples = self.result.samples.setdefault(case, {})
                        samples.setdefault(loop, []).append(sample)

    def sample(self, case: str, loop: str) -> Sample | None:
        if self.failed.get((case, loop), 0) >= FAILURES:
            return None
        key = (loop, CASES[case].kernel)
        if CASES[case].fresh and key in self.workers:
            self.workers.pop(key).close()
        worker = self.workers.get(key)
        if worker is None:
            worker = self.workers[key] = Worker(*key)
        try:
            return worker.measure(case, max(1, int(CASES[case].count * self.scale)))
        except FailedError as error:
            self.workers.pop(key).close()
            self.failed[case, loop] = self.failed.get((case, loop), 0) + 1
            self.result.failures.setdefault(case, {})[loop] = str(error)
            return None
