"""Waits that are cancelled, 100,000 times with --thorough: no leak, and no edge lost."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pyasync_hw import gpio, sim
from pyasync_hw.testing import live_objects, open_descriptors

Runner = Callable[[Awaitable[Any]], Any]
Wait = Callable[[], Awaitable[Any]]
CHIP = "gpiochip0"
INPUT = gpio.LineSettings(direction="input", edge_detection="both", bias="pull_up")


def edges_of_a_line() -> tuple[Any, Wait, Callable[[Any], int]]:
    line = gpio.Input(17, bias="pull_up")
    return line, line.wait_for_edge, lambda event: event.line_seqno


def an_iterator() -> tuple[Any, Wait, Callable[[Any], int]]:
    line = gpio.Input(17, bias="pull_up")
    edges = line.edges()
    return line, lambda: anext(edges), lambda event: event.line_seqno


def several_lines() -> tuple[Any, Wait, Callable[[Any], int]]:
    request = gpio.request_lines(CHIP, {(27, 17): INPUT})
    return request, request.next_event, lambda event: event.line_seqno


def until_there_are_some() -> tuple[Any, Wait, Callable[[Any], int]]:
    request = gpio.request_lines(CHIP, {(27, 17): INPUT})

    async def wait() -> Any:
        await request.wait_edge_events()
        (event,) = request.read_edge_events(1)
        return event

    return request, wait, lambda event: event.line_seqno


def events_of_a_button() -> tuple[Any, Wait, Callable[[Any], int]]:
    button = gpio.Button(17, hold_time=3600)
    events = button.events()
    count = iter(range(1, 10**9))

    async def wait() -> Any:
        while (event := await anext(events)).kind.endswith("clicked"):  # not an edge
            pass
        return event

    return button, wait, lambda event: next(count)


KINDS = [edges_of_a_line, an_iterator, several_lines, until_there_are_some, events_of_a_button]


def left() -> tuple[Any, int]:
    gc.collect()
    return live_objects(), len(open_descriptors())


@pytest.mark.parametrize("kind", KINDS)
def test_waits_and_cancels(
    run: Runner, hw_board: sim.Board, thorough: bool, kind: Callable[[], Any]
) -> None:
    """Now and then an edge comes: before, between or after the wait and its cancel."""
    rng = random.Random(17)

    async def cycles(wait: Wait, number: Callable[[Any], int], n: int, seqno: int) -> int:
        line = hw_board.line(17)
        for _ in range(n):
            moment = rng.randrange(40)
            if moment == 0:
                line.drive(seqno % 2)
            waiting = asyncio.ensure_future(wait())
            await asyncio.sleep(0)
            if moment == 1:
                line.drive(seqno % 2)
                if rng.randrange(2):
                    await asyncio.sleep(0)
            waiting.cancel()
            if moment == 2:
                line.drive(seqno % 2)
            (end,) = await asyncio.gather(waiting, return_exceptions=True)
            if moment < 3:
                seqno += 1
                if isinstance(end, asyncio.CancelledError):
                    end = await wait()
                assert number(end) == seqno
            else:
                assert isinstance(end, asyncio.CancelledError)
        return seqno

    async def main() -> None:
        device, wait, number = kind()
        with device:
            seqno = await cycles(wait, number, 500, 0)
            before, blocks = left(), sys.getallocatedblocks()
            await cycles(wait, number, 100_000 if thorough else 1000, seqno)
            assert left() == before
            assert sys.getallocatedblocks() - blocks < 500

    run(main())


def test_waits_for_info_and_cancels(run: Runner, hw_board: sim.Board, thorough: bool) -> None:
    rng = random.Random(17)

    async def cycles(chip: gpio.Chip, n: int) -> None:
        for _ in range(n):
            waiting = asyncio.ensure_future(chip.next_info_event())
            await asyncio.sleep(0)
            moment = rng.randrange(40)
            if moment < 2:
                gpio.Input(17).close()
                if moment == 0:
                    await asyncio.sleep(0)
            waiting.cancel()
            (end,) = await asyncio.gather(waiting, return_exceptions=True)
            if moment < 2:
                if isinstance(end, asyncio.CancelledError):
                    end = await chip.next_info_event()
                assert end.event_type == "requested"
                assert (await chip.next_info_event()).event_type == "released"
            else:
                assert isinstance(end, asyncio.CancelledError)

    async def main() -> None:
        with gpio.Chip(CHIP) as chip:
            chip.watch_line_info(17)
            await cycles(chip, 500)
            before, blocks = left(), sys.getallocatedblocks()
            await cycles(chip, 100_000 if thorough else 1000)
            assert left() == before
            assert sys.getallocatedblocks() - blocks < 500

    run(main())
