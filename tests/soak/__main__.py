"""python -m tests.soak --seed N --seconds S [--loop pyasync_hw|asyncio]

Does what a loop does, at random, from one seed, with an exact account of every
callback, job, child and descriptor.  Exits with 1 if anything was lost, was done
twice, came out of order, or was leaked.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import secrets
import sys
import threading
import time
from typing import Any, NoReturn

import pyasync_hw

from ..semaphores import has_semaphores
from .census import SANITIZED
from .planted import PLANTED
from .soak import STEPS, Settings, Soak
from .step import OPERATIONS


def _report(soak: Soak) -> None:
    account = soak.account
    print(f"{account.operations.total()} operations:")
    for name, count in sorted(account.operations.items()):
        print(f"  {count:7} {name}")
    print("expected, each exactly once or cancelled:")
    for kind in sorted(account.ran.keys() | account.cancelled.keys()):
        print(f"  {account.ran[kind]:8} ran {account.cancelled[kind]:8} cancelled  {kind}")
    print("before the first loop:", soak.first)
    print("after the last loop:  ", soak.last)
    print(f"at {soak.trends.points} quiet points:")
    for line in soak.trends.report():
        print(f"  {line}")


def _awaits(task: asyncio.Task[Any]) -> list[str]:
    """Where a task waits, from its coroutine on inwards."""
    found = []
    awaited: Any = task.get_coro()
    while frame := getattr(awaited, "cr_frame", None):
        found.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        awaited = awaited.cr_await
    return [*found, repr(awaited)]


def _give_up(soak: Soak) -> NoReturn:
    """Print what is known of a failure, and end: what hangs must not hang the exit."""
    _report(soak)
    sys.stdout.flush()
    account, settings = soak.account, soak.settings
    out = sys.stderr
    print("\nThe operations last:", *account.log, sep="\n  ", file=out)
    for task in asyncio.all_tasks(soak.loop) if soak.loop else ():
        print(f"\n{task.get_name()} waits at:", *_awaits(task), sep="\n  ", file=out)
    print("\nAll threads:", file=out, flush=True)
    faulthandler.dump_traceback(file=out, all_threads=True)
    print(f"\nFAILED with --seed {settings.seed}:", file=out)
    print(*account.failures[:20], sep="\n", file=out, flush=True)
    os._exit(1)


def _watch(soak: Soak, patience: float) -> None:
    """Say what was going on, and end the process, when the loop hangs."""
    # The operations' own limit comes first, while the loop runs.
    step = (2 * patience + 3) / STEPS
    while True:
        before = soak.beats
        for _ in range(STEPS):
            time.sleep(step)
            if soak.beats != before:
                break
        else:
            soak.account.fail("the loop hangs")
            _give_up(soak)


def main() -> int:
    names = sorted(OPERATIONS)
    operations: dict[str, Any] = {"action": "append", "default": [], "choices": names}
    operations["metavar"] = "OPERATION"
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description=(__doc__ or "").partition("\n")[2],
        epilog="Operations: " + ", ".join(names),
    )
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--loop", choices=("pyasync_hw", "asyncio"), default="pyasync_hw")
    parser.add_argument("--round", type=float, default=0.8, help="s between quiet points")
    parser.add_argument("--points", type=int, default=1, help="quiet points, at least")
    parser.add_argument("--patience", type=float, default=120.0 if SANITIZED else 40.0)
    parser.add_argument("--only", **operations)
    parser.add_argument("--without", **operations)
    parser.add_argument("--plant", choices=sorted(PLANTED), help="a fault to be found")
    args = parser.parse_args()
    if not has_semaphores():
        print("multiprocessing cannot write to /dev/shm: without processes of its pools")
        args.without = [*args.without, "forked_processes", "spawned_processes"]
    native = args.loop == "pyasync_hw"
    settings = Settings(
        seed=args.seed,
        seconds=args.seconds,
        native=native,
        new_loop=pyasync_hw.new_event_loop if native else asyncio.SelectorEventLoop,
        round=args.round,
        points=args.points,
        patience=args.patience,
        only=tuple(args.only),
        without=tuple(args.without),
        planted=PLANTED[args.plant] if args.plant else None,
    )
    print(
        f"soak --seed {args.seed} --seconds {args.seconds} --loop {args.loop}"
        f" on Python {sys.version.split()[0]}",
        flush=True,
    )
    soak = Soak(settings, _give_up)
    threading.Thread(
        target=_watch, args=(soak, args.patience), name="watchdog", daemon=True
    ).start()
    # Should the GIL itself be stuck.
    faulthandler.dump_traceback_later(args.seconds + 4 * args.patience + 60, exit=True)
    soak.run()
    faulthandler.cancel_dump_traceback_later()
    _report(soak)
    print("nothing lost, nothing left, no growth")
    return 0


if __name__ == "__main__":
    sys.exit(main())
