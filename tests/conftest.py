"""For every test: the hw_board fixture, and no C object that outlives the test.

Tests marked `conformance` or `thorough` run only with the option of that name.  With
--thorough, what is long by nature runs in full.  With --strict-skips, a test that is
skipped must be in expected_skips.txt.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator

import pytest
from skips import is_expected

pytest_plugins = ["pyasync_hw.testing.plugin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--conformance",
        action="store_true",
        help="also run CPython's own test_asyncio on our loop (a few minutes)",
    )
    parser.addoption(
        "--thorough",
        action="store_true",
        help="run in full what is long by nature: soak, subinterpreters, ends of the door, ...",
    )
    parser.addoption(
        "--strict-skips",
        action="store_true",
        help="a skip that tests/expected_skips.txt does not name is a failure",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "conformance: CPython's test_asyncio on our loop; only with --conformance"
    )
    config.addinivalue_line("markers", "thorough: long by nature; only with --thorough")
    os.environ.pop("PYTEST_ADDOPTS", None)  # they are not for what tests start
    # In the background of a shell without job control it is ignored, and children
    # inherit that; Python then has no KeyboardInterrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    optional = [n for n in ("conformance", "thorough") if not config.getoption(f"--{n}")]
    off = [item for item in items if any(map(item.get_closest_marker, optional))]
    if off:
        config.hook.pytest_deselected(items=off)
        items[:] = [item for item in items if item not in off]


Report = pytest.TestReport | pytest.CollectReport


def fail_if_skipped(report: Report, config: pytest.Config) -> None:
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and config.getoption("--strict-skips") and not is_expected(report.nodeid):
        report.outcome = "failed"
        report.longrepr = f"a skip that tests/expected_skips.txt does not name: {report.longrepr}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_if_skipped(report, item.config)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_if_skipped(report, collector.config)
    return report


@pytest.fixture(scope="session")
def thorough(pytestconfig: pytest.Config) -> bool:
    """Whether to run in full what is long by nature."""
    return bool(pytestconfig.getoption("--thorough"))


@pytest.fixture(scope="module", autouse=True)
def _cheap_collections() -> None:
    """Collections look only at what tests make, not at pytest and all modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_live_growth(_cheap_collections: None, no_live_growth: None) -> None:
    pass
