"""Python code that runs in the middle of ours, because something is dropped there."""

import contextvars
import gc
import sys
import weakref

import pytest

import pyasync_hw


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


def test_repr_of_a_handle_while_its_callback_is_dropped(loop):
    seen = []

    class Callback:
        def __del__(self):
            seen.append(repr(handle))

    handle = loop.call_soon(Callback(), 5)
    handle.cancel()
    assert seen == ["<Handle cancelled>"]


def test_a_context_whose_end_schedules_in_another_one_leaves_the_next_one_alone(loop):
    var = contextvars.ContextVar("var", default=None)
    seen = []

    class Value:
        def __del__(self):
            contextvars.Context().run(loop.call_soon, seen.append, "dropped")

    old = contextvars.Context()
    old.run(var.set, Value())
    old.run(loop.call_soon, loop.stop)
    loop.run_forever()
    del old  # the loop has the last copy of it
    new = contextvars.Context()
    new.run(var.set, "new")
    for _ in range(2):
        new.run(loop.call_soon, lambda: seen.append(var.get()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["dropped", "new", "new"]


@pytest.mark.parametrize("verb", ["call_soon", "call_later"])
def test_a_long_chain_of_handles_is_dropped(loop, verb):
    handle = None
    for _ in range(300_000):
        if verb == "call_soon":
            handle = loop.call_soon(id, handle)
        else:
            handle = loop.call_later(0, id, handle)
    loop.call_later(0, loop.stop)
    loop.run_forever()
    dropped = weakref.ref(handle)
    del handle
    assert dropped() is None


@pytest.mark.parametrize("ends", ["both", "first", "second", "loop"])
@pytest.mark.parametrize("where", ["callback", "argument"])
def test_comparing_timers_cancels_them(loop, where, ends):
    dead = []

    class Evil:
        __hash__ = None

        def __call__(self, *args):
            pass

        def __eq__(self, other):
            assert not dead
            if ends == "loop":
                loop.close()
            if ends in ("both", "first"):
                one.cancel()
            if ends in ("both", "second"):
                two.cancel()
            gc.collect()
            assert not dead
            return NotImplemented

    def timer():
        evil = Evil()
        weakref.finalize(evil, dead.append, None)
        return loop.call_at(1e6, evil) if where == "callback" else loop.call_at(1e6, id, evil)

    one, two = timer(), timer()
    assert (one == two) is False
    if ends == "both":
        assert len(dead) == 2
    assert (one == two) is (ends == "both")  # cancelled, and of the same time


class CollectorRuns:
    """While the next objects are allocated, `deed` is done, by the collector."""

    def __init__(self, deed):
        self.deed = deed

    def __enter__(self):
        class Cycle:
            def __del__(self, deed=self.deed):
                deed()

        self.threshold = gc.get_threshold()
        gc.collect()
        gc.disable()
        for _ in range(10):
            cycle = Cycle()
            cycle.itself = cycle
        del cycle
        gc.set_threshold(1, 1, 1)
        gc.enable()

    def __exit__(self, *exc):
        gc.set_threshold(*self.threshold)


@pytest.mark.parametrize("attribute", ["_args", "_context", "_run", "__repr__"])
def test_a_handle_that_the_collector_cancels_while_it_is_asked(loop, attribute):
    class Argument:
        pass

    var = contextvars.ContextVar("var")
    for _ in range(30):
        var.set(object())
        handle = loop.call_soon(id, Argument())
        with CollectorRuns(handle.cancel):
            value = getattr(handle, attribute)
            value = value() if callable(value) else value
        del value
    contexts = [handle._context, loop.call_soon(id)._context]
    assert sys.getrefcount(contexts[0]) == sys.getrefcount(contexts[1])


def test_a_reader_that_the_collector_removes_while_it_is_shown(loop):
    fd = loop._csock.fileno()
    for _ in range(30):
        loop._add_reader(fd, id, object())
        with CollectorRuns(lambda: loop._remove_reader(fd)):
            key = loop._registered(fd)
        del key


def test_repr_of_a_timer_whose_callback_has_none_says_so_under_the_collector(loop):
    class Mute:
        def __call__(self):
            pass

        def __repr__(self):
            self.garbage = [[] for _ in range(100)]
            raise ZeroDivisionError("repr")

    old = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(20):
            with pytest.raises(ZeroDivisionError):
                repr(loop.call_later(1, Mute()))
    finally:
        gc.set_threshold(*old)
