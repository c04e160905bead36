"""What a coroutine may yield to MicroPython's scheduler in 2016, and what each of it does.

None reschedules, an int is a delay in milliseconds, False a pause until the coroutine is
given to the loop again, a generator or coroutine is spawned, and a SysCall1 asks for what its
class says.  asyncio's tasks take futures and None only:
Driver stands between.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from .polling import readable, writable

__all__ = [
    "Driver",
    "IORead",
    "IOReadDone",
    "IOWrite",
    "IOWriteDone",
    "Sleep",
    "SleepMs",
    "StopLoop",
    "SysCall",
    "SysCall1",
    "perform",
    "resume",
    "sleep",
    "sleep_ms",
    "uyield",
]


@types.coroutine
def sleep_ms(ms: float) -> Generator[Any, Any, None]:
    """Pause for `ms` milliseconds; 0 or less lets all others run once."""
    if ms > 0:
        yield from asyncio.sleep(ms / 1000)
    else:
        yield


@types.coroutine
def sleep(secs: float) -> Generator[Any, Any, None]:
    """Pause for `secs` seconds; 0 or less lets all others run once."""
    if secs > 0:
        yield from asyncio.sleep(secs)
    else:
        yield


class SysCall:
    """A request to the scheduler; MicroPython takes it from `yield`, and here from `await`, too."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def handle(self) -> Generator[Any, Any, None]:
        """What it does, for the task that asked; the classes here override it."""
        raise NotImplementedError

    def __iter__(self) -> Generator[Any, Any, None]:
        return self.handle()

    __await__ = __iter__


class SysCall1(SysCall):
    """One with one argument, `arg`."""

    def __init__(self, arg: Any = None) -> None:
        super().__init__(arg)
        self.arg = arg


class Sleep(SysCall1):
    """Pause for `arg` seconds."""

    def handle(self) -> Generator[Any, Any, None]:
        yield from sleep(self.arg)


class SleepMs(SysCall1):
    """Pause for `arg` milliseconds."""

    def handle(self) -> Generator[Any, Any, None]:
        yield from sleep_ms(self.arg)


class StopLoop(SysCall1):
    """End run_forever(), which returns `arg`; who asked is not resumed."""

    def handle(self) -> Generator[Any, Any, None]:
        # Imported here: the loop is made of what is in this file.
        from .core import get_event_loop

        get_event_loop().stop(self.arg)
        yield from asyncio.get_running_loop().create_future()


class IORead(SysCall1):
    """Pause until `arg` (a stream, a device with ioctl(), a descriptor) can be read."""

    def handle(self) -> Generator[Any, Any, None]:
        yield from readable(self.arg)


class IOWrite(SysCall1):
    """Pause until `arg` can be written."""

    def handle(self) -> Generator[Any, Any, None]:
        yield from writable(self.arg)


class IOReadDone(SysCall1):
    """`arg` is not read any more; nobody has to be told here."""

    def handle(self) -> Generator[Any, Any, None]:
        yield


class IOWriteDone(SysCall1):
    """`arg` is not written any more; nobody has to be told here."""

    def handle(self) -> Generator[Any, Any, None]:
        yield


_paused: dict[int, tuple[Any, asyncio.Future[None]]] = {}  # by identity of the coroutine


def _pause() -> Generator[Any, Any, None]:
    """Until someone gives the task's coroutine to the loop again."""
    coro = getattr(asyncio.current_task(), "coro", None)
    future = asyncio.get_running_loop().create_future()
    _paused[id(coro)] = coro, future
    try:
        yield from future
    finally:
        _paused.pop(id(coro), None)


def resume(coro: Any) -> bool:
    """Whether `coro` was paused; then it goes on."""
    _, future = _paused.get(id(coro), (None, None))
    if future is None:
        return False
    if not future.done():
        future.set_result(None)
    return True


def perform(value: Any) -> Generator[Any, Any, None]:
    """What a yielded `value` does.  Raises TypeError if it means nothing."""
    if isinstance(value, SysCall):
        yield from value.handle()
    elif value is False:
        yield from _pause()
    elif isinstance(value, int):
        yield from sleep_ms(value)
    elif hasattr(value, "send"):
        from .core import Task

        Task(value)
        yield
    else:
        raise TypeError(f"Unsupported coroutine yield value: {value!r} (of type {type(value)!r})")


def _is_asyncios(value: Any) -> bool:
    return value is None or getattr(value, "_asyncio_future_blocking", None) is not None


@types.coroutine
def uyield(value: Any = None) -> Generator[Any, Any, None]:
    """`yield value` of an `async def` of MicroPython, as what can be awaited in any task."""
    if _is_asyncios(value):
        yield value
    else:
        yield from perform(value)


class Driver(Coroutine[Any, Any, Any]):
    """The coroutine or generator `coro`, as a coroutine that yields what asyncio's tasks take."""

    __slots__ = ("__weakref__", "_call", "coro")

    def __init__(self, coro: Any) -> None:
        self.coro = coro
        self._call: Generator[Any, Any, None] | None = None  # what it waits for

    def _take(self, asked: Any) -> Any:
        if _is_asyncios(asked):
            return asked
        self._call = perform(asked)
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Go on, in the coroutine or in what it asked for last."""
        if self._call is not None:
            return self._in_call(self._call.send, None)
        asked = self.coro.send(value)
        return None if asked is None else self._take(asked)

    def throw(self, value: Any, *rest: Any) -> Any:
        """Raise `value` where the coroutine waits."""
        if self._call is not None:
            return self._in_call(self._call.throw, value)
        return self._take(self.coro.throw(value))

    def _in_call(self, step: Callable[[Any], Any], value: Any) -> Any:
        try:
            return step(value)
        except StopIteration:
            self._call = None
            return self.send(None)
        except BaseException as exc:
            self._call = None
            return self._take(self.coro.throw(exc))

    def close(self) -> None:
        """End it, as a coroutine's close()."""
        if self._call is not None:
            self._call.close()
        self.coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from _whole(self))

    def __getattr__(self, name: str) -> Any:
        # What shows a task looks for: where it is, and what it is called.
        kind, _, rest = name.partition("_")
        if kind == "cr" and rest:
            try:
                return getattr(self.coro, name)
            except AttributeError:
                return getattr(self.coro, f"gi_{rest}")
        if name in ("__name__", "__qualname__"):
            return getattr(self.coro, name)
        raise AttributeError(name)


def _whole(driver: Driver) -> Generator[Any, Any, Any]:
    sent = None
    while True:
        try:
            asked = driver.send(sent)
        except StopIteration as stop:
            return stop.value
        sent = yield asked
