"""One loop in one process: reads [case, count] a line, answers with a sample or an error.

python -m benchmarks.worker MODULE:FACTORY, or without argument for the limits in bare C.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys
from collections.abc import Callable

from .cases import CASES, LIMITS
from .cases.case import Loop, Sample


def sample(new_event_loop: Callable[[], Loop], name: str, count: int) -> Sample:
    gc.collect()
    gc.freeze()  # what earlier cases left is no work for the collector in this one
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        result = CASES[name].run(loop, count)
        loop.run_until_complete(loop.shutdown_default_executor())  # no thread stays behind
        return result
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def answer(new_event_loop: Callable[[], Loop] | None, name: str, count: int) -> Sample:
    if new_event_loop is None:
        return LIMITS[name](count)
    if not CASES[name].fresh:
        sample(new_event_loop, name, max(1, count // 20))  # warms caches up
    return sample(new_event_loop, name, count)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a loop prints is no answer
    new_event_loop = None
    if len(sys.argv) > 1:
        module, _, factory = sys.argv[1].partition(":")
        new_event_loop = getattr(importlib.import_module(module), factory)
    for line in sys.stdin:
        name, count = json.loads(line)
        try:
            result: dict[str, Sample | str] = {"sample": answer(new_event_loop, name, count)}
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), file=answers)
    answers.flush()
    os._exit(0)  # a loop that can't end would keep the driver


if __name__ == "__main__":
    main()
