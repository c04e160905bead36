"""No test of CPython's test_asyncio fails on our loop that asyncio's own passes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from . import suite
from .__main__ import ENOUGH
from .conftest import SCORES

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(2 * suite.MODULE_LIMIT)]


class Ledger:
    def __init__(self) -> None:
        self.scores = {suite.OURS: suite.Score(), suite.ASYNCIO: suite.Score()}
        self.modules: set[str] = set()

    def run(self, module: str) -> tuple[suite.Score, suite.Score]:
        with ThreadPoolExecutor(2) as pool:
            ours, theirs = pool.map(lambda loop: suite.run_module(module, loop), self.scores)
        self.scores[suite.OURS].add(ours)
        self.scores[suite.ASYNCIO].add(theirs)
        self.modules.add(module)
        return ours, theirs


@pytest.fixture(scope="module")
def ledger(request: pytest.FixtureRequest) -> Ledger:
    ledger = Ledger()
    request.config.stash[SCORES] = ledger.scores
    return ledger


@pytest.mark.skipif(not suite.modules(), reason=suite.NO_TESTS)
@pytest.mark.parametrize("module", suite.modules())
def test_no_failure_that_asyncio_does_not_have(module: str, ledger: Ledger) -> None:
    ours, theirs = ledger.run(module)
    new = {name: outcome for name, outcome in ours.failed.items() if name not in theirs.failed}
    report = "\n".join(f"{o.status} {name}\n{o.text}" for name, o in new.items())
    assert not new, report


def test_as_many_tests_make_our_loop(ledger: Ledger) -> None:
    if ledger.modules != set(suite.modules()) or not ledger.modules:
        pytest.skip("only where every module ran in this session")
    ours = len(ledger.scores[suite.OURS].passed_with_loop)
    theirs = len(ledger.scores[suite.ASYNCIO].passed_with_loop)
    assert ours >= ENOUGH * theirs
