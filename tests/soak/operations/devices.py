"""Simulated devices in real time: edges and tags, waits of which are cancelled."""

from __future__ import annotations

import asyncio

from pyasync_hw import gpio, rc522, sim

from ..step import Step, operation


@operation(1)
async def edges(step: Step) -> None:
    with sim.Board("pi-zero-w") as board, gpio.Input("GPIO17", bias="pull_up") as button:
        line = board.line("GPIO17")
        for number in range(1, step.rng.randrange(2, 30)):
            waiter = asyncio.ensure_future(button.wait_for_edge())
            expected = step.expect("edge", number)
            await step.turns(step.rng.randrange(2))
            if step.chance(0.3):  # a cancel loses nothing
                waiter.cancel()
                await asyncio.gather(waiter, return_exceptions=True)
                waiter = asyncio.ensure_future(button.wait_for_edge())
            line.drive(1 - number % 2)
            event = await waiter
            step.check(event.line_seqno == number, f"edge {event} instead of {number}")
            expected.ran()


@operation(1)
async def edges_by_an_iterator(step: Step) -> None:
    with sim.Board("pi-zero-w") as board, gpio.Input("GPIO4", bias="pull_up") as button:
        count, line = step.rng.randrange(1, 12), board.line("GPIO4")
        expected = [step.expect("edge", i) for i in range(count)]
        events = button.edges()
        for number in range(count):
            line.drive(number % 2)
        for number in range(count):
            event = await anext(events)
            step.check(event.line_seqno == number + 1, f"edge {event}, not {number + 1}")
            expected[number].ran()
        await events.aclose()


@operation(1)
async def tag_read_and_cancelled(step: Step) -> None:
    with sim.Board("pi-zero-w") as board:
        chip = board.attach_rc522()
        async with rc522.Reader() as reader:
            waiter = asyncio.ensure_future(reader.wait_for_tag())
            await asyncio.sleep(step.rng.choice((0, 0.001, 0.01)))
            if step.chance(0.7):
                waiter.cancel()
                await asyncio.gather(waiter, return_exceptions=True)
                waiter = asyncio.ensure_future(reader.wait_for_tag())
            expected = step.expect("tag")
            chip.present(sim.MifareClassic1K(uid="a61d227e"))
            tag = await waiter
            step.check(tag.uid.hex() == "a61d227e", f"tag {tag} came")
            expected.ran()


@operation(1)
async def blocking_wait_in_a_job(step: Step) -> None:
    with sim.Board("pi-zero-w") as board, gpio.Input("GPIO22", bias="pull_up") as button:
        expected = step.expect("edge", "blocking")
        if step.shared.tokens:  # a cancel wakes the thread, and no edge is lost
            cancelled = asyncio.ensure_future(asyncio.to_thread(button.blocking.wait_for_edge))
            await asyncio.sleep(step.rng.choice((0, 0.002)))
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
        job = asyncio.ensure_future(asyncio.to_thread(button.blocking.wait_for_edge))
        await asyncio.sleep(step.rng.choice((0, 0.002)))
        board.line("GPIO22").drive(0)
        event = await job
        step.check(event.event_type == "falling", f"edge {event} came")
        expected.ran()
