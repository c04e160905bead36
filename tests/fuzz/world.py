"""What one run of the fuzzer has, and its judgement of what happens.

A run is one process with one seed.  It keeps some objects of each kind (loops,
handles, lines ...) and does random things to them, one verb at a time; an object
that behaves badly (hostile.py) does more of them in the middle of another.  Any
exception is right but a SystemError, which is what CPython raises when a C function
fails without an exception or succeeds with one.  At the end all is closed, and
nothing may be left.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import signal
import sys
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from pyasync_hw import _core, hardware

from ..recorder import SANITIZED, Recorder

Verb = Callable[["World"], object]
VERBS: dict[str, tuple[Verb, float]] = {}
FROM_THREADS: list[Verb] = []  # what another thread may do as well

KEPT = 8  # objects of each kind
DEEPEST = 4  # verbs within verbs
NUDGE = 2.0 if SANITIZED else 0.4  # seconds that one verb of the main thread may take


class Nudge(BaseException):
    """Raised by a signal handler in what waits for something that will not come."""


class Fault(Exception):
    """What the fuzzer is looking for."""


def verb(weight: float = 1.0, threads: bool = False) -> Callable[[Verb], Verb]:
    """Put a function into the table; one of weight 2 runs twice as often."""

    def add(function: Verb) -> Verb:
        VERBS[function.__name__] = (function, weight)
        if threads:
            FROM_THREADS.append(function)
        return function

    return add


class World:
    def __init__(self, seed: int, verbs: int, recorder: Recorder) -> None:
        self.rng = random.Random(seed)
        self.left = verbs
        self.quiet = False  # then nobody behaves badly any more
        self.faults: list[str] = []
        self.objects: dict[str, list[Any]] = {}
        self._open: dict[str, list[Any]] = {}  # what is to be closed, weakly where it can be
        self.threads: list[threading.Thread] = []
        self.nudged = self.forked = False
        self._recorder = recorder
        self._main = threading.get_ident()
        self._pid = os.getpid()
        self._depth = 0
        self._began = 0.0
        self._names = list(VERBS)
        self._weights = [weight for _, weight in VERBS.values()]

    # -- objects -----------------------------------------------------------------

    def keep(self, kind: str, thing: Any) -> Any:
        kept = self.objects.setdefault(kind, [])
        if len(kept) < KEPT:
            kept.append(thing)
        else:
            kept[self.rng.randrange(len(kept))] = thing
        return thing

    def remember(self, kind: str, thing: Any) -> Any:
        """It must be closed in the end, should it live then."""
        try:
            reference: Any = weakref.ref(thing)
        except TypeError:
            reference = lambda: thing  # noqa: E731
        self._open.setdefault(kind, []).append(reference)
        return self.keep(kind, thing)

    def open(self, kind: str) -> list[Any]:
        return [thing for ref in self._open.pop(kind, []) if (thing := ref()) is not None]

    def pick(self, kind: str) -> Any:
        """One of a kind, or None."""
        kept = self.objects.get(kind)
        return self.rng.choice(kept) if kept else None

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    # -- verbs ---------------------------------------------------------------------

    def note(self, text: str) -> None:
        self._recorder.note(f"{'  ' * self._depth}{text}")

    def act(self) -> None:
        """Do something; in any thread."""
        if self.quiet or self.left <= 0 or self._depth >= DEEPEST or os.getpid() != self._pid:
            return
        self.left -= 1
        if threading.get_ident() != self._main:
            self._do(self.rng.choice(FROM_THREADS), "thread: ")
            return
        function = VERBS[self.rng.choices(self._names, self._weights)[0]][0]
        if self._depth == 0:
            self._began = time.monotonic()
        self._depth += 1
        try:
            self._do(function, "")
        finally:
            self._depth -= 1

    def _do(self, function: Verb, note: str) -> None:
        self.note(f"{note}{function.__name__}")
        try:
            function(self)
        except Nudge:
            raise
        except BaseException as error:
            self.note(f"  -> {traceback.format_exception_only(error)[-1].strip()}")
            self.judge(error)

    def judge(self, error: BaseException | None) -> None:
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            if isinstance(error, (SystemError, Fault)):
                where = traceback.format_tb(error.__traceback__)
                self.fail(f"{type(error).__name__}: {error}\n{''.join(where)}")
            error = error.__cause__ or error.__context__

    def fail(self, text: str) -> None:
        self._recorder.note(f"FAULT {text.partition(chr(10))[0]}")
        self.faults.append(text)

    # -- a run -----------------------------------------------------------------------

    def _on_alarm(self, number: int, frame: object) -> None:
        if self._began and time.monotonic() - self._began > NUDGE:
            self._began = time.monotonic()
            self.nudged = True
            self._recorder.note("(nudged)")
            for reference in self._open.get("loop", ()):
                loop = reference()
                if loop is not None:
                    _core.Loop.stop(loop)  # in a callback, Nudge is only reported
            raise Nudge

    def _on_unraisable(self, unraisable: Any) -> None:
        self.judge(unraisable.exc_value)

    def run(self) -> None:
        sys.unraisablehook = self._on_unraisable
        threading.excepthook = lambda hook: self.judge(hook.exc_value)
        logging.disable()
        warnings.simplefilter("ignore")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGALRM, self._on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        interval, threshold = sys.getswitchinterval(), gc.get_threshold()
        while self.left > 0 and not self.faults:
            try:
                self.act()
            except Nudge:
                pass
            except BaseException as error:  # from a hostile object, in between
                self.judge(error)
            self._began = 0.0
        self.quiet = True
        sys.setswitchinterval(interval)
        gc.set_threshold(*threshold)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def go_on_in_child(self, seconds: int) -> None:
        """Some verbs on what was inherited, in a fork's child."""
        self.forked = True
        self._pid, self._depth, self.left = os.getpid(), 0, 20
        self.threads.clear()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        self.note("-- in the child of a fork")
        while self.left > 0 and not self.faults:
            with contextlib.suppress(BaseException):
                self.act()

    def finish(self) -> None:
        """Close all, and forget it."""
        self.quiet = True
        for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for token in self.open("token"):
            token.cancel()
        for clock in self.open("clock"):
            with contextlib.suppress(RuntimeError, ValueError):
                while True:  # until nobody holds it
                    clock.release()
        for watching in self.open("watch"):
            with contextlib.suppress(AttributeError):  # its __init__() was called again
                watching.stop()
        for wave in self.open("pwm"):
            wave.close()  # or a virtual clock goes on for ever, and no wait ends in a deadlock
        for loop in self.open("loop"):
            self._close_loop(loop)
        for message in self.objects.pop("bus message", []):
            message.leave()  # or whoever blocks waits for it for ever
        devices = "reader", "line", "request", "gpiochip", "button", "led", "device", "sensor"
        for kind in (*devices, "board", "socket"):
            for thing in self.open(kind):
                with contextlib.suppress(AttributeError):  # its __init__() was called again
                    thing.close()
        for executor in self.open("executor"):
            executor.shutdown(wait=False, cancel_futures=True)
        hardware.chosen(None)._world.use_clock(None)  # the program's own board keeps the last
        for thread in self.threads:
            thread.join(20)
            if thread.is_alive():
                self.fail("a thread does not end")
        self.threads.clear()
        self._open.clear()
        self.objects.clear()

    def _close_loop(self, loop: Any) -> None:
        self.note(f"closing {loop!r}")
        if loop.is_running():
            self.fail("a loop believes that it runs")
            return
        loop._closed = False  # a verb may have set it
        loop._watches.clear()  # the __init__() of one may have been called again
        loop.set_exception_handler(lambda loop, context: None)
        loop.set_task_factory(None)
        loop.set_debug(False)
        loop.close()
