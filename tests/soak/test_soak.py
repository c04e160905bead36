"""The soak passes on our loop; and it finds every fault that is planted.

PYASYNC_HW_SOAK_SECONDS=600 lets it run for 10 minutes, PYASYNC_HW_SOAK_SEED=N with
another seed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("PYASYNC_HW_SOAK_SECONDS", "20"))
SEED = os.environ.get("PYASYNC_HW_SOAK_SEED", "4")
SANITIZED = bool(os.environ.get("PYASYNC_HW_SANITIZE"))
ROOT = Path(__file__).parents[2]

# What the report says of each fault.
FOUND = {
    "after-cancel": "ran after it was cancelled: planted callback",
    "descriptor": "leaked while the loop runs: ['descriptors ",
    "exception": "the loop's exception handler was given",
    "hang": "not through in 1.0 s: ['planted ",
    "heap": "C heap bytes grow by",
    "live-object": "leaked while the loop runs: ['live TimerHandle: +",
    "lost": "lost: {'planted callback': ",
    "memory": "Python blocks grow by",
    "operation-raises": "raised ValueError('planted')",
    "stuck": "the loop hangs",
    "thread": "['threads: +",
    "twice": "ran after it was ran: planted callback",
    "zombie": 'leaked while the loop runs: ["children: ',
}


def soak(*arguments: object) -> tuple[int, str]:
    """Run it in a process of its own; (exit status, all that it printed)."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.soak", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return process.returncode, process.stdout


@pytest.mark.timeout(SECONDS + 600)
def test_nothing_is_lost_left_or_grows() -> None:
    status, output = soak("--seed", SEED, "--seconds", SECONDS)
    print(output)
    assert status == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FOUND)
def test_a_planted_fault_is_found(fault: str) -> None:
    if SANITIZED and fault in ("heap", "memory"):
        pytest.skip("the sanitizer's own allocator tells nothing")
    trend = fault in ("heap", "memory")
    status, output = soak(
        *("--seed", 1, "--seconds", 4 if trend else 1, "--round", 0.2, "--patience", 1),
        *("--plant", fault, "--only", "sleeps", "--only", "call_soon_burst"),
    )
    failures = output.partition("FAILED with --seed 1:\n")[2]
    assert status == 1, output
    assert FOUND[fault] in failures, output
