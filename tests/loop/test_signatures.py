"""Every parameter of AbstractEventLoop's methods, by position and by keyword, as in asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import pyasync_hw

KINDS = inspect.Parameter
METHODS = sorted(
    name
    for name, method in vars(asyncio.AbstractEventLoop).items()
    if inspect.isfunction(method) and not name.startswith("_")
)


@pytest.fixture
def loop() -> Iterator[pyasync_hw.EventLoop]:
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


def parameters(owner: type, name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(owner, name)).parameters)


@pytest.mark.parametrize("name", METHODS)
def test_what_asyncio_takes_by_name_is_taken_by_name(name: str) -> None:
    """By the signature that is shown: of asyncio's loop, and so of what it promises."""
    ours = parameters(pyasync_hw.EventLoop, name)
    rest = any(parameter.kind is KINDS.VAR_KEYWORD for parameter in ours.values())
    named = KINDS.POSITIONAL_OR_KEYWORD, KINDS.KEYWORD_ONLY
    for wanted, parameter in parameters(asyncio.SelectorEventLoop, name).items():
        if wanted == "self" or parameter.kind not in named:
            continue
        found = ours.get(wanted)
        assert rest or (found is not None and found.kind in named), wanted
        if found is not None:
            assert (found.default is KINDS.empty) == (parameter.default is KINDS.empty), wanted


async def coroutine() -> str:
    return "ran"


def calls(name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Each way to give the first arguments of a method by name."""
    arguments: dict[str, Any] = {
        "call_soon": {"callback": dict},
        "call_soon_threadsafe": {"callback": dict},
        "call_later": {"delay": 0, "callback": dict},
        "call_at": {"when": 0, "callback": dict},
        "create_task": {"coro": coroutine},
        "run_in_executor": {"executor": None, "func": dict},
        "set_debug": {"enabled": True},
        "set_task_factory": {"factory": None},
        "set_exception_handler": {"handler": None},
        "set_default_executor": {"executor": None},
        "call_exception_handler": {"context": {"message": "as asked"}},
        "add_reader": {"fd": -1, "callback": dict},
        "add_writer": {"fd": -1, "callback": dict},
        "remove_reader": {"fd": -1},
        "remove_writer": {"fd": -1},
        "remove_signal_handler": {"sig": 10},
        "add_signal_handler": {"sig": 10, "callback": dict},
    }[name]
    items = list(arguments.items())
    ways = []
    for positional in range(len(items) + 1):
        ways.append((tuple(v for _, v in items[:positional]), dict(items[positional:])))
    extra = {"surprise": 1}
    ways.append(((), {**arguments, **extra}))
    ways.append((tuple(arguments.values()), dict(items[-1:])))  # twice
    ways.append(((), dict(items[1:])))
    ways.append(((), {}))
    if name.startswith("call_") and "callback" in arguments:
        ways.append(((), {**arguments, "context": contextvars.copy_context()}))
        ways.append((tuple(arguments.values()), {"context": None}))
        ways.append(((), {"context": None}))
    return ways


def outcome(loop: asyncio.AbstractEventLoop, name: str, args: Any, kwargs: Any) -> Any:
    """The type of what it returns, or what it raises."""
    made = [value() if value is coroutine else value for value in args]
    named = {key: value() if value is coroutine else value for key, value in kwargs.items()}
    coroutines = [c for c in (*made, *named.values()) if inspect.iscoroutine(c)]
    try:
        result = getattr(loop, name)(*made, **named)
    except Exception as error:
        for each in coroutines:
            each.close()
        return type(error), str(error).rpartition(".")[2]  # without the class
    if isinstance(result, asyncio.Future):
        return loop.run_until_complete(result)
    return result.__class__


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "name",
    [
        "call_soon",
        "call_soon_threadsafe",
        "call_later",
        "call_at",
        "create_task",
        "run_in_executor",
        "set_debug",
        "set_task_factory",
        "set_exception_handler",
        "set_default_executor",
        "call_exception_handler",
        "add_reader",
        "add_writer",
        "remove_reader",
        "remove_writer",
        "remove_signal_handler",
        "add_signal_handler",
    ],
)
def test_the_same_outcome_as_in_asyncio(loop: pyasync_hw.EventLoop, name: str) -> None:
    model = asyncio.SelectorEventLoop()
    try:
        for args, kwargs in calls(name):
            expected = outcome(model, name, args, kwargs)
            assert outcome(loop, name, args, kwargs) == expected, (args, kwargs)
        for each in (loop, model):
            each.run_until_complete(each.shutdown_default_executor())
    finally:
        model.close()


def test_an_override_that_names_the_arguments_of_run_in_executor() -> None:
    class Loop(pyasync_hw.EventLoop):
        def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
            return super().run_in_executor(executor=executor, func=func)

    loop = Loop()
    assert loop.run_until_complete(loop.run_in_executor(None, dict)) == {}
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
