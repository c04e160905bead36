"""A line's descriptor is registered with a loop while its edges are awaited: once for all of
them that come one after the other, and no longer than until the end of the turn.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, sim


class Counting(asyncio.SelectorEventLoop):
    """How often it was asked to watch and to let go."""

    added = removed = 0

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        self.added += 1
        return super().add_reader(fd, callback, *args)

    def remove_reader(self, fd: Any) -> Any:
        self.removed += 1
        return super().remove_reader(fd)


LOOPS = [pyasync_hw.new_event_loop, asyncio.SelectorEventLoop]


def run(main: Callable[[], Coroutine[Any, Any, None]], new_loop: Callable[[], Any]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def watched(line: gpio.Input) -> bool:
    return line.fileno() in asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined]


async def next_turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["wait_for_edge", "edges"])
def test_edges_one_after_the_other_need_one_registration(way: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Counting)
        with sim.Board() as board, gpio.Input(17, bias="pull_up") as line:
            edges = line.edges()
            for i in range(20):
                loop.call_soon(board.line(17).drive, i % 2)
                await (line.wait_for_edge() if way == "wait_for_edge" else anext(edges))
            assert (loop.added, loop.removed) == (1, 0)
            await next_turn()
            assert (loop.added, loop.removed) == (1, 1)

    run(main, Counting)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_nothing_is_watched_when_nobody_waits(new_loop: Callable[[], Any]) -> None:
    async def main() -> None:
        with sim.Board() as board, gpio.Input(17, bias="pull_up") as line:
            waiting = asyncio.ensure_future(line.wait_for_edge())
            await next_turn()
            assert watched(line)
            board.line(17).drive(0)
            await waiting
            await next_turn()
            assert not watched(line)

    run(main, new_loop)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_thread_may_block_right_after_an_edge(new_loop: Callable[[], Any]) -> None:
    async def main() -> None:
        with sim.Board() as board, gpio.Input(17, bias="pull_up") as line:
            asyncio.get_running_loop().call_soon(board.line(17).drive, 0)
            await line.wait_for_edge()
            board.line(17).drive(1)
            assert line.blocking.wait_for_edge(timeout=60).event_type == "rising"

    run(main, new_loop)


@pytest.mark.parametrize("second", LOOPS)
@pytest.mark.parametrize("first", LOOPS)
def test_another_loop_may_wait_after_the_first(
    first: Callable[[], Any], second: Callable[[], Any]
) -> None:
    with sim.Board() as board, gpio.Input(17, bias="pull_up") as line:
        level = 1

        async def main() -> None:
            nonlocal level
            level = 1 - level
            asyncio.get_running_loop().call_soon(board.line(17).drive, level)
            await line.wait_for_edge()

        for new_loop in (first, second):
            run(main, new_loop)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_an_interrupt_right_after_an_edge_leaves_the_line_in_order(
    new_loop: Callable[[], Any],
) -> None:
    """What the loop was to do later is never done: it ends with the interrupt."""
    with sim.Board() as board, gpio.Input(17, bias="pull_up") as line:

        async def interrupted() -> None:
            asyncio.get_running_loop().call_soon(board.line(17).drive, 0)
            await line.wait_for_edge()
            raise KeyboardInterrupt

        async def main() -> None:
            asyncio.get_running_loop().call_soon(board.line(17).drive, 1)
            await line.wait_for_edge()
            await next_turn()
            assert not watched(line)

        with pytest.raises(KeyboardInterrupt):
            run(interrupted, new_loop)
        run(main, new_loop)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_line_dropped_after_an_edge_goes_by_the_next_turn(new_loop: Callable[[], Any]) -> None:
    async def main() -> None:
        with sim.Board() as board:
            line = gpio.Input(17, bias="pull_up")
            asyncio.get_running_loop().call_soon(board.line(17).drive, 0)
            await line.wait_for_edge()
            with pytest.warns(ResourceWarning, match="unclosed line request"):
                del line
                await next_turn()

    gc.disable()
    try:
        run(main, new_loop)
    finally:
        gc.enable()
