"""Which tests may be skipped: expected_skips.txt says where, and which."""

from __future__ import annotations

import fnmatch
import functools
import importlib.util
import os
import re
import sys
from pathlib import Path

from browser import find_chromium
from semaphores import has_semaphores

LIST = Path(__file__).with_name("expected_skips.txt")


def has_test_suite() -> bool:
    find = importlib.util.find_spec
    return bool(find("test") and find("test.test_asyncio"))


def holds(condition: str) -> bool:
    """One of those below, or Python's version as in `<3.14` and `>=3.12`."""
    if version := re.fullmatch(r"(<|>=)3\.(\d+)", condition):
        below = sys.version_info < (3, int(version[2]))
        return below == (version[1] == "<")
    return {
        "always": True,
        "root": os.geteuid() == 0,
        "user": os.geteuid() != 0,
        "bare": not has_test_suite(),
        "no-chromium": find_chromium() is None,
        "no-semaphores": not has_semaphores(),
        "sanitized": bool(os.environ.get("PYASYNC_HW_SANITIZE")),
    }[condition]


@functools.cache
def expected() -> list[str]:
    """Patterns of the ids of tests that may be skipped here."""
    lines = (line.partition("#")[0].split() for line in LIST.read_text().splitlines())
    return [pattern for condition, pattern in filter(None, lines) if holds(condition)]


def is_expected(test: str) -> bool:
    # ids of parametrized tests have brackets, which are no sets of characters here
    name = test.partition("[")[0]
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in expected())
