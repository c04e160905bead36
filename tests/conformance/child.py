"""One module of CPython's test_asyncio, in a process of its own.

`suite.py` starts it with the path of a JSON job and reads the result file, one
JSON object a line: {"begin": id} before a test and {"end": id, ...} after it.  A
test whose "end" is missing hung or took the process down.  A C thread of the
faulthandler ends a process that hangs, also one that holds the GIL.
"""

from __future__ import annotations

import asyncio
import asyncio.unix_events
import faulthandler
import importlib
import json
import os
import sys
import traceback
import unittest
import warnings
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

PREFIX = "test.test_asyncio."
TEXT_LIMIT = 6000

RealSelectorEventLoop = asyncio.SelectorEventLoop


class LoopSource:
    """Makes the loops of the run, and counts them."""

    def __init__(self, name: str) -> None:
        module, _, attribute = name.partition(":")
        self._make: Callable[[], Any] = getattr(importlib.import_module(module), attribute)
        self.made = 0

    def __call__(self) -> Any:
        loop = self._make()
        self.made += 1
        return loop

    def take_asyncios_place(self) -> None:
        """Whoever asks asyncio for a loop gets one from here.

        asyncio's own class stays reachable where asyncio itself refers to it, so a
        loop that inherits from it keeps what it inherits.
        """
        source = self
        loop = self._make()
        loop_class = type(loop)
        loop.close()

        class Redirect(type):
            def __call__(cls, *selector: object, **kwargs: object) -> Any:
                return source()

            def __instancecheck__(cls, value: object) -> bool:
                return isinstance(value, (loop_class, RealSelectorEventLoop))

            def __subclasscheck__(cls, other: type) -> bool:
                return issubclass(other, (loop_class, RealSelectorEventLoop))

        stand_in = Redirect("SelectorEventLoop", (), {})
        asyncio.SelectorEventLoop = stand_in  # type: ignore[misc,assignment]
        if hasattr(asyncio, "EventLoop"):  # 3.13
            asyncio.EventLoop = stand_in  # type: ignore[misc,assignment]
        policy = asyncio.unix_events._UnixDefaultEventLoopPolicy  # type: ignore[attr-defined]
        policy._loop_factory = staticmethod(self)


class Report(unittest.TestResult):
    """Writes what happens to the result file, at once."""

    def __init__(self, path: str, source: LoopSource, limit: float) -> None:
        super().__init__()
        self._file = open(path, "a", buffering=1)  # noqa: SIM115 (open until the process ends)
        self._pid = os.getpid()
        self._source = source
        self._limit = limit
        self._current: unittest.TestCase | None = None
        self._outcome = "passed"
        self._text = ""
        self._made_before = 0

    def write(self, **event: object) -> None:
        if os.getpid() == self._pid:  # a test may fork
            self._file.write(json.dumps(event) + "\n")

    def fixture_failed(self, test_id: str, text: str) -> None:
        self.write(begin=test_id)
        self.write(end=test_id, outcome="failed", loops=0, text=text[-TEXT_LIMIT:])

    def _settle(self, outcome: str, text: str) -> None:
        if self._outcome == "passed":  # the first thing that went wrong counts
            self._outcome, self._text = outcome, text[-TEXT_LIMIT:]

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._current, self._outcome, self._text = test, "passed", ""
        self._made_before = self._source.made
        faulthandler.dump_traceback_later(self._limit, exit=True)
        self.write(begin=test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        # module and class clean-up after the last test may hang as well
        faulthandler.dump_traceback_later(self._limit, exit=True)
        if self._current is not test:  # CPython 3.12.1: a skipped class is stopped, not started
            return
        self._current = None
        loops = self._source.made - self._made_before
        self.write(end=test.id(), outcome=self._outcome, loops=loops, text=self._text)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        text = "".join(traceback.format_exception(*err))
        if isinstance(test, unittest.TestCase):
            self._settle("failed", text)
        else:  # setUpClass, setUpModule, …
            self.fixture_failed(test.id(), text)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self._settle("failed", "".join(traceback.format_exception(*err)))

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            self._settle("failed", "".join(traceback.format_exception(*err)))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        if self._current is test:
            self._settle("skipped", reason)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self._settle("failed", "unexpected success")


def leaves(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from leaves(item)
        else:
            yield item


def chosen(job: dict[str, Any], report: Report, module: Any) -> list[unittest.TestCase]:
    """The tests of this run; the ones left out are reported, not run."""
    finished = set(job["finished"])
    only = None if job["only"] is None else set(job["only"])
    tests = []
    for test in leaves(unittest.defaultTestLoader.loadTestsFromModule(module)):
        name = test.id()
        short = name.removeprefix(PREFIX)
        if name in finished or (only is not None and name not in only):
            continue
        if not fnmatchcase(name, job["glob"]):
            continue
        reason = next((why for pat, why in job["exclusions"] if fnmatchcase(short, pat)), None)
        if reason is None:
            tests.append(test)
        else:
            report.write(left_out=name, reason=reason)
    return tests


def main() -> None:
    with open(sys.argv[1]) as file:
        job = json.load(file)
    sys.path.extend(job["path"])
    faulthandler.enable()
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", ResourceWarning)
    source = LoopSource(job["loop"])
    source.take_asyncios_place()
    report = Report(job["report"], source, job["limit"])
    try:
        from test import support

        # what regrtest calls resources: these are to be had, the network is not
        support.use_resources = {"cpu": None, "walltime": None, "subprocess": None}
        module = importlib.import_module(job["module"])
    except unittest.SkipTest as skip:
        report.write(module_skipped=str(skip))
    except Exception:
        name = job["module"] + ".(import)"
        if name not in job["finished"]:
            report.fixture_failed(name, traceback.format_exc())
    else:
        # one suite, so that module and class fixtures run
        unittest.TestSuite(chosen(job, report, module)).run(report)
    faulthandler.cancel_dump_traceback_later()
    report.write(complete=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a thread that a test left behind must not hold the process


if __name__ == "__main__":
    main()
