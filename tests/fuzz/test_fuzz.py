"""The fuzzer finds nothing in ours; and it finds every fault that is planted.

PYASYNC_HW_FUZZ_SECONDS=600 lets it run for 10 minutes, PYASYNC_HW_FUZZ_SEED=N with
another seed.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from recorder import ROOT

SECONDS = float(os.environ.get("PYASYNC_HW_FUZZ_SECONDS", "3"))
SEED = os.environ.get("PYASYNC_HW_FUZZ_SEED", "1")

# What the report says of each fault.
FOUND = {
    "crash": "ended with status -",
    "hang": "hung",
    "system_error": "SystemError: returned NULL without setting an exception",
    "wrong": "Fault: planted",
    "descriptor": "left: ['descriptors pipe: +",
    "live_object": "left: ['live ",
}


def fuzz(*arguments: object) -> tuple[int, str]:
    process = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return process.returncode, process.stdout


@pytest.mark.timeout(SECONDS + 600)
def test_nothing_crashes_hangs_or_is_left() -> None:
    status, output = fuzz("--seed", SEED, "--seconds", SECONDS)
    print(output)
    assert status == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FOUND)
def test_a_planted_fault_is_found(fault: str) -> None:
    limit = ("--limit", 5) if fault == "hang" else ()
    status, output = fuzz("--seed", 1, "--runs", 1, "--verbs", 300, "--plant", fault, *limit)
    assert status == 1, output
    assert FOUND[fault] in output, output
    if fault not in ("descriptor", "live_object"):
        assert "planted" in output.partition("its last steps:")[2], output
