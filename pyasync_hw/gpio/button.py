"""A button: pressed, released, held, clicked once or twice, by the time stamps of its edges."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .. import _core, hardware
from .._core import EdgeEvent
from ..hardware.backend import number
from ..hardware.device import cancel_task
from .edges import EdgeIterator
from .lines import Input

__all__ = ["Button", "ButtonEvent", "ButtonEvents"]

Kind = Literal["pressed", "released", "held", "clicked", "double_clicked"]
Callback = Callable[..., Any]
SECONDS_MAX = 4294  # as of a debounce_period


@dataclass(frozen=True)
class ButtonEvent:
    """What happened to a button, and when (ns on the loop's clock)."""

    kind: Kind
    timestamp_ns: int


class ButtonEvents(AsyncIterator[ButtonEvent]):
    """What happens to a button from now on, with a queue of its own.  Made by events().

    The time stamps decide, not when the loop came to see them: a button that was held is
    so before it is released, however late the loop is.  "clicked" is a press that was let go
    before hold_time and is no part of a double click, which is known when double_click_time
    is over.
    """

    def __init__(self, queue: _core.EdgeQueue, hold_time: float, double_click_time: float) -> None:
        self._core = queue
        self._edges = EdgeIterator(queue)
        self._hold_ns = round(hold_time * 1e9)
        self._double_ns = round(double_click_time * 1e9)
        self._down: bool | None = None  # the first edge tells what it was before
        # When what comes next by itself: a press is held, or one that is over was a click.
        self._due: tuple[int, Kind] | None = None
        self._last_press: int | None = None  # which another one makes a double click
        self._ready: list[ButtonEvent] = []

    async def __anext__(self) -> ButtonEvent:
        while not self._ready:
            await self._look()
        return self._ready.pop(0)

    async def _look(self) -> None:
        if self._due is None:
            self._feed(await anext(self._edges))
            return
        when = self._due[0]
        try:
            async with asyncio.timeout_at(when / 1e9):
                edge: EdgeEvent | None = await anext(self._edges)
        except TimeoutError:
            edge = None if self._core.closed else self._core.take()
        if edge is not None:  # also one that came before, on a loop that is late
            self._feed(edge)
        else:
            self._pass(when)

    def _pass(self, now: int) -> None:
        """What comes by itself until then."""
        if self._due is not None and now >= self._due[0]:
            self._ready.append(ButtonEvent(self._due[1], self._due[0]))
            self._due = None

    def _feed(self, edge: EdgeEvent) -> None:
        now = edge.timestamp_ns
        if edge.dropped:  # who knows whether that was one press
            self._due = self._last_press = None
        self._pass(now)
        pressed = edge.event_type == "rising"
        if self._down or (self._down is None and not pressed):
            self._release(now)
        self._down = pressed
        if pressed:
            self._press(now)

    def _press(self, now: int) -> None:
        self._ready.append(ButtonEvent("pressed", now))
        self._due = (now + self._hold_ns, "held")
        if self._last_press is not None and now - self._last_press <= self._double_ns:
            self._ready.append(ButtonEvent("double_clicked", now))
            self._last_press = None
        else:
            self._last_press = now

    def _release(self, now: int) -> None:
        self._ready.append(ButtonEvent("released", now))
        held, self._due = self._due is None, None
        if self._last_press is not None and not held:
            self._due = (max(now, self._last_press + self._double_ns + 1), "clicked")
            self._pass(now)

    def close(self) -> None:
        """See no more events; whoever waits gets StopAsyncIteration.  Idempotent."""
        self._core.close()

    async def aclose(self) -> None:
        """close(), as contextlib.aclosing() calls it."""
        self.close()


class Button(Input):
    """An Input that is 1 while the button is pressed.

    pull_up: the button connects the line to ground (True) or to 3.3 V.  bounce_time:
    seconds, see Input's debounce_period.  hold_time, double_click_time: seconds, which
    count for the events() from then on.
    """

    __slots__ = ("_callbacks", "_caller", "_double_click_time", "_hold_time", "_running")

    def __init__(
        self,
        spec: int | str,
        *,
        pull_up: bool = True,
        bounce_time: float = 0.0,
        hold_time: float = 1.0,
        double_click_time: float = 0.4,
        chip: str | None = None,
        board: hardware.Backend | None = None,
        consumer: str = "pyasync_hw",
    ) -> None:
        self.hold_time = hold_time
        self.double_click_time = double_click_time
        self._callbacks: dict[Kind, Callback | None] = {}
        self._caller: asyncio.Task[None] | None = None
        self._running: set[asyncio.Future[Any]] = set()
        super().__init__(
            spec,
            bias="pull_up" if pull_up else "pull_down",
            active_low=pull_up,
            debounce_period=bounce_time,
            chip=chip,
            board=board,
            consumer=consumer,
        )

    @property
    def hold_time(self) -> float:
        """Seconds."""
        return self._hold_time

    @hold_time.setter
    def hold_time(self, seconds: float) -> None:
        self._hold_time = number("hold_time", seconds, 0, SECONDS_MAX)

    @property
    def double_click_time(self) -> float:
        """Seconds."""
        return self._double_click_time

    @double_click_time.setter
    def double_click_time(self, seconds: float) -> None:
        self._double_click_time = number("double_click_time", seconds, 0, SECONDS_MAX)

    @property
    def is_pressed(self) -> bool:
        """Whether it is pressed now."""
        return bool(self.value)

    async def wait_for_press(self) -> EdgeEvent:
        """The oldest press that nobody has taken yet, or the next one; see wait_for_edge()."""
        return await self.wait_for_edge("rising")

    async def wait_for_release(self) -> EdgeEvent:
        """The oldest release that nobody has taken yet, or the next one."""
        return await self.wait_for_edge("falling")

    async def wait_for_hold(self) -> ButtonEvent:
        """The end of hold_time of a press from now on."""
        return await self._next("held")

    async def wait_for_click(self) -> ButtonEvent:
        """A press from now on that was neither held nor one of a double click."""
        return await self._next("clicked")

    async def wait_for_double_click(self) -> ButtonEvent:
        """The second press of two from now on, at most double_click_time apart."""
        return await self._next("double_clicked")

    async def _next(self, kind: Kind) -> ButtonEvent:
        events = self.events()
        try:
            async for event in events:
                if event.kind == kind:
                    return event
        finally:
            events.close()
        raise AssertionError("nobody else closes the iterator")

    def events(self, maxlen: int = 1024) -> ButtonEvents:
        """An asynchronous iterator over what happens to the button from now on."""
        queue = self._edge_queue(maxlen)
        return ButtonEvents(queue, self.hold_time, self.double_click_time)

    def on(self, kind: Kind, callback: Callback | None) -> None:
        """Call `callback` whenever that happens, with the button if it takes an argument.

        It may be a coroutine function, which then runs as a task.  Needs a running loop;
        None: call nobody.  What it raises goes to the loop's exception handler.
        """
        if kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, not {kind!r}")
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable or None, not {callback!r}")
        if self._caller is None or self._caller.done() or self._caller.get_loop().is_closed():
            loop = asyncio.get_running_loop()
            self._caller = loop.create_task(self._call_back(self.events()))
        self._callbacks[kind] = callback

    async def _call_back(self, events: ButtonEvents) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for event in events:
                callback = self._callbacks.get(event.kind)
                if callback is None:
                    continue
                try:
                    result = callback(*self._arguments(callback))
                    if inspect.isawaitable(result):
                        task = asyncio.ensure_future(result)
                        self._running.add(task)
                        task.add_done_callback(self._running.discard)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as exc:  # as a loop does with its callbacks'
                    loop.call_exception_handler(
                        {"message": f"callback of {self!r} failed", "exception": exc}
                    )
                if self.closed:  # by the callback
                    break
        except OSError as exc:  # nobody awaits this task: unplugged
            loop.call_exception_handler(
                {"message": f"no more callbacks of {self!r}", "exception": exc}
            )
        finally:
            events.close()

    def _arguments(self, callback: Callback) -> tuple[()] | tuple[Button]:
        try:
            inspect.signature(callback).bind()
        except TypeError:  # it wants an argument
            return (self,)
        except ValueError:  # a function of C that tells nothing
            return ()
        return ()

    def close(self) -> None:
        """See Input.close(); nobody is called any more."""
        if self._caller is not None:
            cancel_task(self._caller)
            self._caller = None
        super().close()
