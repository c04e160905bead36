"""The fuzzer finds nothing in ours; and it finds every fault that is planted.

For longer, or from another seed: python -m tests.fuzz --seconds 600 --seed N.
"""

from __future__ import annotations

import os

import pytest
from programs import run_program

SEED = 1

# What the report says of each fault.
FOUND = {
    "crash": "ended with status -",
    "hang": "hung",
    "system_error": "SystemError: returned NULL without setting an exception",
    "wrong": "Fault: planted",
    "descriptor": "left: ['descriptors pipe: +",
    "live_object": "left: ['live ",
}
QUICK = {"crash", "system_error", "wrong"}


def fuzz(*arguments: object) -> tuple[int, str]:
    return run_program("fuzz", *arguments)


@pytest.mark.timeout(900)
def test_nothing_crashes_hangs_or_is_left(thorough: bool) -> None:
    # What threads and real time bring about once is for the long runs by hand to trace.
    seconds = 20 if thorough or os.environ.get("PYASYNC_HW_SANITIZE") else 3
    status, output = fuzz("--seed", SEED, "--seconds", seconds, "--again", 3)
    print(output)
    assert status == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "fault",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.thorough) for n in FOUND],
)
def test_a_planted_fault_is_found(fault: str) -> None:
    limit = ("--limit", 5) if fault == "hang" else ()
    status, output = fuzz("--seed", 1, "--runs", 4, "--verbs", 300, "--plant", fault, *limit)
    assert status == 1, output
    assert FOUND[fault] in output, output
    if fault not in ("descriptor", "live_object"):
        assert "planted" in output.partition("its last steps:")[2], output
