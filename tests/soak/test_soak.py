"""The soak passes on our loop; and it finds every fault that is planted.

For longer, or from another seed: python -m tests.soak --seconds 600 --seed N.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from programs import run_program

SEED = 4
SANITIZED = bool(os.environ.get("PYASYNC_HW_SANITIZE"))

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


TRENDS = {"heap", "memory"}  # they need many points


def soak(*arguments: object) -> tuple[int, str]:
    return run_program("soak", *arguments)


@pytest.mark.timeout(900)
def test_nothing_is_lost_left_or_grows(thorough: bool) -> None:
    seconds = 60 if thorough else 20 if SANITIZED else 5
    status, output = soak("--seed", SEED, "--seconds", seconds)
    assert status == 0, output.partition("FAILED")[2] or output


def soak_with(fault: str) -> tuple[int, str]:
    points = 20 if fault in TRENDS else 1
    return soak(
        *("--seed", 1, "--seconds", 1, "--points", points, "--round", 0.2, "--patience", 1),
        *("--plant", fault, "--only", "sleeps", "--only", "call_soon_burst"),
    )


@pytest.fixture(scope="module")
def planted(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[tuple[int, str]]]]:
    """The soaks with a fault that this session asks for; they mostly wait, so side by side."""
    with ThreadPoolExecutor(4) as pool:
        yield {
            fault: pool.submit(soak_with, fault)
            for fault in FOUND
            if any(item.name.endswith(f"[{fault}]") for item in request.session.items)
        }


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "fault",
    [pytest.param(n, marks=pytest.mark.thorough if n in TRENDS else ()) for n in FOUND],
)
def test_a_planted_fault_is_found(fault: str, planted: dict[str, Future[tuple[int, str]]]) -> None:
    if SANITIZED and fault in TRENDS:
        pytest.skip("the sanitizer's own allocator tells nothing")
    status, output = planted[fault].result()
    failures = output.partition("FAILED with --seed 1:\n")[2]
    assert status == 1, output
    assert FOUND[fault] in failures, output
