"""python -m tests.failing.sweep OPERATION [CALL ...], with the shim preloaded.

Does one operation again and again, in this process: the first call of a kind fails,
then the second ... until there is none left; once with that call alone, once with all
from that one on.  Exits with 1 when an error is not the one that was made, says
nothing, or when something is left.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import Counter

from pyasync_hw import _core

from ..recorder import Recorder
from ..soak.census import descriptors
from .operations import OPERATIONS, Act, report, reported
from .planted import PLANTED
from .shim import ERRORS, MEMORY, Shim

PATIENCE = 5  # seconds that one try may take
ALL = 10_000  # then they succeed again: without memory the alarm's handler cannot run
DENSE = 60  # from this call on, some are left out


class Hang(BaseException):
    """It waits for what does not come."""


def _on_alarm(number: int, frame: object) -> None:
    raise Hang


def is_right(error: BaseException | None, call: str, number: int) -> bool:
    """Is it what was made to happen, or what that has led to, and does it say so?"""
    while error is not None:
        if isinstance(error, ZeroDivisionError):
            return True  # what an operation raises itself
        if call in MEMORY and isinstance(error, MemoryError):
            return True
        if call in MEMORY and isinstance(error, AttributeError) and error.name:
            return hasattr(error.obj, error.name)  # CPython's look-up loses its MemoryError
        if isinstance(error, OSError) and error.errno == number:
            return os.strerror(number) in str(error)
        if "can't start new thread" in str(error) and call == "pthread_create":
            return True
        error = error.__cause__
    return False


class Sweep:
    def __init__(self, name: str) -> None:
        self.name = name
        self.operation = {**OPERATIONS, **PLANTED}[name]
        self.recorder = Recorder()
        self.shim = Shim()
        self.faults = 0
        self.tries = 0
        for _ in range(2):  # what it imports and makes once
            self.once("none", 0, 0, 0)
        gc.collect()
        gc.freeze()  # a collection then looks only at what a try has made: a tenth of the time
        self.before = self.usage()

    def usage(self) -> Counter[str]:
        live = Counter({f"live {name}": n for name, n in _core._live().items()})
        threads = Counter({"threads": threading.active_count()})
        return live + descriptors() + threads

    def fault(self, where: str, text: str, error: BaseException | None = None) -> None:
        self.faults += 1
        self.recorder.note(f"FAULT {text}")
        print(f"{where}: {text}", flush=True)
        if error is not None:
            print("".join(traceback.format_exception(error)), flush=True)

    def _attempt(self, act: Act, call: str, first: int, count: int, number: int) -> object:
        do = next(act)
        try:
            self.shim.arm(call, first, count, number)
            do()
            return None
        except BaseException as error:
            return error
        finally:
            self.calls = self.shim.disarm()

    def once(self, call: str, first: int, count: int, number: int) -> None:
        self.tries += 1
        reported.clear()
        what = f"{errno.errorcode.get(number)} from {call} {first}{' on' if count > 1 else ''}"
        self.recorder.note(f"{self.name}: {what}")
        signal.alarm(PATIENCE)
        act = self.operation()
        error = self._attempt(act, call, first, count, number)
        signal.alarm(PATIENCE)
        told = [one for one in reported if is_right(one, call, number)]
        untold = call in MEMORY and count > 1
        for one in (error, *reported):
            if one is None or is_right(one, call, number):
                continue
            # A consequence; without any memory nothing can be reported, either.
            if (told or untold) and not isinstance(one, SystemError):
                self.recorder.note(f"  consequence: {one!r}")
            else:
                self.fault(what, "another error", one)
        right = error is None and not reported
        error = one = None  # their tracebacks keep what was being done
        told.clear()
        reported.clear()
        try:
            act.send(right)
        except StopIteration:
            pass
        except BaseException as late:
            self.fault(what, "afterwards", late)
        signal.alarm(0)
        reported.clear()

    def check(self, what: str) -> None:
        until = time.monotonic() + 2
        while True:
            gc.collect()
            reported.clear()  # by a task that was dropped: it has a traceback
            left = self.usage() - self.before
            if not left:
                return
            if time.monotonic() > until:
                self.fault(what, f"left: {dict(left)}")
                self.before = self.usage()
                return
            time.sleep(0.01)

    def run(self, call: str, number: int, count: int) -> None:
        first = 0
        while True:
            self.once(call, first, count, number)
            self.check(f"{call} {errno.errorcode[number]} {first} {count}")
            if self.calls <= first:
                return
            first += 1 if first < DENSE else first // DENSE * 13


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable()
    sys.unraisablehook = lambda hook: report(hook.exc_value)
    threading.excepthook = lambda hook: report(hook.exc_value)
    signal.signal(signal.SIGALRM, _on_alarm)
    sweep = Sweep(sys.argv[1])
    for call in sys.argv[2:] or ERRORS:
        for number in ERRORS[call]:
            sweep.run(call, number, 1)
            if number not in (errno.EINTR, errno.EAGAIN) or call == "pthread_create":
                sweep.run(call, number, ALL)
    print(f"{sweep.name}: {sweep.tries} tries")
    sys.stdout.flush()
    os._exit(1 if sweep.faults else 0)


if __name__ == "__main__":
    main()
