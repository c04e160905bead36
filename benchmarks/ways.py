"""A table of ways to wait for something: each in a process of its own under `run`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

__all__ = ["beside", "compare"]

Measure = Callable[[str, float, int], dict[str, float]]


def beside(way: Callable[[], object], outside: Callable[[], object]) -> None:
    """Run `way` in the main thread, for ever, until `outside` has ended in another one."""

    def until_it_ends() -> None:
        try:
            outside()
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=until_it_ends).start()
    with suppress(KeyboardInterrupt):
        way()


def compare(
    module: str,
    description: str | None,
    ways: Mapping[str, Sequence[str]],
    measure: Measure,
    times: tuple[str, int],
    columns: Sequence[str],
    row: Callable[[dict[str, float]], str],
) -> None:
    """The command `python -m module`, which prints `columns` and a `row` of each way.

    ways: what `run` is told for each.  measure(way, seconds, how often): called in the way's
    process.  times: the name of the option that says how often, and its default.
    """
    option, default = times
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--seconds", type=float, default=10, help="of waiting, default %(default)s")
    parser.add_argument(option, dest="times", type=int, default=default, help="default %(default)s")
    parser.add_argument("--way", choices=ways, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args.way, args.seconds, args.times)))
        return
    python = [sys.executable, "-W", "ignore", "-m", "pyasync_hw", "run", "--hw", "sim"]
    print("|", " | ".join(("way", *columns)), "|")
    print("|---" * (1 + len(columns)) + "|")
    for way, told in ways.items():
        options = ["--way", way, "--seconds", str(args.seconds), option, str(args.times)]
        command = [*python, *told, "-m", module, *options]
        found = json.loads(subprocess.run(command, stdout=-1, check=True).stdout)
        print(f"| {way} | {row(found)} |", flush=True)
