"""For every test: the hw_board fixture, and no C object that outlives the test."""

from __future__ import annotations

import pytest

pytest_plugins = ["pyasync_hw.testing.plugin"]


@pytest.fixture(autouse=True)
def _no_live_growth(no_live_growth: None) -> None:
    pass
