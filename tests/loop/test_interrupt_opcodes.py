"""Ctrl+C at each opcode of our Python between a program and the C core.

The interpreter looks for signals only after calls, at the start of functions and on jumps
back; a trace function can raise at those, each in turn.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dis
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import pytest
from processes import nothing_left

import pyasync_hw
from pyasync_hw import executor as executor_module
from pyasync_hw import loop as event_loop
from pyasync_hw.loop import child, selector_view, spawn
from pyasync_hw.loop import foreign_executor as foreign_executor_module

MODULES = (child, event_loop, executor_module, foreign_executor_module, selector_view, spawn)
MAIN = threading.main_thread()
TOOL = 4  # of sys.monitoring

Loop = pyasync_hw.EventLoop


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def all_codes() -> Iterator[CodeType]:
    for module in MODULES:
        for value in vars(module).values():
            for one in vars(value).values() if isinstance(value, type) else [value]:
                function = getattr(one, "__func__", one)
                if getattr(function, "__module__", None) == module.__name__:
                    code = getattr(function, "__code__", None)
                    if isinstance(code, CodeType):
                        yield from codes(code)


def places(code: CodeType) -> set[int]:
    """Offsets of opcodes before which the interpreter may have looked for signals."""
    found, before = set(), ""
    for one in dis.get_instructions(code):
        if before.startswith(("CALL", "RESUME")) or one.opname.startswith("JUMP_BACKWARD"):
            found.add(one.offset)
        before = one.opname
    return found


PLACES = {code: places(code) for code in all_codes()}


class Injector:
    """Sends SIGINT at the nth of the PLACES that the main thread comes to; None: counts.

    And again, so many later.
    """

    def __init__(self, at: int | None, again: int = 0) -> None:
        self.at = {at, at + again} if at is not None else set()
        self.seen = 0
        self.where = ""

    def come_to(self, code: CodeType, offset: int) -> None:
        if offset not in PLACES[code] or threading.current_thread() is not MAIN or self.is_over:
            return
        self.seen += 1
        if self.seen in self.at:
            line = next(line for begin, end, line in code.co_lines() if begin <= offset < end)
            self.where += f"{code.co_qualname}:{line}, offset {offset}; "
            signal.raise_signal(signal.SIGINT)

    @property
    def is_over(self) -> bool:
        return bool(self.at) and self.seen >= max(self.at)

    if sys.version_info >= (3, 12):

        def run(self, work: Callable[[], object]) -> None:
            monitoring = sys.monitoring
            monitoring.use_tool_id(TOOL, "interrupt")
            try:
                for code in PLACES:
                    monitoring.set_local_events(TOOL, code, monitoring.events.INSTRUCTION)
                monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, self.come_to)
                work()
            finally:
                for code in PLACES:
                    monitoring.set_local_events(TOOL, code, 0)
                monitoring.register_callback(TOOL, monitoring.events.INSTRUCTION, None)
                monitoring.free_tool_id(TOOL)

    else:

        def trace(self, frame: FrameType, event: str, arg: object) -> Any:
            if frame.f_code not in PLACES or self.is_over:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                self.come_to(frame.f_code, frame.f_lasti)
            return self.trace

        def run(self, work: Callable[[], object]) -> None:
            sys.settrace(self.trace)
            try:
                work()
            finally:
                sys.settrace(None)


# -- what is interrupted -----------------------------------------------------------


def run_forever(loop: Loop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def debug(loop: Loop) -> None:
    loop.set_debug(True)
    run_forever(loop)


def with_handler(loop: Loop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, print)
    run_forever(loop)
    loop.remove_signal_handler(signal.SIGUSR1)


def generators(loop: Loop) -> None:
    async def generate() -> Any:
        yield 1

    async def main() -> None:
        async for _ in generate():
            pass

    loop.run_until_complete(main())


def executor(loop: Loop) -> None:
    loop.run_until_complete(loop.run_in_executor(None, int))


def foreign_executor(loop: Loop) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        loop.run_until_complete(loop.run_in_executor(pool, int))


WORK: dict[str, Callable[[Loop], object]] = {
    one.__name__: one
    for one in (
        run_forever,
        debug,
        with_handler,
        generators,
        executor,
        foreign_executor,
    )
}


def finish(loop: Loop) -> None:
    """The loop still works, and then ends as asyncio.Runner ends it."""
    loop.set_debug(False)
    run_forever(loop)  # a stop() that was left over
    assert loop.run_until_complete(asyncio.sleep(0, "works")) == "works"
    loop.remove_signal_handler(signal.SIGUSR1)
    tasks = asyncio.all_tasks(loop)
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def state() -> tuple[object, ...]:
    wakeup = signal.set_wakeup_fd(-1)
    return (
        wakeup,
        signal.getsignal(signal.SIGINT),
        asyncio._get_running_loop(),
        sys.get_asyncgen_hooks(),
        sys.get_coroutine_origin_tracking_depth(),
    )


def interrupt_everywhere(
    work: Callable[[Injector], object], finish: Callable[[], object], least: int
) -> None:
    for _ in range(2):  # the first imports
        counter = Injector(None)
        work(counter)
        finish()
    assert counter.seen >= least
    before = state()
    for at in range(1, counter.seen + 1):
        injector = Injector(at)
        try:
            with nothing_left():
                try:
                    work(injector)
                except KeyboardInterrupt:
                    pass
                else:
                    assert not injector.where, "lost"
                assert asyncio._get_running_loop() is None
                finish()
                assert state() == before
        except BaseException as error:
            error.add_note(f"interrupted in {injector.where}")
            raise


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore:coroutine.*never awaited:RuntimeWarning")
@pytest.mark.parametrize("name", WORK)
def test_in_a_loop_that_goes_on(name: str) -> None:
    loops: list[Loop] = []

    def work(injector: Injector) -> None:
        loop = pyasync_hw.new_event_loop()
        loops.append(loop)
        injector.run(lambda: WORK[name](loop))

    def end() -> None:
        loop = loops.pop()
        assert not loop.is_running()
        finish(loop)

    interrupt_everywhere(work, end, 20)


if sys.version_info >= (3, 12):  # before, a trace function that raises is taken away

    @pytest.mark.timeout(60)
    def test_twice_in_a_row() -> None:
        """Then something may be left undone, but the loop knows that it does not run."""
        counter = Injector(None)
        loop = pyasync_hw.new_event_loop()
        counter.run(lambda: run_forever(loop))
        hooks = sys.get_asyncgen_hooks()
        for at in range(1, counter.seen + 1):
            for again in range(1, counter.seen):
                injector = Injector(at, again)
                with contextlib.suppress(KeyboardInterrupt):
                    injector.run(lambda: run_forever(loop))
                sys.set_asyncgen_hooks(*hooks)
                signal.set_wakeup_fd(-1)
                assert not loop.is_running(), injector.where
                assert asyncio._get_running_loop() is None, injector.where
                run_forever(loop)
                if not injector.is_over:
                    break
        loop.close()


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore:coroutine.*never awaited:RuntimeWarning")
def test_in_a_runner() -> None:
    def run() -> None:
        with asyncio.Runner(loop_factory=pyasync_hw.new_event_loop) as runner:
            runner.run(asyncio.to_thread(int))

    def work(injector: Injector) -> None:
        injector.run(run)

    interrupt_everywhere(work, gc.collect, 50)
