"""Slow callbacks and slow iterations: reported, with the line that blocked.

These tests block for real: the thing under test is a thread that looks at another one.
"""

import asyncio
import inspect
import logging
import os
import re
import subprocess
import sys
import threading
import time
import traceback
import weakref

import pytest

import pyasync_hw
from pyasync_hw import insight

BLOCK = 0.15
THRESHOLD = 0.02
WATCHDOG = "pyasync_hw watchdog"


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


class Reports(list):
    """Of what blocked on purpose; on a loaded machine, anything may take THRESHOLD."""

    def append(self, report):
        if report.duration >= BLOCK:
            super().append(report)


@pytest.fixture
def reports():
    return Reports()


def block():
    time.sleep(BLOCK)  # the line that blocks


def line_that_blocks():
    lines, first = inspect.getsourcelines(block)
    return first + next(i for i, line in enumerate(lines) if "the line that blocks" in line)


def nothing():
    pass


def run_soon(loop, *callbacks):
    for callback in callbacks:
        loop.call_soon(callback)
    loop.call_soon(loop.stop)
    loop.run_forever()


def watchdogs():
    return [thread for thread in threading.enumerate() if thread.name == WATCHDOG]


def warnings_of(caplog, name="block"):
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    return [record for record in warnings if name in record.getMessage()]


# -- watch ---------------------------------------------------------------------


def test_the_line_that_blocked_is_named(loop, reports):
    before = time.time()
    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, nothing, block, nothing)
    (report,) = reports
    assert report.kind == "callback"
    assert report.line.filename == __file__
    assert report.line.lineno == line_that_blocks()
    assert report.line.name == "block"
    assert report.line.line.startswith("time.sleep(BLOCK)")
    assert report.duration >= BLOCK
    assert report.duration == report.slowest
    assert report.callbacks == 1
    assert "block()" in report.handle
    assert report.thread == threading.current_thread().name
    assert before <= report.time <= time.time()
    assert report.samples >= 1
    assert 0 < report.share <= 1
    assert all(isinstance(frame, traceback.FrameSummary) for frame in report.stack)
    assert f"{__file__}:{report.line.lineno} in block: time.sleep(BLOCK)" in str(report)
    assert re.match(r"Executing <Handle .*> took \d\.\d{3} seconds\n", str(report))


def test_a_coroutine_is_named_by_its_task_and_its_stack_ends_at_the_callback(loop, reports):
    async def inner():
        await asyncio.sleep(0)
        block()

    async def outer():
        await inner()

    with insight.watch(loop, THRESHOLD, reports.append):
        loop.run_until_complete(outer())
    (report,) = reports
    assert "outer() done" in report.handle
    assert [frame.name for frame in report.stack] == ["outer", "inner", "block"]


def test_the_standard_library_is_not_to_blame(loop, reports):
    def call():
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.2)"], check=True)

    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, call)
    (report,) = reports
    assert report.line.name == "call"
    assert len(report.stack) > 1
    assert "subprocess" in report.stack[-1].filename or "selectors" in report.stack[-1].filename


def test_the_line_where_most_of_the_time_went_is_named(loop, reports):
    def uneven():
        time.sleep(THRESHOLD * 1.5)
        time.sleep(BLOCK * 4)  # long

    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, uneven)
    assert "# long" in reports[0].line.line
    assert 0.5 < reports[0].share <= 1


def test_computing_is_sampled_too(loop, reports):
    def compute():
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            sum(range(100))

    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, compute)
    assert reports[0].line.name == "compute"


def test_a_deep_stack_is_cut_at_its_outer_end(loop, reports):
    def dive(depth):
        if depth:
            dive(depth - 1)
        else:
            block()

    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, lambda: dive(100))
    assert reports[0].line.name == "block"
    assert len(reports[0].stack) == insight.STACK_MAX


def test_a_long_repr_is_cut(loop, reports):
    def long_name():
        block()

    long_name.__qualname__ = "x" * 10000
    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, long_name)
    assert len(reports[0].handle) == insight.REPR_MAX
    assert reports[0].handle.endswith("...")


def test_every_slow_callback_of_a_turn_is_reported_and_no_fast_one(loop, reports):
    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, block, nothing, block, nothing)
    assert [report.kind for report in reports] == ["callback", "callback"]


def test_a_slow_iteration_of_fast_callbacks(loop, reports):
    def short():
        time.sleep(0.01)

    def longer():
        time.sleep(0.03)

    with insight.watch(loop, 0.25, reports.append):
        run_soon(loop, *[short] * 30, longer)
    (report,) = reports
    assert report.kind == "iteration"
    assert report.callbacks == 32  # with stop()
    assert report.duration >= 0.33
    assert 0.01 <= report.slowest < 0.25
    assert "longer()" in report.handle or report.slowest >= 0.03  # the machine may be loaded
    assert report.line is None
    assert report.stack == []
    assert re.match(
        r"Executing 32 callbacks in one iteration took 0\.\d+ seconds, "
        r"the slowest 0\.\d+ seconds: <Handle ",
        str(report),
    )


def test_a_warning_is_logged_by_default(loop, caplog):
    with insight.watch(loop, THRESHOLD):
        run_soon(loop, block)
    (record,) = warnings_of(caplog)
    assert record.name == "asyncio"
    assert re.fullmatch(r"Executing <Handle .*> took \d\.\d{3} seconds", record.getMessage())
    assert "in block: time.sleep(BLOCK)" in record.stack_info
    assert "Stack (most recent call last):" in caplog.text


def test_several_watches_with_their_own_thresholds(loop, reports):
    slow, slower = reports, []
    first = insight.watch(loop, THRESHOLD, slow.append)
    second = insight.watch(loop, 60, slower.append)
    assert "active" in repr(first)
    run_soon(loop, block)
    assert (len(slow), len(slower)) == (1, 0)
    first.stop()
    first.stop()
    assert "stopped" in repr(first)
    run_soon(loop, block)
    assert (len(slow), len(slower)) == (1, 0)
    second.stop()


def test_watching_begins_and_ends_while_the_loop_runs(loop, reports):
    async def main():
        block()
        await asyncio.sleep(0)
        assert watchdogs() == []
        with insight.watch(loop, THRESHOLD, reports.append):
            await asyncio.sleep(0)
            block()
            await asyncio.sleep(0)
            assert len(watchdogs()) == 1
        assert watchdogs() == []
        block()

    loop.run_until_complete(main())
    assert len(reports) == 1


def test_the_callback_that_ends_the_watch_is_reported(loop, reports, caplog):
    others = Reports()
    insight.watch(loop, THRESHOLD, others.append)

    async def main():
        with insight.watch(loop, THRESHOLD, reports.append), insight.watch(loop, THRESHOLD):
            await asyncio.sleep(0)
            block()
        block()

    loop.run_until_complete(main())
    assert [report.line.name for report in reports] == ["block"]
    assert reports[0].duration >= BLOCK
    assert "main() running" in reports[0].handle
    assert len(warnings_of(caplog, "main()")) == 1
    assert others[0].duration >= 2 * BLOCK


def test_the_thread_lives_only_while_the_loop_runs(loop, reports):
    seen = []
    insight.watch(loop, THRESHOLD, reports.append)
    assert watchdogs() == []
    run_soon(loop, lambda: seen.extend(watchdogs()))
    assert len(seen) == 1
    assert watchdogs() == []
    run_soon(loop, block)
    assert len(reports) == 1


def test_closing_ends_it(loop, reports):
    watch = insight.watch(loop, THRESHOLD, reports.append)
    loop.close()
    watch.stop()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        insight.watch(loop)


def test_a_watch_does_not_keep_the_loop(reports):
    loop = pyasync_hw.new_event_loop()
    watch = insight.watch(loop, THRESHOLD, reports.append)
    run_soon(loop, nothing)
    loop.close()
    del loop
    assert "stopped" in repr(watch)
    watch.stop()


def test_an_exception_in_the_users_callback_goes_to_the_loops_handler(loop, reports):
    contexts = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))

    def broken(report):
        raise ValueError("broken")

    insight.watch(loop, THRESHOLD, broken)
    insight.watch(loop, THRESHOLD, reports.append)
    run_soon(loop, block)
    assert isinstance(contexts[0]["exception"], ValueError)
    assert "broken" in contexts[0]["message"]
    assert len(reports) == 1


def test_a_callback_of_the_watch_may_stop_it_and_the_loop(loop, reports):
    def once(report):
        reports.append(report)
        watch.stop()
        loop.stop()

    watch = insight.watch(loop, THRESHOLD, once)
    loop.call_soon(block)
    loop.run_forever()
    run_soon(loop, block)
    assert len(reports) == 1


def test_system_exit_in_the_users_callback_ends_the_run(loop):
    def leave(report):
        raise SystemExit(3)

    insight.watch(loop, THRESHOLD, leave)
    loop.call_soon(block)
    with pytest.raises(SystemExit):
        loop.run_forever()
    assert watchdogs() == []


def test_a_callback_that_fails_is_still_reported(loop, reports):
    contexts = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))

    def fail():
        block()
        raise ValueError

    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, fail)
    assert len(reports) == len(contexts) == 1


def test_loops_of_several_threads(reports):
    def run_one(name):
        loop = pyasync_hw.new_event_loop()
        try:
            mine = Reports()
            with insight.watch(loop, THRESHOLD, mine.append):
                run_soon(loop, block)
            reports.extend((name, report) for report in mine)
        finally:
            loop.close()

    threads = [threading.Thread(target=run_one, args=(i,), name=f"loop {i}") for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for name, _ in reports) == [0, 1, 2, 3]
    for name, report in reports:
        assert report.thread == f"loop {name}"
        assert report.line.name == "block"


def test_watch_from_another_thread(loop, reports):
    running, watching = threading.Event(), threading.Event()

    def other():
        assert running.wait(10)
        insight.watch(loop, THRESHOLD, reports.append)
        watching.set()

    thread = threading.Thread(target=other)
    thread.start()
    loop.call_soon(running.set)
    loop.call_soon(watching.wait, 10)
    loop.call_soon(loop.call_soon, block)
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    thread.join()
    assert "block" in [report.line.name for report in reports if report.line]


def test_virtual_time_does_not_hide_a_block(reports):
    loop = pyasync_hw.new_event_loop(clock=pyasync_hw.VirtualClock())
    try:
        with insight.watch(loop, THRESHOLD, reports.append):
            loop.run_until_complete(asyncio.sleep(3600))
            assert reports == []
            run_soon(loop, block)
        assert reports[0].line.name == "block"
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None,), TypeError, "loop must be a pyasync_hw.EventLoop, not NoneType"),
        (("loop", "0.1"), TypeError, "threshold must be a number of seconds, not str"),
        (("loop", 0), ValueError, "threshold must be 0.001 seconds or more, not 0"),
        (("loop", float("nan")), ValueError, "threshold must be"),
        (("loop", 0.1, 5), TypeError, "callback must be callable or None, not int"),
    ],
)
def test_wrong_arguments(loop, arguments, error, message):
    arguments = [loop if argument == "loop" else argument for argument in arguments]
    with pytest.raises(error, match=message):
        insight.watch(*arguments)


def test_an_idle_loop_does_not_wake_the_watchdog(loop):
    """Counted by the kernel: a thread that wakes switches contexts."""
    switches = []

    def read_switches():
        with open(f"/proc/self/task/{watchdogs()[0].native_id}/status") as status:
            lines = [line for line in status if "ctxt_switches" in line]
        switches.append(sum(int(line.split()[1]) for line in lines))

    insight.watch(loop, 0.001)
    loop.slow_callback_duration = 60

    async def main():
        await asyncio.sleep(0.05)  # parked by now
        read_switches()
        await asyncio.sleep(0.5)
        read_switches()

    logging.disable(logging.CRITICAL)
    try:
        loop.run_until_complete(main())
    finally:
        logging.disable(logging.NOTSET)
    assert switches[1] - switches[0] < 50  # at a tick of 1 ms it would be 500


# -- debug mode ----------------------------------------------------------------


def test_debug_mode_reports_as_asyncio_and_names_the_line(loop, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = THRESHOLD
    run_soon(loop, block)
    (record,) = warnings_of(caplog)
    assert re.fullmatch(
        r"Executing <Handle block\(\) at .*:\d+ created at .*> took \d\.\d{3} seconds",
        record.getMessage(),
    )
    assert f"test_insight.py:{line_that_blocks()} in block" in record.stack_info
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
    assert len(warnings_of(caplog, "main()")) == 1


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


# -- processes -----------------------------------------------------------------

PRELUDE = """
import asyncio, os, sys, threading, time
import pyasync_hw
from pyasync_hw import insight

def block():
    time.sleep(0.06)
"""


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_interpreter_ends_while_a_daemon_thread_watches():
    done = run_python("""
running = threading.Event()

def run():
    loop = pyasync_hw.new_event_loop()
    insight.watch(loop, 0.01)
    loop.call_soon(running.set)
    loop.run_forever()

threading.Thread(target=run, daemon=True).start()
assert running.wait(10)
print("end")
""")
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_the_interpreter_ends_while_a_callback_blocks_under_watch():
    done = run_python("""
running = threading.Event()

def block_for_long():
    running.set()
    time.sleep(60)

def run():
    loop = pyasync_hw.new_event_loop()
    insight.watch(loop, 0.01)
    loop.call_soon(block_for_long)
    loop.run_forever()

threading.Thread(target=run, daemon=True).start()
assert running.wait(10)
time.sleep(0.05)
print("end")
""")
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_a_child_that_was_forked_while_watching_ends():
    done = run_python("""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
loop = pyasync_hw.new_event_loop()
watch = insight.watch(loop, 0.01)

def fork():
    time.sleep(0.03)  # the watchdog samples
    pid = os.fork()
    if pid == 0:
        watch.stop()
        other = asyncio.SelectorEventLoop()
        other.close()
        os._exit(7)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status))
    loop.stop()

loop.call_soon(fork)
loop.run_forever()
loop.close()
""")
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_a_child_that_unwinds_a_watched_run_ends():
    done = run_python("""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
loop = pyasync_hw.new_event_loop()
insight.watch(loop, 0.01)

def fork():
    time.sleep(0.03)
    pid = os.fork()
    if pid == 0:
        raise SystemExit(7)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
    loop.stop()

loop.call_soon(fork)
loop.run_forever()
loop.close()
""")
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_a_sub_interpreter_can_watch():
    pytest.importorskip("_testcapi")
    done = run_python("""
import _testcapi
status = _testcapi.run_in_subinterp('''
import sys
sys.path[:] = %r
import time, pyasync_hw
from pyasync_hw import insight
loop = pyasync_hw.new_event_loop()
reports = []
insight.watch(loop, 0.02, reports.append)
loop.call_soon(time.sleep, 0.06)
loop.call_later(0.07, loop.stop)
loop.run_forever()
loop.close()
assert reports[0].duration >= 0.06
print("watched", flush=True)
''' % sys.path)
assert status == 0
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "watched\n", done.stderr


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a GIL of their own came with Python 3.12")
def test_other_interpreters_are_left_alone():
    """Their threads run while ours is sampled; to look at their frames would crash."""
    interpreters = pytest.importorskip("tests.loop.test_subinterpreters")
    watching = """
import asyncio, time, pyasync_hw
from pyasync_hw import insight
reports = []
async def main():
    ended = asyncio.get_running_loop().run_in_executor(None, work)
    while not ended.done():
        await asyncio.sleep(0)
        time.sleep(0.02)
    await ended
loop = pyasync_hw.new_event_loop()
with insight.watch(loop, 0.001, reports.append):
    loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
assert reports
"""
    scenario = interpreters.SCENARIOS["timers and tasks"]
    interpreters.check(scenario, "own", threads=2, rounds=3, main=watching)


def test_debug_mode_by_environment():
    done = run_python(
        """
async def main():
    asyncio.get_running_loop().slow_callback_duration = 0.02
    await asyncio.sleep(0)
    block()

pyasync_hw.run(main())
""",
        PYTHONASYNCIODEBUG="1",
    )
    assert done.returncode == 0
    assert re.search(r"Executing <Task finished .* took \d\.\d{3} seconds", done.stderr)
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


# -- Python's own tools ----------------------------------------------------------

since_314 = pytest.mark.skipif(sys.version_info < (3, 14), reason="came with Python 3.14")


@since_314
def test_the_report_tells_who_awaits_the_task(loop, reports):
    async def leaf():
        block()

    async def trunk():
        async with asyncio.TaskGroup() as group:
            group.create_task(leaf(), name="the leaf")

    with insight.watch(loop, THRESHOLD, reports.append):
        loop.run_until_complete(trunk())
    assert "the leaf" in reports[0].call_graph
    assert "trunk()" in reports[0].call_graph
    assert "Awaited by:" in str(reports[0])


@since_314
@pytest.mark.parametrize("command", ["ps", "pstree"])
def test_python_m_asyncio_sees_the_tasks_of_our_loop(loop, command):
    async def sleeper():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(sleeper(), name="the sleeper")
        await asyncio.sleep(0)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "asyncio", command, str(os.getpid())),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        task.cancel()
        return output.decode()

    output = loop.run_until_complete(main())
    if "permitted" in output or "Permission" in output:
        pytest.skip("may not read the memory of a process here")
    assert "the sleeper" in output
    assert "sleeper" in output.replace("the sleeper", "")


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
