"""Edges as fast as the simulator makes them: what was received and what was dropped is all
that there was, on each line.  With --thorough, a million of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, sim

PINS = (17, 27, 22, 5)
LOOPS = [pyasync_hw.new_event_loop, asyncio.SelectorEventLoop]


class Account:
    """Of one line request: its edges by line, and what each said of those before it."""

    def __init__(self) -> None:
        self.received: dict[int, int] = {}
        self.dropped = 0
        self.last: dict[int, int] = {}  # by line: the number of its newest edge
        self.seqno = 0

    def add(self, edge: gpio.EdgeEvent) -> None:
        assert edge.dropped == edge.global_seqno - self.seqno - 1
        assert (edge.value is None) == (edge.dropped == 0)
        assert edge.line_seqno > self.last.get(edge.line_offset, 0)
        self.received[edge.line_offset] = self.received.get(edge.line_offset, 0) + 1
        self.dropped += edge.dropped
        self.seqno = edge.global_seqno
        self.last[edge.line_offset] = edge.line_seqno

    async def take(self, edges: AsyncIterator[gpio.EdgeEvent], count: int) -> None:
        """Until the newest of so many, which is never one that is dropped."""
        while self.seqno < count:
            self.add(await anext(edges))

    def check(self, made: dict[int, int]) -> None:
        assert self.last == made
        assert sum(self.received.values()) + self.dropped == sum(made.values())


async def waited_for(line: gpio.Input) -> AsyncIterator[gpio.EdgeEvent]:
    while True:
        yield await line.wait_for_edge()


def toggle(board: sim.Board, pins: tuple[int, ...], times: int) -> None:
    """Each line so often, as fast as it goes; they begin high."""
    lines = [board.line(pin) for pin in pins]
    for i in range(times):
        for line in lines:
            line.drive(i % 2)


async def with_toggling(
    board: sim.Board, pins: tuple[int, ...], times: int, takers: list[Any]
) -> None:
    thread = threading.Thread(target=toggle, args=(board, pins, times))
    thread.start()
    try:
        await asyncio.gather(*takers)
    finally:
        thread.join()


def run(main: Any, new_loop: Callable[[], Any]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main)


@pytest.fixture
def times(thorough: bool) -> int:
    return 1_000_000 if thorough else 20_000


@pytest.mark.parametrize("maxlen", [None, 4, 1024])
@pytest.mark.parametrize("new_loop", LOOPS)
def test_one_line(times: int, new_loop: Callable[[], Any], maxlen: int | None) -> None:
    account = Account()

    async def main() -> None:
        with sim.Board() as board, gpio.Input(17, bias="pull_up") as line:
            edges = waited_for(line) if maxlen is None else line.edges(maxlen)
            await with_toggling(board, (17,), times, [account.take(edges, times)])

    run(main(), new_loop)
    account.check({17: times})


@pytest.mark.parametrize("new_loop", LOOPS)
def test_several_lines(times: int, new_loop: Callable[[], Any]) -> None:
    each = times // len(PINS)
    accounts = [Account() for _ in PINS]

    async def main() -> None:
        with sim.Board() as board:
            lines = [gpio.Input(pin, bias="pull_up") for pin in PINS]
            takers = [
                account.take(waited_for(line), each)
                for account, line in zip(accounts, lines, strict=True)
            ]
            await with_toggling(board, PINS, each, takers)
            for line in lines:
                line.close()

    run(main(), new_loop)
    for pin, account in zip(PINS, accounts, strict=True):
        account.check({pin: each})


@pytest.mark.parametrize("new_loop", LOOPS)
def test_several_lines_of_one_request(times: int, new_loop: Callable[[], Any]) -> None:
    each = times // len(PINS)
    account = Account()
    both = gpio.LineSettings(direction="input", edge_detection="both", bias="pull_up")

    async def main() -> None:
        with (
            sim.Board() as board,
            gpio.request_lines("gpiochip0", {PINS: both}) as request,
        ):
            await with_toggling(
                board, PINS, each, [account.take(request.events(), each * len(PINS))]
            )

    run(main(), new_loop)
    account.check(dict.fromkeys(PINS, each))


def test_a_thread_that_blocks(times: int) -> None:
    account = Account()
    with sim.Board() as board, gpio.Input(17, bias="pull_up") as line:
        thread = threading.Thread(target=toggle, args=(board, (17,), times))
        thread.start()
        while account.seqno < times:
            account.add(line.blocking.wait_for_edge())
        thread.join()
    account.check({17: times})
