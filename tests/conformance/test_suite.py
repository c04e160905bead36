"""The runner itself: what hangs, crashes or fails counts as one failed test, and no more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import suite
from .__main__ import main

SUBJECT = """
import asyncio, ctypes, os, signal, time, unittest

class Subject(unittest.TestCase):
    def test_1_makes_a_loop(self):
        asyncio.new_event_loop().close()

    def test_2_makes_none(self):
        pass

    def test_3_hangs_with_the_gil_held(self):
        ctypes.PyDLL(None).sleep(60)

    def test_4_crashes(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def test_5_fails(self):
        self.assertIsInstance(asyncio.SelectorEventLoop(), int)

    def test_6_skips(self):
        self.skipTest("why not")

    def test_7_passes_the_second_time(self):
        flag = FLAG
        if not os.path.exists(flag):
            open(flag, "w").close()
            self.fail("the first time")

    def test_8_is_reached(self):
        asyncio.Runner().close()
"""


def run(tmp_path: Path, text: str, limit: float) -> dict[str, suite.Outcome]:
    (tmp_path / "subject.py").write_text(text.replace("FLAG", repr(str(tmp_path / "flag"))))
    score = suite.run_module("subject", suite.ASYNCIO, path=[str(tmp_path)], limit=limit)
    return {name.split("_")[1]: outcome for name, outcome in score.outcomes.items()}


def test_every_test_gets_its_own_outcome(tmp_path: Path) -> None:
    outcomes = run(tmp_path, SUBJECT, limit=2.0)
    assert {key: outcome.status for key, outcome in outcomes.items()} == {
        "1": "passed",
        "2": "passed",
        "3": "hang",
        "4": "crash",
        "5": "failed",
        "6": "skipped",
        "7": "passed",
        "8": "passed",
    }
    assert {key for key, outcome in outcomes.items() if outcome.flaky} == {"7"}
    assert outcomes["1"].loops == 1
    assert outcomes["2"].loops == 0
    assert "not an instance of" in outcomes["5"].text
    assert "SIGKILL" in outcomes["4"].text


def test_a_broken_module_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "subject.py").write_text("import asyncio.no_such_thing\n")
    score = suite.run_module("subject", suite.ASYNCIO, path=[str(tmp_path)], retries=0)
    assert [outcome.status for outcome in score.outcomes.values()] == ["failed"]
    assert "no_such_thing" in next(iter(score.outcomes.values())).text


def test_a_module_that_ends_the_process_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "subject.py").write_text("import os; os._exit(3)\n")
    score = suite.run_module("subject", suite.ASYNCIO, path=[str(tmp_path)], retries=0)
    assert [outcome.status for outcome in score.outcomes.values()] == ["crash"]


def test_modules_that_are_not_there_are_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a run in which asyncio fails as well, so that all is well."""
    monkeypatch.setattr(sys, "argv", ["conformance", "--module", "test_nonsense"])
    for known, complaint in ((["test.test_asyncio.test_tasks"], "test_nonsense"), ([], "apt")):
        monkeypatch.setattr(suite, "modules", lambda known=known: known)
        with pytest.raises(SystemExit):
            main()
        assert complaint in capsys.readouterr().err


def test_every_exclusion_has_a_reason() -> None:
    rules = suite.exclusions()
    assert rules
    assert all(pattern and reason for pattern, reason in rules)
