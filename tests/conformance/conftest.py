"""The counts of a conformance run, below pytest's own summary."""

from __future__ import annotations

import pytest

from . import suite

SCORES = pytest.StashKey[dict[str, suite.Score]]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for loop, score in config.stash.get(SCORES, {}).items():
        terminalreporter.write_line(f"test_asyncio on {loop}: {score.summary()}")
