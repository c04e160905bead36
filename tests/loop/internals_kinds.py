"""What stands in a class of asyncio in place of a method need not be a function.

Whatever it is, it is bound as Python binds it: some are given the loop (or the handle),
some its class, some nothing.
"""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

import pyasync_hw

pytestmark = pytest.mark.filterwarnings("ignore:functools.partial will be:FutureWarning")

Record = Callable[..., Any]


class Descriptor:
    """As wrapt has them, which most tracers use."""

    def __init__(self, function: Record) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: type) -> Any:
        return functools.partial(self.function, "bound", instance, owner)

    def __getattr__(self, name: str) -> Any:
        return name


class Instance:
    def __init__(self, function: Record) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class Refusing:
    def __get__(self, instance: Any, owner: type) -> Any:
        raise LookupError("not to be had")


def as_function(record: Record) -> Any:
    return lambda *args, **kwargs: record(*args, **kwargs)


KINDS: dict[str, Callable[[Record], Any]] = {
    "function": as_function,
    "MagicMock": lambda record: mock.MagicMock(side_effect=record),
    "autospec": lambda record: mock.create_autospec(as_function(record), side_effect=record),
    "staticmethod": lambda record: staticmethod(as_function(record)),
    "classmethod": lambda record: classmethod(as_function(record)),
    "partial": lambda record: functools.partial(record, "partial"),
    "partialmethod": lambda record: functools.partialmethod(as_function(record), "partial"),
    "property": lambda record: property(lambda self: functools.partial(record, "of", self)),
    "callable": Instance,
    "bound method": lambda record: Instance(record).__call__,
    "descriptor": Descriptor,
    "builtin": lambda record: [].append,
    "None": lambda record: None,
    "no callable": lambda record: 5,
    "refusing": lambda record: Refusing(),
}

# How each is called, by a program or by the rest of asyncio.
CALLS: dict[str, Callable[[Any], Any]] = {
    "call_soon": lambda loop: loop.call_soon(len, "x"),
    "call_soon_threadsafe": lambda loop: loop.call_soon_threadsafe(len, "x"),
    "_call_soon": lambda loop: loop.call_soon(len, "x"),
    "call_later": lambda loop: loop.call_later(1, len, "x"),
    "call_at": lambda loop: loop.call_later(1, len, "x"),
    "create_future": lambda loop: loop.create_future(),
    "create_task": lambda loop: loop.create_task("a coroutine"),
    "run_in_executor": lambda loop: loop.run_in_executor(None, len, "x"),
    "time": lambda loop: loop.time(),
    "is_running": lambda loop: loop.is_running(),
    "is_closed": lambda loop: loop.is_closed(),
    "get_debug": lambda loop: loop.get_debug(),
    "_check_closed": lambda loop: loop._check_closed(),
    "_add_callback": lambda loop: loop._add_callback(asyncio.Handle(len, ("x",), loop)),
    "_run_once": lambda loop: loop._run_once(),
    "stop": lambda loop: loop.stop(),
    "run_forever": lambda loop: loop.run_forever(),
    "run_until_complete": lambda loop: loop.run_until_complete("a coroutine"),
}


def outcome(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        return type(error), str(error)


def observe(kind: Any, name: str, what: Callable[[Record], Any]) -> Any:
    """What a patch is given, and what comes of it."""
    loop = kind()
    seen: list[Any] = []

    def named(value: Any) -> Any:
        return "loop" if value is loop else "class" if value is kind else value

    def record(*args: Any, **kwargs: Any) -> str:
        seen.append([named(arg) for arg in args if not isinstance(arg, float | asyncio.Handle)])
        seen.append(kwargs)
        return "done"

    gc.collect()  # no loop of before ends in the patch
    with mock.patch.object(asyncio.BaseEventLoop, name, what(record)):
        getattr(loop, "_look_for_patches", int)()  # as when a run begins
        result = outcome(lambda: CALLS[name](loop))
    getattr(loop, "_look_for_patches", int)()
    loop.close()
    return seen, str(result).replace(kind.__name__, "Loop")


@pytest.mark.parametrize("name", CALLS)
def test_a_method_of_the_loop(name: str) -> None:
    ours, theirs = (
        {what: observe(kind, name, make) for what, make in KINDS.items()}
        for kind in (pyasync_hw.EventLoop, asyncio.SelectorEventLoop)
    )
    assert ours == theirs
    assert theirs["function"][0]


# -- handles -------------------------------------------------------------------------

# Who makes a handle, which is then run.
HANDLES: dict[str, Callable[[Any], Any]] = {
    "call_soon": lambda loop: loop.call_soon(len, "x"),
    "call_soon_threadsafe": lambda loop: loop.call_soon_threadsafe(len, "x"),
    "call_at": lambda loop: loop.call_at(0, len, "x"),
}


def observe_run(kind: Any, make: str, debug: bool, what: Callable[[Record], Any]) -> Any:
    loop = kind()
    loop.set_debug(debug)
    seen: list[Any] = []

    def named(value: Any) -> Any:
        return "handle" if value is handle else getattr(value, "__name__", value)

    def record(*args: Any) -> str:
        seen.append([named(arg) for arg in args])
        return "done"

    with mock.patch.object(asyncio.Handle, "_run", what(record)):
        handle = HANDLES[make](loop)
        loop._read_from_self()  # asyncio has a handle for that, too
        seen.append(outcome(loop._run_once))
        seen.append(outcome(lambda: handle._run()))
        handle.cancel()
        seen.append(outcome(lambda: handle._run()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    return seen


@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("make", HANDLES)
def test_the_run_of_a_handle(make: str, debug: bool) -> None:
    ours, theirs = (
        {what: observe_run(kind, make, debug, patch) for what, patch in KINDS.items()}
        for kind in (pyasync_hw.EventLoop, asyncio.SelectorEventLoop)
    )
    assert ours == theirs
    assert theirs["function"][0] == ["handle"]
