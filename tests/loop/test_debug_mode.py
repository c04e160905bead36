"""Debug mode: what it reports, and what it refuses."""

import asyncio
import os
import re
import subprocess
import sys
import time
import weakref

import pytest
from watching import (
    BLOCK,
    FILE,
    THRESHOLD,
    Reports,
    block,
    line_that_blocks,
    nothing,
    run_python,
    run_soon,
    warnings_of,
    watchdogs,
)

import pyasync_hw
from pyasync_hw import insight


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def reports():
    return Reports()


@pytest.mark.parametrize("kind", [asyncio.SelectorEventLoop, pyasync_hw.EventLoop])
@pytest.mark.parametrize("value", [True, False, 5, 0, None, "yes", [], (1,)])
def test_debug_mode_is_what_was_set(kind, value):
    loop = kind()
    loop.call_soon(loop.set_debug, value)  # it tells the coroutines, too
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert loop.get_debug() is value
    assert loop._debug is value
    later = loop.call_later(1, nothing)
    assert bool(later._source_traceback) is bool(value)
    loop._debug = [loop]  # a cycle
    assert loop.get_debug() == [loop]
    loop.close()
    assert loop.get_debug() == [loop]


def test_debug_mode_reports_as_asyncio_and_names_the_line(loop, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = THRESHOLD
    run_soon(loop, block)
    (record,) = warnings_of(caplog)
    first, rest = record.getMessage().split("\n", 1)
    assert re.fullmatch(
        r"Executing <Handle block\(\) at .*:\d+ created at .*> took \d+\.\d{3} seconds", first
    )
    assert f"{FILE}:{line_that_blocks()} in block" in rest
    assert watchdogs() == []


def test_debug_mode_reports_a_slow_iteration(loop, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = 0.25
    run_soon(loop, *[lambda: time.sleep(0.01)] * 30)
    (record,) = warnings_of(caplog, "iteration")
    assert record.getMessage().startswith("Executing 31 callbacks in one iteration took 0.")


def test_debug_mode_and_a_watch_log_once(loop, caplog, reports):
    loop.set_debug(True)
    loop.slow_callback_duration = THRESHOLD
    with insight.watch(loop, THRESHOLD), insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, block)
    assert len(warnings_of(caplog)) == len(reports) == 1


def test_debug_mode_may_be_switched_while_the_loop_runs(loop, caplog):
    loop.slow_callback_duration = THRESHOLD

    async def main():
        loop.set_debug(True)
        await asyncio.sleep(0)
        block()
        await asyncio.sleep(0)
        loop.set_debug(False)
        await asyncio.sleep(0)
        block()
        assert watchdogs() == []

    loop.run_until_complete(main())
    took = [record.getMessage() for record in warnings_of(caplog, "main()")]
    took = [float(re.search(r"took (\d+\.\d+) seconds", text)[1]) for text in took]
    assert len([seconds for seconds in took if seconds >= BLOCK]) == 1


def test_without_debug_mode_nothing_is_reported(loop, caplog):
    loop.slow_callback_duration = THRESHOLD
    run_soon(loop, block)
    assert warnings_of(caplog) == []


def test_a_duration_of_zero_reports_everything(loop, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    assert loop.slow_callback_duration == 0
    run_soon(loop, nothing)
    assert len(warnings_of(caplog, "nothing")) == 1


@pytest.mark.parametrize(
    ("value", "error"), [("x", TypeError), (None, TypeError), (float("nan"), ValueError)]
)
def test_a_wrong_duration_is_refused_when_it_is_set(loop, value, error):
    with pytest.raises(error, match="slow_callback_duration must be a number of seconds"):
        loop.slow_callback_duration = value
    assert loop.slow_callback_duration == 0.1


def test_slow_native_work_and_asyncios_own_handles(loop, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = THRESHOLD
    handle = asyncio.Handle(block, (), loop)
    loop._add_callback(handle)
    run_soon(loop)
    (record,) = warnings_of(caplog)
    assert record.getMessage().startswith("Executing <Handle block()")


def test_the_current_handle_is_known_to_error_reports(loop):
    contexts = []
    loop.set_debug(True)
    loop.set_exception_handler(lambda loop, context: contexts.append(loop._current_handle))

    def callback():
        loop.call_exception_handler({"message": "hello"})

    loop.call_soon(callback)
    run_soon(loop)
    assert contexts[0]._callback is callback
    assert loop._current_handle is None


@pytest.mark.parametrize(
    "call",
    [
        lambda loop: loop.call_soon(nothing),
        lambda loop: loop.call_later(1, nothing),
        lambda loop: loop.call_at(1, nothing),
    ],
    ids=["call_soon", "call_later", "call_at"],
)
def test_debug_mode_refuses_calls_of_another_thread(loop, call):
    loop.set_debug(True)

    def elsewhere():
        try:
            call(loop)
        except RuntimeError as exc:
            return str(exc)
        return "not refused"

    async def main():
        answer = await asyncio.to_thread(elsewhere)
        await loop.shutdown_default_executor()
        return answer

    assert loop.run_until_complete(main()) == (
        "Non-thread-safe operation invoked on an event loop other than the current one"
    )


def test_a_call_that_is_thread_safe_is_allowed_in_debug_mode(loop):
    loop.set_debug(True)

    async def main():
        done = asyncio.Event()
        await asyncio.to_thread(loop.call_soon_threadsafe, done.set)
        await done.wait()
        await loop.shutdown_default_executor()

    loop.run_until_complete(main())


def test_what_ran_in_debug_mode_goes_at_once_not_at_the_end_of_the_turn(loop):
    class Argument:
        pass

    argument = Argument()
    gone = weakref.ref(argument)
    seen = []
    loop.set_debug(True)
    loop.call_soon(lambda argument: None, argument)
    loop.call_soon(lambda: seen.append(gone()))
    del argument
    run_soon(loop, nothing)
    assert seen == [None]


def test_an_iteration_of_many_short_callbacks_is_slow_too(loop, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = 0.05
    for _ in range(5):  # on a loaded machine, one of them may be slow by itself
        run_soon(loop, *[lambda: time.sleep(0.0001)] * 1000)
        if warnings_of(caplog, "callbacks in one iteration took"):
            return
    pytest.fail("no slow iteration was reported")


def test_debug_mode_by_environment():
    done = run_python(
        """
import logging
told = []
logging.getLogger("asyncio").addFilter(lambda record: told.append(record.getMessage()) or True)

async def main():
    asyncio.get_running_loop().slow_callback_duration = 0.02
    while not any("in block" in text for text in told):  # a busy machine may not sample the first
        block()
        await asyncio.sleep(0)

pyasync_hw.run(main())
""",
        PYTHONASYNCIODEBUG="1",
    )
    assert done.returncode == 0
    assert re.search(r"Executing <Task .* took \d+\.\d{3} seconds", done.stderr)
    assert "in block" in done.stderr


def test_the_tests_of_the_loop_pass_in_debug_mode():
    here = os.path.dirname(__file__)
    files = ["test_scheduling.py", "test_descriptors.py", "test_virtual_time.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(os.path.join(here, name) for name in files)],
        env={**os.environ, "PYTHONASYNCIODEBUG": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
