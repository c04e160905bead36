"""Random waiters for edges, cancels and edges against a model that gives each edge away.

Awaited: an edge goes to the first who waits for its kind; who is cancelled after it was
given one passes it on to the next; what nobody wants stays, in order.  Each iterator has
all that for itself, be it awaited or in a thread.  In threads: nobody blocks while there
is an edge of its kind, and no edge is taken twice.  Times are virtual, so a pause ends
when all has happened.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, gpio, sim

KINDS = ("rising", "falling", "both")
PAUSE = 0.001


def wants(kind: str, edge: int) -> bool:
    """Edges are numbered; the odd ones rise."""
    return kind in ("both", "rising" if edge % 2 else "falling")


class Waiter:
    def __init__(self, task: Any, kind: str, token: CancelToken | None = None) -> None:
        self.task = task
        self.kind = kind
        self.token = token
        self.edge: int | None = None
        self.forgotten = False

    def is_told(self) -> bool:
        return self.task._fut_waiter is None or self.task._fut_waiter.done()


class Queue:
    """What one queue of edges is to do."""

    def __init__(self, source: gpio.Input | gpio.EdgeIterator) -> None:
        self.source = source
        self.untaken: list[int] = []
        self.waiting: list[Waiter] = []
        self.given: list[Waiter] = []

    def wait(self, kind: str) -> None:
        if isinstance(self.source, gpio.Input):
            wait: Any = self.source.wait_for_edge(kind)  # type: ignore[arg-type]
        else:
            kind, wait = "both", anext(self.source)
        waiter = Waiter(asyncio.ensure_future(wait), kind)
        edge = next((edge for edge in self.untaken if wants(kind, edge)), None)
        if edge is None:
            self.waiting.append(waiter)
        else:
            self.untaken.remove(edge)
            waiter.edge = edge
            self.given.append(waiter)

    def put(self, edge: int) -> None:
        for waiter in self.waiting:
            if wants(waiter.kind, edge):
                self.waiting.remove(waiter)
                waiter.edge = edge
                self.given.append(waiter)
                return
        self.untaken = sorted([*self.untaken, edge])

    def cancel(self, chosen: list[Waiter]) -> None:
        """They are cancelled, those first who were given an edge first."""
        self.waiting = [waiter for waiter in self.waiting if waiter not in chosen]
        for waiter in [waiter for waiter in self.given if waiter in chosen]:
            self.given.remove(waiter)
            assert waiter.edge is not None
            if not waiter.forgotten:
                self.put(waiter.edge)

    def clear(self) -> None:
        """Who was given an edge may have it, but passes it on to nobody."""
        self.untaken.clear()
        for waiter in self.given:
            waiter.forgotten = True

    def check(self) -> None:
        """Everybody who was given an edge has it, and nobody else."""
        for waiter in self.given:
            assert waiter.task.done(), f"{waiter.edge} is there, its waiter sleeps"
            assert waiter.task.result().global_seqno == waiter.edge
            assert waiter.task.result().dropped == 0
        for waiter in self.waiting:
            assert not waiter.task.done()
        self.given.clear()


class Story:
    def __init__(self, seed: int, board: sim.Board) -> None:
        self.rng = random.Random(seed)
        self.board = board
        self.line = gpio.Input(17, bias="pull_down")
        self.edges = 0
        self.queues = [Queue(self.line)]
        self.main = self.queues[0]
        self.cancelled: list[Waiter] = []
        self.blocked: list[Waiter] = []

    def drive(self) -> None:
        """One edge more, unless so many are untaken that the kernel would drop one."""
        if max(len(queue.untaken) for queue in self.queues) < 12:
            self.edges += 1
            self.board.line(17).drive(self.edges % 2)

    async def step(self) -> None:
        rng = self.rng
        queue = rng.choice([self.main, *self.queues])
        match rng.randrange(10):
            case 0 | 1 | 2 if not self.blocked:
                for _ in range(rng.randrange(1, 4)):
                    queue.wait(rng.choice(KINDS))
                    await asyncio.sleep(PAUSE)
            case 3 | 4 | 5 if not self.blocked:
                await self.drive_and_cancel()
            case 6:
                self.cancel(rng.randrange(3))
            case 7 if len(self.queues) < 4 and not self.blocked:
                self.queues.append(Queue(self.line.edges()))
            case 8 if rng.random() < 0.3:
                self.line.clear()
                self.main.clear()
            case 9 if not any(queue.waiting for queue in self.queues):
                await self.block()
        await asyncio.sleep(PAUSE)
        for queue in self.queues:
            queue.check()
        for waiter in self.cancelled:
            assert waiter.task.cancelled()
        self.cancelled.clear()

    async def drive_and_cancel(self) -> None:
        """Some edges; when they are given away, and nobody has run yet, some are cancelled."""
        before = self.edges
        for _ in range(self.rng.randrange(1, 4)):
            self.drive()
        for queue in self.queues:
            for edge in range(before + 1, self.edges + 1):
                queue.put(edge)
        while not all(waiter.is_told() for queue in self.queues for waiter in queue.given):
            await asyncio.sleep(0)
        if self.rng.random() < 0.3:
            self.line.clear()
            self.main.clear()
        self.cancel(self.rng.randrange(4))

    def cancel(self, many: int) -> None:
        for queue in self.queues:
            all_of_it = [*queue.given, *queue.waiting]
            chosen = self.rng.sample(all_of_it, min(many, len(all_of_it)))
            for waiter in chosen:
                waiter.task.cancel()
            queue.cancel(chosen)
            self.cancelled += chosen

    async def block(self) -> None:
        """Threads wait, edges come, tokens are cancelled."""
        loop = asyncio.get_running_loop()
        blocking = self.line.blocking
        first = self.edges + 1
        iterators = [blocking.edges() for _ in range(self.rng.randrange(2))]
        collected = [loop.run_in_executor(None, list, edges) for edges in iterators]
        for _ in range(self.rng.randrange(1, 4)):
            kind, token = self.rng.choice(KINDS), CancelToken()
            job = loop.run_in_executor(None, blocking.wait_for_edge, kind, None, token)
            self.blocked.append(Waiter(job, kind, token))
        for _ in range(4):
            match self.rng.randrange(3):
                case 0:
                    before = self.edges
                    self.drive()
                    for queue in self.queues:
                        queue.untaken += range(before + 1, self.edges + 1)
                case 1:
                    await asyncio.sleep(PAUSE)
                    self.check_blocked()
                case 2 if self.blocked:
                    token = self.rng.choice(self.blocked).token
                    assert token is not None
                    token.cancel()
        await asyncio.sleep(PAUSE)
        self.check_blocked()
        for waiter in self.blocked:
            assert waiter.token is not None
            waiter.token.cancel()
        await asyncio.sleep(PAUSE)
        self.check_blocked()
        assert not self.blocked
        for edges, job in zip(iterators, collected, strict=True):
            edges.close()
            assert [edge.global_seqno for edge in await job] == [*range(first, self.edges + 1)]

    def check_blocked(self) -> None:
        for waiter in list(self.blocked):
            if waiter.task.done():
                self.blocked.remove(waiter)
                try:
                    edge = waiter.task.result().global_seqno
                except asyncio.CancelledError:
                    assert waiter.token is not None
                    assert waiter.token.cancelled()
                else:
                    assert wants(waiter.kind, edge)
                    self.main.untaken.remove(edge)  # nobody else has taken it
        for waiter in self.blocked:
            assert not any(wants(waiter.kind, edge) for edge in self.main.untaken)

    async def run(self, steps: int) -> None:
        await asyncio.sleep(PAUSE)
        try:
            for _ in range(steps):
                await self.step()
            await self.drain()
        finally:
            self.line.close()  # or threads that wait would never end

    async def drain(self) -> None:
        """What is left is what is left by the model."""
        self.cancel(1000)
        await asyncio.sleep(PAUSE)
        for queue in self.queues:
            for edge in list(queue.untaken):
                queue.wait("both")
                await asyncio.sleep(PAUSE)
                assert edge not in queue.untaken
            queue.check()


@pytest.mark.parametrize("seed", range(40))
def test_each_edge_is_given_to_one_who_can_take_it(hw_board: sim.Board, seed: int) -> None:
    pyasync_hw.run(Story(seed, hw_board).run(60), clock=hw_board.clock)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_an_edge_is_passed_on_to_a_waiter_for_its_kind(
    hw_board: sim.Board, order: tuple[int, ...]
) -> None:
    """Whoever else waits, and whoever of them is cancelled."""

    async def main() -> None:
        story = Story(0, hw_board)
        for i in order:
            story.main.wait(KINDS[i])
            await asyncio.sleep(PAUSE)
        story.drive()
        story.main.put(1)
        (first,) = story.main.given
        while not first.is_told():
            await asyncio.sleep(0)
        first.task.cancel()
        story.main.cancel([first])
        (second,) = story.main.given
        await asyncio.sleep(PAUSE)
        story.main.check()
        assert {first.kind, second.kind} == {"rising", "both"}
        story.cancel(1)
        await asyncio.sleep(PAUSE)
        story.line.close()

    pyasync_hw.run(main(), clock=hw_board.clock)
