"""Run CPython's own tests of ThreadPoolExecutor on ours; prints one line per test.

A program of its own: it replaces concurrent.futures.ThreadPoolExecutor.  With `--quick`
it leaves out those that sleep for seconds.
"""

from __future__ import annotations

import concurrent.futures
import importlib
import sys
import unittest

from pyasync_hw.executor import ThreadPoolExecutor

PACKAGE = "test.test_concurrent_futures"
MODULES = ("test_thread_pool", "test_shutdown", "test_wait", "test_as_completed", "test_init")

# They start an interpreter that imports the original by its name; test_exit.py has them.
OTHER_INTERPRETER = {
    "test_interpreter_shutdown",
    "test_submit_after_interpreter_shutdown",
    "test_hang_gh83386",
    "test_cancel_futures_wait_false",
}

SLOW_MODULES = ("test_wait", "test_as_completed")
SLOW = {"test_map_timeout", "test_hang_global_shutdown_lock", "test_hang_issue12364"}


class Result(unittest.TestResult):
    def say(self, word: str, test: unittest.TestCase) -> None:
        print(word, test.id(), flush=True)

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.say("passed", test)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.say("skipped", test)


def thread_pool_cases(module: object) -> list[type[unittest.TestCase]]:
    return [
        case
        for name, case in sorted(vars(module).items())
        if isinstance(case, type)
        and issubclass(case, unittest.TestCase)
        and name.startswith("ThreadPool")
    ]


def main() -> int:
    quick = "--quick" in sys.argv
    left_out = OTHER_INTERPRETER | (SLOW if quick else set())
    concurrent.futures.ThreadPoolExecutor = ThreadPoolExecutor  # type: ignore[misc]
    suite = unittest.TestSuite()
    for name in MODULES:
        if quick and name in SLOW_MODULES:
            continue
        module = importlib.import_module(f"{PACKAGE}.{name}")
        for case in thread_pool_cases(module):
            assert issubclass(case.executor_type, ThreadPoolExecutor)  # type: ignore[attr-defined]
            for test in unittest.defaultTestLoader.getTestCaseNames(case):
                if test not in left_out:
                    suite.addTest(case(test))
    result = Result()
    suite.run(result)
    for test, text in result.failures + result.errors:
        print("failed", test.id(), text)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
