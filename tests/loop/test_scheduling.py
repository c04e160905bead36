"""call_soon, timers, handles, contexts, stop and close, through the public API."""

import asyncio
import contextvars
import gc
import math
import re
import threading
import weakref
from decimal import Decimal
from fractions import Fraction

import pytest

import pyasync_hw


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def virtual_loop():
    loop = pyasync_hw.new_event_loop(pyasync_hw.VirtualClock())
    yield loop
    loop.close()


def run_briefly(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_callbacks_run_in_the_order_of_call_soon(loop):
    seen = []
    for number in range(1000):
        loop.call_soon(seen.append, number)
    run_briefly(loop)
    assert seen == list(range(1000))


def test_what_a_callback_schedules_belongs_to_the_next_turn(loop):
    seen = []

    def first():
        seen.append("first")
        loop.call_soon(seen.append, "scheduled by first")
        loop.stop()

    loop.call_soon(first)
    loop.call_soon(seen.append, "second")
    loop.run_forever()
    assert seen == ["first", "second"]
    run_briefly(loop)
    assert seen == ["first", "second", "scheduled by first"]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_arguments_reach_the_callback(loop, count):
    seen = []
    loop.call_soon(lambda *args: seen.append(args), *range(count))
    loop.call_later(0, lambda *args: seen.append(args), *range(count))
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert seen == [tuple(range(count))] * 2


def test_a_cancelled_handle_drops_callback_and_arguments_at_once(loop):
    class Thing:
        def method(self):
            raise AssertionError("cancelled")

    thing, argument = Thing(), Thing()
    gone = weakref.ref(thing), weakref.ref(argument)
    handles = [
        loop.call_soon(thing.method),
        loop.call_later(10, thing.method, argument),
        loop.call_at(loop.time() + 10, thing.method, argument, 2),
    ]
    del thing, argument
    for handle in handles:
        handle.cancel()
        handle.cancel()
        assert handle.cancelled()
    assert [ref() for ref in gone] == [None, None]
    assert loop.stats()["timers"] == 0
    run_briefly(loop)


def test_handles_are_asyncios(loop):
    soon = loop.call_soon(print)
    later = loop.call_later(5, print, "x")
    try:
        assert isinstance(soon, asyncio.Handle)
        assert not isinstance(soon, asyncio.TimerHandle)
        assert isinstance(later, asyncio.TimerHandle)
        assert isinstance(loop.call_later(0, print), asyncio.TimerHandle)
        assert later._args == ("x",)
        assert "when=" in repr(later)
        assert weakref.ref(soon)() is soon
        assert isinstance(soon.get_context(), contextvars.Context)
    finally:
        soon.cancel()
        later.cancel()
    assert repr(later).startswith("<TimerHandle cancelled")


def test_timer_handles_compare_by_time(loop):
    early, late = loop.call_at(1e6, print), loop.call_at(2e6, print)
    same = loop.call_at(1e6, print)
    assert early < late and late > early and early <= same and early >= same
    assert early == same and early != late
    assert hash(early) == hash(same)
    assert (early == 3) is False
    with pytest.raises(TypeError):
        early < 3  # noqa: B015


def test_when_is_what_the_caller_gave(loop):
    when = loop.time() + math.pi
    assert loop.call_at(when, print).when() == when


def test_timers_never_run_early_and_run_in_order(virtual_loop):
    loop = virtual_loop
    seen = []

    def fire(when):
        assert loop.time() >= when
        seen.append(when)

    base = loop.time() + 0.1
    for number in range(500):
        when = base + (number * 7919 % 500) * 1.0000001e-4
        loop.call_at(when, fire, when)
    loop.call_later(10, loop.stop)
    loop.run_forever()
    assert len(seen) == 500
    assert seen == sorted(seen)


def test_equal_times_run_in_the_order_of_scheduling(virtual_loop):
    seen = []
    for number in range(100):
        virtual_loop.call_at(1.0, seen.append, number)
    virtual_loop.call_at(1.0, virtual_loop.stop)
    virtual_loop.run_forever()
    assert seen == list(range(100))


def test_a_timer_due_together_with_another_can_still_be_cancelled_by_it(virtual_loop):
    seen = []
    handles = []
    handles.append(virtual_loop.call_at(1.0, lambda: handles[1].cancel()))
    handles.append(virtual_loop.call_at(1.0, seen.append, "cancelled"))
    virtual_loop.call_at(2.0, virtual_loop.stop)
    virtual_loop.run_forever()
    assert seen == []


@pytest.mark.parametrize("delay", [-1, 0, -1e300, False])
def test_delays_of_nothing_run_at_once(loop, delay):
    loop.call_later(delay, loop.stop)
    loop.run_forever()


def test_a_timer_at_infinity_never_runs(virtual_loop):
    handle = virtual_loop.call_later(math.inf, print)
    assert handle.when() == math.inf
    virtual_loop.call_later(1, virtual_loop.stop)
    virtual_loop.run_forever()
    handle.cancel()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda loop: loop.call_later(None, print), TypeError, "delay must not be None"),
        (lambda loop: loop.call_at(None, print), TypeError, "when cannot be None"),
        (lambda loop: loop.call_later(math.nan, print), ValueError, "NaN"),
        (lambda loop: loop.call_at(math.nan, print), ValueError, "NaN"),
        (lambda loop: loop.call_later("1", print), TypeError, "unsupported operand"),
        (lambda loop: loop.call_soon(), TypeError, "missing 1 .* 'callback'"),
        (lambda loop: loop.call_later(1), TypeError, "missing 1 .* 'callback'"),
        (lambda loop: loop.call_soon(print, contekst=1), TypeError, "contekst"),
        (lambda loop: loop.call_soon(print, context=1), TypeError, "contextvars.Context"),
        (lambda loop: loop.add_reader(-1, print), ValueError, "-1"),
        (lambda loop: loop.add_reader("x", print), ValueError, "'x'"),
        (lambda loop: loop._add_reader(10**20, print), OverflowError, "too large"),
    ],
)
def test_bad_arguments_name_themselves(loop, call, error, message):
    with pytest.raises(error, match=message):
        call(loop)


def test_a_closed_loop_refuses(loop):
    loop.close()
    loop.close()
    for call in (
        lambda: loop.call_soon(print),
        lambda: loop.call_soon_threadsafe(print),
        lambda: loop.call_later(1, print),
        lambda: loop.call_at(1, print),
        lambda: loop.run_forever(),
        lambda: loop._run_turns(),
        lambda: loop.run_in_executor(None, print),
    ):
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            call()


def test_close_drops_what_is_scheduled():
    class Thing:
        def method(self):
            pass

    loop = pyasync_hw.new_event_loop()
    thing = Thing()
    gone = weakref.ref(thing)
    loop.call_soon(thing.method)
    loop.call_later(5, thing.method)
    loop.add_reader(loop._csock.fileno(), thing.method)
    del thing
    loop.close()
    assert gone() is None


def test_a_loop_that_is_dropped_warns_and_leaves_nothing():
    gc.collect()
    before = pyasync_hw._core._live()
    loop = pyasync_hw.new_event_loop()

    class Thing:
        def method(self):
            pass

    thing = Thing()
    thing.loop = loop
    thing.handles = [loop.call_soon(thing.method), loop.call_later(5, thing.method)]
    gone = weakref.ref(thing)
    del thing
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del loop
        gc.collect()
    gc.collect()
    assert gone() is None
    assert pyasync_hw._core._live() == before


def test_each_callback_has_its_own_copy_of_the_context(loop):
    var = contextvars.ContextVar("var", default=0)
    seen = []
    var.set(7)
    loop.call_soon(lambda: var.set(5))
    loop.call_soon(lambda: seen.append(var.get()))
    loop.call_later(0, lambda: seen.append(var.get()))
    var.set(8)
    context = contextvars.copy_context()
    context.run(var.set, 9)
    loop.call_soon(lambda: seen.append(var.get()), context=context)
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert sorted(seen) == [7, 7, 9]


def test_callbacks_scheduled_together_do_not_see_each_others_changes(loop):
    var = contextvars.ContextVar("var", default=0)
    seen = []

    def change(value):
        seen.append(var.get())
        var.set(value)

    handles = [loop.call_soon(change, value) for value in range(1, 5)]
    shown = handles[2].get_context()
    assert shown is handles[2].get_context()
    run_briefly(loop)
    assert seen == [0, 0, 0, 0]
    assert shown[var] == 3  # the context that get_context() gave is the one that ran
    var.set(9)
    loop.call_soon(change, 1)
    run_briefly(loop)
    assert seen[-1] == 9


def test_a_context_that_somebody_keeps_is_no_other_callbacks(loop):
    var = contextvars.ContextVar("var", default=0)
    kept, seen = [], []

    def keep():
        kept.append(loop.call_soon(int).get_context())
        kept.append(var.set(0))  # a token keeps the context that it was made in
        var.reset(kept[-1])
        seen.append(var.get())

    for _ in range(3):
        loop.call_soon(keep)
        loop.call_soon(lambda: seen.append(var.get()))
        run_briefly(loop)
        kept[-2].run(var.set, 5)
    watched = loop.call_soon(lambda: var.set(7))
    gone = weakref.ref(watched.get_context())
    run_briefly(loop)
    del watched
    loop.call_soon(lambda: seen.append(var.get()))
    run_briefly(loop)
    assert seen == [0] * 7
    assert gone() is None


def test_a_reader_keeps_its_context_from_call_to_call(loop):
    var = contextvars.ContextVar("var", default=0)
    seen = []

    def writable():
        var.set(var.get() + 1)
        seen.append(var.get())
        if len(seen) == 3:
            loop.stop()

    loop.add_writer(loop._csock, writable)
    loop.run_forever()
    loop.remove_writer(loop._csock)
    assert seen == [1, 2, 3]


def test_a_handle_that_an_error_report_keeps_is_collected(loop):
    class Failing:
        def __call__(self):
            raise ValueError("kept")

    failing = Failing()
    gone = weakref.ref(failing)

    def keep(loop, context):
        context["handle"]._callback.report = context

    loop.set_exception_handler(keep)
    loop.call_soon(failing)
    run_briefly(loop)
    loop.set_exception_handler(None)
    del failing
    gc.collect()
    assert gone() is None


def test_an_exception_goes_to_the_handler_with_its_handle(loop):
    seen = []
    loop.set_exception_handler(lambda loop, context: seen.append(context))
    handle = loop.call_soon(lambda: 1 / 0)
    loop.call_soon(seen.append, "still runs")
    run_briefly(loop)
    context, after = seen
    assert context["handle"] is handle
    assert isinstance(context["exception"], ZeroDivisionError)
    assert context["message"].startswith("Exception in callback ")
    assert after == "still runs"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_exits_leave_the_loop_and_the_rest_stays_ready(loop, error):
    seen = []

    def leave():
        raise error("now")

    loop.call_soon(leave)
    loop.call_soon(seen.append, 1)
    with pytest.raises(error):
        loop.run_forever()
    assert seen == []
    run_briefly(loop)
    assert seen == [1]


def test_call_soon_threadsafe_wakes_a_sleeping_loop(loop):
    started = threading.Event()
    loop.call_soon(started.set)

    def post():
        started.wait()
        for _ in range(100):
            loop.call_soon_threadsafe(lambda: None)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=post)
    thread.start()
    loop.run_forever()
    thread.join()


def test_a_busy_ready_queue_starves_neither_timers_nor_descriptors(loop):
    seen = []

    def spin():
        if len(seen) < 2:
            loop.call_soon(spin)
        else:
            loop.stop()

    fd = loop._csock.fileno()
    loop.add_writer(fd, lambda: (seen.append("writer"), loop.remove_writer(fd)))
    loop.call_later(0.001, seen.append, "timer")
    loop.call_soon(spin)
    loop.run_forever()
    assert sorted(seen) == ["timer", "writer"]


def test_nested_run_forever_is_refused(loop):
    seen = []

    def nested():
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_forever()
        other = pyasync_hw.new_event_loop()
        with pytest.raises(RuntimeError, match="while another loop is running"):
            other.run_forever()
        other.close()
        with pytest.raises(RuntimeError, match="Cannot close a running"):
            loop.close()
        seen.append(True)
        loop.stop()

    loop.call_soon(nested)
    loop.run_forever()
    assert seen == [True]


def test_stats_count(loop):
    for _ in range(10):
        loop.call_soon(lambda: None)
    handle = loop.call_later(100, print)
    run_briefly(loop)
    stats = loop.stats()
    assert stats["callbacks"] == 11
    assert stats["timers"] == 1
    assert stats["descriptors"] == 1  # the self-pipe
    assert stats["ready"] == 0
    assert stats["iterations"] >= 1
    assert stats["busy_ns"] > 0
    handle.cancel()


def test_one_epoll_per_loop(loop):
    import os

    ours = [
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}") or os.path.islink(f"/proc/self/fd/{fd}")
    ]
    other = pyasync_hw.new_event_loop()
    after = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            after.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    other.close()
    assert after.count("anon_inode:[eventpoll]") == ours.count("anon_inode:[eventpoll]") + 1


def test_debug_mode_checks_the_thread_and_logs_slow_callbacks(loop, caplog):
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    errors = []

    def elsewhere():
        try:
            loop.call_soon(print)
        except RuntimeError as error:
            errors.append(str(error))

    def check():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    handle = loop.call_soon(check)
    assert handle._source_traceback
    run_briefly(loop)
    assert "Non-thread-safe operation" in errors[0]
    assert "Executing <Handle" in caplog.text
    with pytest.raises(TypeError, match="callable"):
        loop.call_soon(3)


@pytest.mark.skipif(
    not hasattr(asyncio.Handle, "get_context"), reason="exception handlers got a context in 3.12"
)
def test_the_exception_handler_runs_in_the_context_of_the_callback(loop):
    var = contextvars.ContextVar("var", default="outside")
    seen = []
    loop.set_exception_handler(lambda loop, context: seen.append(var.get()))

    def fail():
        var.set("inside")
        raise ValueError

    loop.call_soon(fail)
    run_briefly(loop)
    assert seen == ["inside"]
    assert var.get() == "outside"


@pytest.mark.skipif(
    not hasattr(asyncio.events, "_ThreadSafeHandle"), reason="came with Python 3.14"
)
@pytest.mark.parametrize("verb", ["cancel", "cancelled"])
def test_a_thread_that_cancels_a_running_callback_waits_for_it(loop, verb):
    started, go_on = threading.Event(), threading.Event()
    seen = []

    def callback():
        started.set()
        go_on.wait(10)
        handles[0].cancel()  # the loop's own thread does not wait
        seen.append("callback")
        loop.call_soon(loop.stop)

    def other():
        started.wait(10)
        threading.Timer(0.02, go_on.set).start()
        getattr(handles[0], verb)()
        seen.append("other")

    handles = [loop.call_soon_threadsafe(callback)]
    assert isinstance(handles[0], asyncio.events._ThreadSafeHandle)
    thread = threading.Thread(target=other)
    thread.start()
    loop.run_forever()
    thread.join()
    assert seen == ["callback", "other"]


@pytest.mark.parametrize("schedule", ["call_soon", "call_soon_threadsafe", "call_later"])
def test_repr_of_a_handle_cancelled_in_debug_mode_is_as_asyncio_says(loop, schedule):
    def representation(loop):
        loop.set_debug(True)
        args = (10.0, print, 1, "two") if schedule == "call_later" else (print, 1, "two")
        handle = getattr(loop, schedule)(*args)
        handle.cancel()
        text = repr(handle)
        return re.sub(r"when=[\d.]+|:\d+>", "", text)

    theirs = asyncio.new_event_loop()
    try:
        assert representation(loop) == representation(theirs)
    finally:
        theirs.close()


def test_repr_of_a_handle_in_its_own_arguments_ends(loop):
    holder = []
    holder.append(loop.call_soon(print, holder))
    holder.append(loop.call_soon(print, holder))
    assert repr(holder[0]).startswith("<Handle print(")
    holder.clear()


def test_create_task_takes_what_asyncio_s_takes(loop):
    async def name():
        return asyncio.current_task().get_name(), variable.get()

    variable = contextvars.ContextVar("variable", default=0)
    context = contextvars.copy_context()
    context.run(variable.set, 1)

    async def main():
        assert await loop.create_task(name(), name="a") == ("a", 0)
        assert await loop.create_task(coro=name(), name="b") == ("b", 0)
        assert await loop.create_task(name(), name="c", context=context) == ("c", 1)
        assert await loop.create_task(name(), name="d", context=None) == ("d", 0)
        assert (await asyncio.create_task(name()))[0].startswith("Task-")

    loop.run_until_complete(main())
    with pytest.raises(TypeError, match="a coroutine was expected, got 1"):
        loop.create_task(1)
    coro = name()
    for wrong in ({"nme": "x"}, {"loop": loop}, {"name": "x", "loop": loop}):
        with pytest.raises(TypeError, match="keyword argument"):
            loop.create_task(coro, **wrong)
    coro.close()


def test_types_that_a_program_rebinds_are_used(loop, monkeypatch):
    class Task(asyncio.Task):
        pass

    class Future(asyncio.Future):
        pass

    monkeypatch.setattr(asyncio.tasks, "Task", Task)
    monkeypatch.setattr(asyncio.futures, "Future", Future)

    async def main():
        assert type(loop.create_future()) is Future
        assert type(asyncio.current_task()) is Task

    loop.run_until_complete(main())


class Seconds:
    def __radd__(self, now):
        return now + 60


@pytest.mark.parametrize(
    "delay",
    ["1", b"1", [1], None, True, Decimal(1), Fraction(1, 2), Seconds(), object()],
    ids=lambda delay: type(delay).__name__,
)
def test_what_a_delay_may_be_is_as_in_asyncio(delay):
    def observe(loop):
        try:
            return loop.call_later(delay, print).when() - loop.time() > 0.4
        except TypeError as error:
            return str(error)
        finally:
            loop.close()

    assert observe(pyasync_hw.new_event_loop()) == observe(asyncio.SelectorEventLoop())
