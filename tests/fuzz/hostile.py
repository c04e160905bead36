"""Objects that behave badly: they act, raise, or return nonsense, from every hook."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any

import pyasync_hw
from pyasync_hw import executor as executors

from . import values
from .world import World


class Stop(BaseException):
    """Neither an Exception nor one that asyncio knows."""


class Mute(Exception):
    """Can be shown in no way."""

    def __str__(self) -> str:
        raise ZeroDivisionError("str")

    __repr__ = __str__


def _make(error: type[BaseException], *args: object) -> Any:
    return lambda: error(*args)


EXCEPTIONS = [
    _make(ValueError, "text"),
    _make(TypeError),
    _make(OSError, 9, "text"),
    _make(BlockingIOError),
    _make(InterruptedError),
    _make(KeyError),
    _make(AttributeError),
    _make(MemoryError),
    _make(RecursionError),
    _make(StopIteration, 1),
    _make(GeneratorExit),
    _make(RuntimeError, "text"),
    _make(asyncio.CancelledError),
    _make(asyncio.InvalidStateError),
    _make(concurrent.futures.CancelledError),
    _make(KeyboardInterrupt),
    _make(SystemExit, 1),
    _make(Stop, "text"),
    _make(Mute),
]


def fail(world: World) -> None:
    raise world.rng.choice(EXCEPTIONS)()


def behave(world: World, usual: Any) -> Any:
    """What a hook does: something, perhaps; then raise, or return nonsense or `usual`."""
    if world.quiet:
        return usual
    if world.chance(0.4):
        world.act()
    if world.chance(0.1):
        fail(world)
    if world.chance(0.1):
        return values.value(world)
    return usual


class Hostile:
    """Each special method that anything of ours, or of asyncio, may call."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _get_loop(self) -> Any:
        return behave(self._world, self._world.pick("loop"))

    def get_loop(self) -> Any:
        return behave(self._world, self._world.pick("loop"))

    def cancelled(self) -> Any:
        return behave(self._world, False)

    done = cancel = is_closed = is_running = cancelled

    def fileno(self) -> Any:
        return behave(self._world, self._world.rng.choice((-1, 1, 2, 500)))

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        return behave(self._world, concurrent.futures.Future())

    def add_done_callback(self, *args: Any, **kwargs: Any) -> Any:
        return behave(self._world, None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return behave(self._world, None)

    def __eq__(self, other: object) -> Any:
        return behave(self._world, self is other)

    def __lt__(self, other: object) -> Any:
        return behave(self._world, True)

    def __hash__(self) -> int:
        behave(self._world, None)  # CPython loses a result that is no int
        return 1

    def __repr__(self) -> Any:
        return behave(self._world, "hostile")

    def __str__(self) -> Any:
        return behave(self._world, "hostile")

    def __bool__(self) -> Any:
        return behave(self._world, True)

    def __index__(self) -> Any:
        return behave(self._world, values.number(self._world))

    def __int__(self) -> Any:
        return behave(self._world, values.number(self._world))

    def __float__(self) -> Any:
        return behave(self._world, 0.001)

    def __fspath__(self) -> Any:
        return behave(self._world, "/bin/true")

    def __len__(self) -> Any:
        return behave(self._world, 2)

    def __getitem__(self, index: object) -> Any:
        if not isinstance(index, int) or index > 3:
            raise IndexError
        return behave(self._world, values.value(self._world))

    def __await__(self) -> Any:
        yield behave(self._world, None)
        return behave(self._world, None)

    def __enter__(self) -> Any:
        return behave(self._world, self)

    def __exit__(self, *args: object) -> Any:
        return behave(self._world, False)

    def __buffer__(self, flags: int) -> Any:
        return behave(self._world, memoryview(b"\x01\x02"))

    def __del__(self) -> None:
        behave(self._world, None)


class HostileInt(int):
    """A descriptor, a number of seconds, a signal; and an index that acts."""

    _world: World

    def __index__(self) -> Any:
        return behave(self._world, 1)

    def __eq__(self, other: object) -> Any:
        return behave(self._world, int.__eq__(self, other))

    def __hash__(self) -> int:
        behave(self._world, None)
        return int.__hash__(self)

    def __del__(self) -> None:
        behave(self._world, None)


class HostileFloat(float):
    _world: World

    def __float__(self) -> Any:
        return behave(self._world, 0.001)

    def __lt__(self, other: object) -> Any:
        return behave(self._world, float.__lt__(self, other))

    def __repr__(self) -> Any:
        return behave(self._world, "1.0")


class HostileTask(asyncio.Task):
    _world: World

    def cancel(self, *args: Any, **kwargs: Any) -> Any:
        return behave(self._world, super().cancel(*args, **kwargs))

    def add_done_callback(self, *args: Any, **kwargs: Any) -> Any:
        return behave(self._world, super().add_done_callback(*args, **kwargs))

    def __repr__(self) -> Any:
        return behave(self._world, "task")


def hostile(world: World) -> Any:
    kind = world.rng.choice((Hostile, Hostile, Hostile, HostileInt, HostileFloat))
    if kind is Hostile:
        return Hostile(world)
    thing = kind(world.rng.choice((0, 0.0001, 1, 2, 5, -1)))
    thing._world = world
    return thing


# What a subclass of the loop may override; run_forever() and close() last, since the
# world itself needs them.
_OVERRIDES = """
call_soon call_later call_at call_soon_threadsafe call_exception_handler
default_exception_handler create_task create_future time get_debug is_running is_closed stop
close add_reader remove_reader add_writer remove_writer _add_reader _add_writer _remove_reader
_remove_writer _write_to_self _read_from_self _callback_failed _timer_handle_cancelled
_check_closed _check_callback _check_running _process_self_data _describe_handle _slow_callback
_slow_iteration _new_default_executor run_in_executor _run_in_foreign_executor _release
_add_callback _run_once _run_turns _registered _asyncgen_firstiter_hook _asyncgen_finalizer_hook
_handle_signal set_debug get_task_factory _set_clock _make_subprocess_transport
_child_watcher_callback stats
"""
OVERRIDES = _OVERRIDES.split()
_EXECUTOR_OVERRIDES = """
submit shutdown stats _start_worker _initializer_failed _refuse _put _drain
"""
EXECUTOR_OVERRIDES = _EXECUTOR_OVERRIDES.split()


def subclass(world: World, base: type, names: list[str]) -> type:
    """Overrides some methods by such that behave badly, and call the inherited one."""

    def override(name: str) -> Any:
        inherited = getattr(base, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            behave(world, None)
            result = inherited(self, *args, **kwargs)
            return behave(world, result)

        method.__name__ = name
        return method

    chosen = world.rng.sample(names, world.rng.randrange(1, 6))
    body = {name: override(name) for name in chosen if hasattr(base, name)}
    world.note(f"a subclass of {base.__name__} with {sorted(body)}")
    return type(f"Hostile{base.__name__}", (base,), body)


def loop_class(world: World) -> type:
    return subclass(world, pyasync_hw.EventLoop, OVERRIDES)


def executor_class(world: World) -> type:
    return subclass(world, executors.ThreadPoolExecutor, EXECUTOR_OVERRIDES)
