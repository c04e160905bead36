"""Runs a program in subinterpreters, as told by JSON on the command line.

{"code": ..., "gil": "own" | "shared", "threads": n, "rounds": n, "main": ...}
Each of the threads makes, uses and destroys `rounds` interpreters, one after the
other; "main" is run by the main interpreter meanwhile.  Prints JSON: errors, and how
many descriptors and threads there were before and after.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

sys.path.insert(0, os.getcwd())

if sys.version_info >= (3, 13):
    import _interpreters
else:
    import _xxsubinterpreters as _interpreters


def create(gil: str) -> Any:
    if sys.version_info >= (3, 13):
        return _interpreters.create("isolated" if gil == "own" else "legacy")
    return _interpreters.create(isolated=gil == "own")


def run(interpreter: Any, code: str) -> str | None:
    """The error that it ended with, or None."""
    if sys.version_info >= (3, 13):
        error = _interpreters.exec(interpreter, code)
        return None if error is None else str(error.errdisplay)
    try:
        _interpreters.run_string(interpreter, code)
    except _interpreters.RunFailedError as error:
        return str(error)
    return None


def usage() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def main() -> None:
    job = json.loads(sys.argv[1])
    errors: list[str] = []

    def work(rounds: int) -> None:
        for _ in range(rounds):
            interpreter = create(job["gil"])
            try:
                error = run(interpreter, f"import sys; sys.path[:] = {sys.path!r}\n" + job["code"])
            finally:
                _interpreters.destroy(interpreter)
            if error is not None:
                errors.append(error)

    def work_in_threads(rounds: int) -> None:
        threads = [threading.Thread(target=work, args=(rounds,)) for _ in range(job["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    work(1)
    before = usage()
    if job["main"]:
        space = {"work": lambda: work_in_threads(job["rounds"])}
        exec(job["main"], space)
    else:
        work_in_threads(job["rounds"])
    patience = time.monotonic() + 10
    while usage() != before and time.monotonic() < patience:
        time.sleep(0.001)  # a joined thread takes the kernel a moment more
    print(json.dumps({"errors": errors, "before": before, "after": usage()}))


if __name__ == "__main__":
    main()
