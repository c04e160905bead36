"""CPython's own tests of concurrent.futures.ThreadPoolExecutor pass on ours."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyasync_hw

HERE = Path(__file__).parent


def has_tests() -> bool:
    try:
        return importlib.util.find_spec("test.test_concurrent_futures.util") is not None
    except ModuleNotFoundError:
        return False


def run_tests(*arguments: str) -> None:
    root = str(Path(pyasync_hw.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(HERE / "cpython_futures.py"), *arguments],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed ") >= 20


pytestmark = pytest.mark.skipif(
    not has_tests(), reason="this Python came without test.test_concurrent_futures"
)


def test_quick_ones() -> None:
    run_tests("--quick")


@pytest.mark.conformance
def test_all() -> None:
    run_tests()
