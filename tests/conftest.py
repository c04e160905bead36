"""For every test: the hw_board fixture, and no C object that outlives the test.

Tests marked `conformance` run only with --conformance.
"""

from __future__ import annotations

import pytest

pytest_plugins = ["pyasync_hw.testing.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--conformance",
        action="store_true",
        help="also run CPython's own test_asyncio on our loop (a few minutes)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "conformance: CPython's test_asyncio on our loop; only with --conformance"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--conformance"):
        return
    off = [item for item in items if item.get_closest_marker("conformance")]
    if off:
        config.hook.pytest_deselected(items=off)
        items[:] = [item for item in items if item not in off]


@pytest.fixture(autouse=True)
def _no_live_growth(no_live_growth: None) -> None:
    pass
