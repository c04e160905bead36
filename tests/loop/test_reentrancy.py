"""Python code that runs in the middle of ours, because something is dropped there."""

import contextvars
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
