"""The soak: rounds of random operations on one loop after another, and quiet points.

A round starts operations, several at a time, for a while; then all are
through, and the census is taken.  Each loop lives for some rounds; when it is closed,
nothing may be left of it.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import resource_tracker
from random import Random
from typing import Any, NoReturn

import pyasync_hw.executor

from . import operations as operations  # fills the table
from .account import Account
from .census import Census, Trends
from .step import OPERATIONS, Operation, Shared, Step

WORKERS = min(32, (os.cpu_count() or 1) + 4)  # at most, of a default executor
SETTLE = 0.02  # s
# What takes too long took that many steps, too: on a busy machine they take longer.
STEPS = 25


@dataclass
class Settings:
    seed: int
    seconds: float
    native: bool
    new_loop: Callable[[], asyncio.AbstractEventLoop]
    round: float  # s
    points: int  # quiet points, at least
    patience: float  # s that an operation, or what is left of it, may take
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    planted: Operation | None = None


class Soak:
    """One run; `account` and `trends` are its result.

    At the first failure, while all is as it was then, give_up() is called.
    """

    def __init__(self, settings: Settings, give_up: Callable[[Soak], NoReturn]) -> None:
        self.settings = settings
        self._give_up = give_up
        self.account = Account()
        self.trends = Trends()
        self.first: Census | None = None
        self.last: Census | None = None
        self.beats = 0  # what the watchdog watches
        self.loop: asyncio.AbstractEventLoop | None = None
        self.end = 0.0
        self._rng = Random(settings.seed)
        self._started = 0
        table = {
            name: entry
            for name, entry in OPERATIONS.items()
            if (not settings.only or name in settings.only) and name not in settings.without
        }
        self._names = list(table)
        self._weights = [weight for _, weight in table.values()]

    # -- one loop ------------------------------------------------------------

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """No operation provokes one."""
        self.account.fail(f"the loop's exception handler was given {context}")

    def _any(self) -> Iterator[tuple[str, Operation]]:
        """Random operations, for one round; where a fault is planted, that is the first."""
        until = time.monotonic() + self.settings.round
        for chosen in itertools.count():
            if self.settings.planted and chosen % 20 == 0:
                yield "planted", self.settings.planted
            if time.monotonic() > until:
                return
            name = self._rng.choices(self._names, self._weights)[0]
            yield name, OPERATIONS[name][0]

    def _start(self, shared: Shared, name: str, function: Operation) -> asyncio.Task[None]:
        self._started += 1
        seed = self._rng.getrandbits(64)
        step = Step(shared, name, self._started, seed)
        self.account.note(f"{name} {step.number} begins")
        self.account.operations[name] += 1
        return shared.loop.create_task(self._run(function, step), name=f"{name} {step.number}")

    async def _run(self, function: Operation, step: Step) -> None:
        try:
            await function(step)
        except BaseException as error:
            self.account.fail(f"{step.name} {step.number} raised {error!r}")
            logging.getLogger(__name__).exception("operation %s", step.name)
        self.account.note(f"{step.name} {step.number} ends")

    async def _round(self, shared: Shared, chosen: Iterator[tuple[str, Operation]]) -> None:
        running: set[asyncio.Task[None]] = set()
        width = self._rng.choice((1, 4, 8, 16))
        while True:
            for name, function in itertools.islice(chosen, width - len(running)):
                running.add(self._start(shared, name, function))
            if not running:
                return
            for _ in range(STEPS):
                done, pending = await asyncio.wait(
                    running,
                    timeout=self.settings.patience / STEPS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                self.beats += 1
                if done:
                    break
            if not done:
                names = [task.get_name() for task in pending]
                self.account.fail(f"not through in {self.settings.patience} s: {names}")
            if self.account.failures:
                self._give_up(self)
            running = pending

    async def _quiet(self, base: Census | None) -> Census:
        """Wait until all is back as in `base`; what does not come back is leaked."""
        until = time.monotonic() + self.settings.patience
        for step in itertools.count():
            await asyncio.sleep(SETTLE)
            self.beats += 1
            gc.collect()
            census = Census.now()
            beyond = census.beyond(base, WORKERS) if base else []
            if not beyond and not self.account.coming():
                return census
            if time.monotonic() > until and step >= STEPS:
                break
        self.account.lost()
        if beyond:
            self.account.fail(f"leaked while the loop runs: {beyond}")
        self._give_up(self)

    def _share(self, loop: asyncio.AbstractEventLoop) -> Shared:
        self.loop = loop
        shared = Shared(loop, self.account, self.settings.native, self.settings.new_loop)
        which = self._rng.choice(("the loop's own", "the loop's own", "standard", "native"))
        if which == "standard":
            loop.set_default_executor(ThreadPoolExecutor(4))
        elif which == "native":
            loop.set_default_executor(pyasync_hw.executor.ThreadPoolExecutor(4))
        shared.tokens = self.settings.native and which != "standard"
        loop.set_exception_handler(self._on_loop_error)
        return shared

    async def _every_operation(self) -> None:
        """Once each: what the process makes once, imports and caches, it keeps."""
        shared = self._share(asyncio.get_running_loop())
        await self._round(shared, iter([(name, OPERATIONS[name][0]) for name in self._names]))
        await self._quiet(None)

    async def _rounds(self, rounds: int) -> None:
        loop = asyncio.get_running_loop()
        shared = self._share(loop)
        # What a loop makes when it is first needed, it keeps.
        await loop.run_in_executor(None, int)
        await (await asyncio.create_subprocess_exec("true")).wait()
        base = await self._quiet(None)
        while rounds and not self._through():
            rounds -= 1
            await self._round(shared, self._any())
            await self._quiet(base)
            self.trends.take()
            self.beats += 1

    def _through(self) -> bool:
        return time.monotonic() >= self.end and self.trends.points >= self.settings.points

    # -- all loops -------------------------------------------------------------

    def _between_loops(self) -> Census:
        """Nothing is left of a loop that was closed."""
        until = time.monotonic() + self.settings.patience
        for step in itertools.count():
            self.beats += 1
            gc.collect()
            census = Census.now()
            beyond = census.beyond(self.first) if self.first else []
            if not beyond:
                return census
            if time.monotonic() > until and step >= STEPS:
                self.account.fail(f"leaked by a loop that was closed: {beyond}")
                self._give_up(self)
            time.sleep(SETTLE)

    def _loop(self, life: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=self.settings.new_loop) as runner:
            runner.run(life)
        self.loop = None  # it is to be collected

    def run(self) -> None:
        """Returns if all was right."""
        warnings.simplefilter("ignore", ResourceWarning)  # loops are dropped on purpose
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # children are reaped on purpose
        resource_tracker.ensure_running()  # multiprocessing's; it stays
        self._loop(self._every_operation())
        self.first = self._between_loops()
        self.end = time.monotonic() + self.settings.seconds
        while not self._through():
            self._loop(self._rounds(self._rng.randrange(2, 8)))
            self.last = self._between_loops()
        for growth in self.trends.growing():
            self.account.fail(growth)
        if self.account.failures:
            self._give_up(self)
