"""One loop in one process: reads a case and a count a line, answers with a sample."""

from __future__ import annotations

import gc
import importlib
import json
import sys

from .cases import CASES


def main() -> None:
    module, _, factory = sys.argv[1].partition(":")
    new_event_loop = getattr(importlib.import_module(module), factory)
    for line in sys.stdin:
        name, count = line.split()
        gc.collect()
        loop = new_event_loop()
        try:
            sample = CASES[name].run(loop, int(count))
        finally:
            loop.close()
        print(json.dumps([sample.cpu, sample.wall]), flush=True)


if __name__ == "__main__":
    main()
