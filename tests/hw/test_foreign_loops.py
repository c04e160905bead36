"""Devices on a loop that is not ours and whose methods close them: every wait ends, and well.

Well: with the error that says so, no descriptor watched, no timer left, nothing reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyasync_hw import gpio, rc522, sim

METHODS = (
    "create_future",
    "add_reader",
    "remove_reader",
    "call_soon",
    "call_at",
    "time",
    "is_closed",
    "cancel",
)
UID = "a61d227e"
Deed = Callable[[], object]


class Loop(asyncio.SelectorEventLoop):
    """At one call of one of its methods it does one thing more, before or after."""

    method = ""
    calls = 0  # so many go by before
    after = False
    deed: Deed = staticmethod(lambda: None)

    def _maybe(self, method: str, call: Callable[[], Any]) -> Any:
        if method != self.method:
            return call()
        self.calls -= 1
        if self.calls >= 0:
            return call()
        self.method = ""
        if not self.after:
            self.deed()
        result = call()
        if self.after:
            self.deed()
        return result

    def create_future(self) -> Any:
        return self._maybe("create_future", super().create_future)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        add = super().add_reader
        return self._maybe("add_reader", lambda: add(fd, callback, *args))

    def remove_reader(self, fd: Any) -> Any:
        remove = super().remove_reader
        return self._maybe("remove_reader", lambda: remove(fd))

    def call_soon(self, callback: Any, *args: Any, **kwargs: Any) -> Any:
        call_soon = super().call_soon
        if getattr(callback, "__name__", "") != "later":  # what devices ask for
            return call_soon(callback, *args, **kwargs)
        return self._maybe("call_soon", lambda: call_soon(callback, *args, **kwargs))

    def call_at(self, when: float, callback: Any, *args: Any, **kwargs: Any) -> Any:
        call_at = super().call_at
        handle = self._maybe("call_at", lambda: call_at(when, callback, *args, **kwargs))
        cancel = handle.cancel
        if self.method == "cancel" and callback.__name__ == "timeout":
            return _Handle(handle, lambda: self._maybe("cancel", cancel))
        return handle

    def is_closed(self) -> bool:
        return bool(self._maybe("is_closed", super().is_closed))


class OwnTime(Loop):
    """Its time is not known to be the kernel's: a timerfd would not do."""

    def time(self) -> float:
        return float(self._maybe("time", super().time))


class _Handle:
    def __init__(self, handle: asyncio.TimerHandle, cancel: Deed) -> None:
        self.handle = handle
        self.cancel = cancel


@pytest.fixture
def loop(
    hw_board: sim.Board, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Loop]:
    method = request.node.callspec.params["method"]
    loop = OwnTime() if method in ("call_at", "time", "cancel") else Loop()
    reports: list[object] = []
    loop.set_exception_handler(lambda loop, context: reports.append(context))
    monkeypatch.setattr(sys, "unraisablehook", reports.append)
    yield loop
    loop.method = ""
    loop.run_until_complete(asyncio.sleep(0))
    assert set(loop._selector.get_map()) == {loop._ssock.fileno()}
    assert not [handle for handle in loop._scheduled if not handle.cancelled()]
    loop.close()
    assert reports == []


def waits(board: sim.Board) -> dict[str, tuple[Any, Callable[[], Any]]]:
    """What is closed, and what is waited for on it."""
    line = gpio.Input(17, bias="pull_up")
    edges = line.edges()
    reader = rc522.Reader()
    polled = rc522.Reader("spi0.1", irq=None, reset=None)
    both = gpio.LineSettings(direction="input", edge_detection="both", bias="pull_up")
    request, chip = gpio.request_lines("gpiochip0", {(5, 6): both}), gpio.Chip("gpiochip0")
    chip.watch_line_info(4)
    button = gpio.Button(22)
    return {
        "an edge": (line, line.wait_for_edge),
        "an iterator": (edges, lambda: anext(edges)),
        "an iterator's line": (line, lambda: anext(edges)),
        "edges of several lines": (request, request.wait_edge_events),
        "a chip's news": (chip, chip.next_info_event),
        "a hold of a button": (button, button.wait_for_hold),
        "a tag": (reader, reader.wait_for_tag),
        "a tag, polled": (polled, polled.wait_for_tag),
        "an answer": (reader, lambda: reader.transceive(b"\x50\x00", timeout=0.01)),
        "a removal": (reader, lambda: reader.wait_for_removal(bytes.fromhex(UID))),
        "the set-up": (polled, polled.open),
        "a reader's interrupt line": (reader, reader.wait_for_tag),
    }


KINDS = (
    "an edge",
    "an iterator",
    "an iterator's line",
    "edges of several lines",
    "a chip's news",
    "a hold of a button",
    "a tag",
    "a tag, polled",
    "an answer",
    "a removal",
    "the set-up",
)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_method_that_closes_the_device(
    loop: Loop, hw_board: sim.Board, kind: str, method: str, after: bool
) -> None:
    """At its first call, its second, and so on; if it is not called, the wait is cancelled."""
    hw_board.attach_rc522()
    hw_board.attach_rc522(spi="spi0.1", irq=None, reset=None)
    for calls in range(6):
        every = waits(hw_board)
        device, wait = every[kind]

        async def main(wait: Callable[[], Any] = wait) -> object:
            task = asyncio.ensure_future(wait())
            await asyncio.wait([task], timeout=0.02)
            task.cancel()
            (end,) = await asyncio.gather(task, return_exceptions=True)
            return end

        loop.deed, loop.method = device.close, ""
        task = loop.create_task(main())
        loop.method, loop.calls, loop.after = method, calls, after
        end = loop.run_until_complete(task)
        rare = loop.method != ""  # it was not called so often
        if rare:
            loop.method = ""
            assert not device.closed if kind != "an iterator" else True
        elif isinstance(end, (OSError, ValueError)) and not isinstance(end, TimeoutError):
            assert "closed" in str(end)
        else:  # it was over before that
            over = (asyncio.CancelledError, StopAsyncIteration, TimeoutError, int, type(None))
            assert isinstance(end, over)
        for one, _ in every.values():
            one.close()
        if rare:
            break


class Counting(asyncio.SelectorEventLoop):
    """How often it is asked for a timer."""

    timers = 0

    def call_at(self, when: float, callback: Any, *args: Any, **kwargs: Any) -> Any:
        self.timers += callback.__name__ == "timeout"
        return super().call_at(when, callback, *args, **kwargs)


class CountingOwnTime(Counting):
    def time(self) -> float:
        return super().time()


@pytest.mark.parametrize("irq", ["GPIO24", None])
@pytest.mark.parametrize("kind", [Counting, CountingOwnTime])
def test_polling_needs_no_timers_of_the_loop(kind: type[Counting], irq: str | None) -> None:
    """Each would cost its making, its cancellation and its place in a heap, 80 times a second."""

    async def main() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Counting)
        with sim.Board() as board:
            board.attach_rc522(irq=irq)
            async with rc522.Reader("spi0.0", irq=irq) as reader:
                before, timers = reader.stats.exchanges, loop.timers
                waiting = asyncio.ensure_future(reader.wait_for_tag())
                while reader.stats.exchanges < before + 10:
                    await asyncio.sleep(0.01)
                waiting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiting
                return reader.stats.exchanges - before, loop.timers - timers

    loop = kind()
    try:
        polls, timers = loop.run_until_complete(main())
    finally:
        loop.close()
    assert polls >= 10
    assert timers <= 2 if kind is Counting else timers >= polls
