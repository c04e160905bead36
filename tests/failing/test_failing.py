"""Allocations and system calls that fail break nothing; and a planted fault is found."""

from __future__ import annotations

import os
import shutil

import pytest
from programs import run_program

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the shim is built with gcc"),
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        bool(os.environ.get("PYASYNC_HW_SANITIZE")),
        reason="the sanitizers preload their own malloc",
    ),
]

SHORT = {
    "memory": ("make_a_loop", "call_soon", "lines"),
    "calls": ("make_a_loop", "run_in_executor", "edges_awaited"),
}


def sweep(*arguments: object) -> tuple[int, str]:
    return run_program("failing", *arguments)


@pytest.mark.parametrize("kind", SHORT)
def test_what_fails_breaks_nothing(kind: str, thorough: bool) -> None:
    status, output = sweep("--kind", kind, *(() if thorough else SHORT[kind]))
    print(output)
    assert status == 0


def test_a_descriptor_that_the_kernel_does_not_change_is_an_error_and_gone() -> None:
    status, output = sweep("--call", "epoll_ctl", "loop_reader_and_writer")
    assert status == 0, output


def test_an_operation_that_is_not_there_is_named() -> None:
    status, output = sweep("no_such_operation")
    assert status == 2
    assert "no_such_operation" in output


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("another_error", "KeyError"),
        ("says_nothing", "another error"),
        pytest.param("left_open", "left: {'/dev/null': 1}", marks=pytest.mark.thorough),
        ("crash", "ended with status -11"),
        ("lost", "afterwards"),
    ],
)
def test_a_planted_fault_is_found(fault: str, found: str) -> None:
    status, output = sweep("--call", "eventfd", f"planted_{fault}")
    assert status == 1, output
    assert found in output, output
