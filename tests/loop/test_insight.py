"""insight.watch(): slow callbacks and slow iterations, with the line that blocked.

These tests block for real: the thing under test is a thread that looks at another one.
"""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import traceback

import pytest
from watching import (
    BLOCK,
    FILE,
    THRESHOLD,
    Reports,
    block,
    line_that_blocks,
    nothing,
    run_soon,
    warnings_of,
    watchdogs,
)

import pyasync_hw
from pyasync_hw import insight
from pyasync_hw.loop import sampler


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def reports():
    return Reports()


def test_the_line_that_blocked_is_named(loop, reports):
    before = time.time()
    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, nothing, block, nothing)
    (report,) = reports
    assert report.kind == "callback"
    assert report.line.filename == FILE
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
    assert f"{FILE}:{report.line.lineno} in block: time.sleep(BLOCK)" in str(report)
    assert re.match(r"Executing <Handle .*> took \d+\.\d{3} seconds\n", str(report))


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


def test_time_before_the_limit_counts_too(loop, reports):
    def uneven():
        time.sleep(BLOCK * 2)  # long
        time.sleep(BLOCK / 2)

    with insight.watch(loop, BLOCK * 2, reports.append):
        run_soon(loop, uneven)
    assert "# long" in reports[0].line.line


def large_number():
    """A number whose square takes 0.2 s or more on this machine, were it idle."""
    number = 3**100_000
    took = 0.0
    while took < 0.2:
        number **= 2
        began = time.thread_time()
        number * number
        took = time.thread_time() - began
    return number


def keeps_the_gil(number):
    return number * number


def keeps_the_gil_and_goes_on(number):
    number * number
    total = 0
    for i in range(100):  # innocent
        total += i
    time.sleep(0.02)  # innocent


def keeps_the_gil_and_ends(number):
    time.sleep(0.03)  # innocent
    return number * number


def parses_and_goes_on(number):
    json.loads(number)
    time.sleep(0.05)  # innocent


def test_who_comes_after_code_that_keeps_the_gil_is_not_to_blame(loop, reports):
    number = large_number()
    text = json.dumps([{str(i): [i, "text"]} for i in range(500_000)])
    for callback, argument in [
        (keeps_the_gil, number),
        (keeps_the_gil_and_goes_on, number),
        (keeps_the_gil_and_ends, number),
        (parses_and_goes_on, text),
    ]:
        reports.clear()
        with insight.watch(loop, THRESHOLD, reports.append):
            run_soon(loop, lambda callback=callback, argument=argument: callback(argument))
        (report,) = reports
        if report.line is not None:
            assert "innocent" not in report.line.line
        else:
            assert report.unseen > report.duration / 2
            assert "Blocked at" not in str(report)
            assert re.search(r"\nUnseen: \d+\.\d{3} seconds", str(report))


def test_a_line_is_not_to_blame_for_another_thread_that_keeps_the_gil(loop, reports):
    number = large_number()
    go = threading.Event()

    def keep():
        go.wait()
        number * number

    def innocent():
        go.set()
        time.sleep(0.001)
        time.sleep(0.001)

    thread = threading.Thread(target=keep)
    thread.start()
    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, innocent)
    thread.join()
    for report in reports:  # or the other thread came first
        assert report.line is None


def test_computing_is_sampled_too(loop, reports):
    def compute():
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            sum(range(100))

    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, compute)
    assert reports[0].line.name == "compute"
    assert reports[0].unseen < reports[0].duration / 2


def test_a_deep_stack_is_cut_at_its_outer_end(loop, reports):
    def dive(depth):
        if depth:
            dive(depth - 1)
        else:
            block()

    with insight.watch(loop, THRESHOLD, reports.append):
        run_soon(loop, lambda: dive(100))
    assert reports[0].line.name == "block"
    assert len(reports[0].stack) == sampler.STACK_MAX


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
    first, rest = record.getMessage().split("\n", 1)
    assert re.fullmatch(r"Executing <Handle .*> took \d+\.\d{3} seconds", first)
    assert "in block: time.sleep(BLOCK)" in rest
    assert "Stack (most recent call last):" in rest


def test_a_report_is_one_call_of_the_loggers_warning(loop, monkeypatch):
    calls = []

    def warning(*args, **kwargs):
        assert kwargs == {}
        calls.append(args)

    monkeypatch.setattr(logging.getLogger("asyncio"), "warning", warning)
    with insight.watch(loop, THRESHOLD), insight.watch(loop, THRESHOLD / 2):
        run_soon(loop, block)
    messages = [message % tuple(arguments) for message, *arguments in calls]
    (message,) = [message for message in messages if "block()" in message]
    assert re.match(r"Executing <Handle .*> took \d+\.\d{3} seconds\nBlocked at ", message)


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


@pytest.mark.parametrize("first", [True, False])
def test_a_watch_that_begins_inside_of_a_callback_sees_that_callback(loop, reports, first):
    """From there on, also the first one, before which nobody took the time."""
    if not first:
        insight.watch(loop, 60)
    order = []

    def begin():
        insight.watch(loop, THRESHOLD, reports.append)
        block()

    run_soon(loop, begin, lambda: order.append(1), block, lambda: order.append(2))
    assert [report.kind for report in reports] == ["callback", "callback"]
    assert [report.line.name for report in reports] == ["block", "block"]
    assert "begin()" in reports[0].handle
    assert "block()" in reports[1].handle
    assert order == [1, 2]


def test_a_watch_within_one_step_of_a_coroutine(loop, reports):
    async def main():
        with insight.watch(loop, THRESHOLD, reports.append):
            block()
        block()

    loop.run_until_complete(main())
    (report,) = reports
    assert report.line.name == "block"
    assert "main() running" in report.handle
    assert watchdogs() == []


def test_what_a_turn_still_has_to_run_is_run_in_it_when_a_watch_begins(loop):
    order = []

    def begin():
        insight.watch(loop, 60).stop()
        loop.stop()
        loop.call_soon(order.append, "next turn")

    loop.call_soon(begin)
    for i in range(100):
        loop.call_soon(order.append, i)
    loop.run_forever()
    assert order == list(range(100))
    run_soon(loop)
    assert order == [*range(100), "next turn"]


def test_a_callback_that_fails_after_the_watch_began_in_it(loop, reports):
    contexts = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))

    def begin(exc):
        insight.watch(loop, THRESHOLD, reports.append)
        block()
        raise exc

    run_soon(loop, lambda: begin(ValueError()))
    assert len(contexts) == len(reports) == 1
    loop.call_soon(begin, SystemExit())
    with pytest.raises(SystemExit):
        loop.run_forever()


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


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_a_callback_that_ends_the_run_is_reported(loop, reports, end):
    def leave():
        block()
        raise end(4)

    insight.watch(loop, THRESHOLD, reports.append)
    loop.call_soon(leave)
    with pytest.raises(end, match="4"):
        loop.run_forever()
    assert [report.kind for report in reports] == ["callback"]
    assert "leave" in reports[0].handle


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
