"""Cancelling rc522 verbs: at every moment the chip is left idle and no tag is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, rc522, sim
from pyasync_hw.reader import verbs
from pyasync_hw.tags import MifareClassic

Runner = Callable[[Awaitable[Any]], Any]
UID = "a61d227e"
COMMAND, COM_IEN, TX_CONTROL = 0x01, 0x02, 0x14


def assert_idle(door: sim.SimReader) -> None:
    """CommandReg Idle, every interrupt masked, field on."""
    registers = door.registers
    assert registers[COMMAND] & 0x0F == 0
    assert registers[COM_IEN] & 0x7F == 0
    assert registers[TX_CONTROL] & 0x03 == 3
    assert door.field_on


@pytest.fixture(params=[True, False], ids=["irq", "polled"])
def with_irq(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def reader_options(with_irq: bool) -> dict[str, Any]:
    return {} if with_irq else {"irq": None}


async def cancelled_after(coro: Awaitable[Any], delay: float) -> bool:
    """Cancel after `delay` seconds; False when it was done before."""
    task = asyncio.ensure_future(coro)
    await asyncio.sleep(delay)
    if task.done():
        task.result()
        return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


def test_wait_cancelled_at_any_time_finds_the_tag_next_time(
    hw_board: sim.Board, with_irq: bool
) -> None:
    door = hw_board.attach_rc522()
    card = sim.MifareClassic1K(uid=UID)

    async def main() -> None:
        async with rc522.Reader(**reader_options(with_irq)) as reader:
            step = 0
            while True:
                door.present(card)
                more = await cancelled_after(reader.wait_for_tag(), step * 37e-6)
                if more:
                    assert_idle(door)
                    tag = await asyncio.wait_for(reader.wait_for_tag(), 0.1)
                    assert tag.uid.hex() == UID
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.wait_for_tag(), 0.1)
                assert_idle(door)
                door.remove(card)
                if not more:
                    break
                step += 1
            assert step > 50

    pyasync_hw.run(main(), clock=hw_board.clock)


async def cancelled_when_found(reader: rc522.Reader) -> None:
    """Cancel when the future is done, and its task has not run yet.

    Real time only: in virtual time nothing happens while a callback is ready.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(reader.wait_for_tag())
    await asyncio.sleep(0)
    wakeup = task._fut_waiter  # type: ignore[attr-defined]

    def look() -> None:
        # In the ready queue since the last turn, so before the task's wake-up.
        if wakeup.done():
            task.cancel()
        else:
            loop.call_soon(look)

    look()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_result_survives_a_cancel_behind_it(hw_board: sim.Board) -> None:
    door = hw_board.attach_rc522()
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            await cancelled_when_found(reader)
            messages = reader.spi.messages
            tag = await reader.wait_for_tag()
            assert tag.uid.hex() == UID
            assert reader.spi.messages == messages  # it was news: nobody asked again
            assert isinstance(tag, MifareClassic)
            await tag.authenticate(4)

    pyasync_hw.run(main())


@pytest.mark.parametrize("leaves", [False, True])
def test_stale_tag_is_not_given_out(
    hw_board: sim.Board, monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    monkeypatch.setattr(verbs, "FRESH", -1.0)
    door = hw_board.attach_rc522()
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            await cancelled_when_found(reader)
            if leaves:
                door.remove()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.wait_for_tag(), 0.2)
            else:
                tag = await asyncio.wait_for(reader.wait_for_tag(), 1)
                assert tag.uid.hex() == UID

    pyasync_hw.run(main())


@pytest.mark.parametrize("verb", ["open", "request", "authenticate", "read", "write", "removal"])
def test_any_verb_cancelled_at_any_time(hw_board: sim.Board, with_irq: bool, verb: str) -> None:
    door = hw_board.attach_rc522()
    card = sim.MifareClassic1K(uid=UID)

    async def main() -> None:
        async with rc522.Reader(**reader_options(with_irq)) as reader:
            step = 0
            more = True
            while more:
                door.present(card)
                await asyncio.sleep(card.power_up)
                assert await reader.request() == b"\x04\x00"
                tag = await reader.select()
                if verb in ("read", "write"):
                    await reader.authenticate(4, b"\xff" * 6, tag.uid)
                coro = {
                    "open": lambda: reader.open(),
                    "request": lambda: reader.request(wakeup=True),
                    "authenticate": lambda: reader.authenticate(4, b"\xff" * 6, tag.uid),  # noqa: B023
                    "read": lambda: reader.read(4),
                    "write": lambda: reader.write(4, bytes(16)),
                    "removal": lambda: reader.wait_for_removal(tag),  # noqa: B023
                }[verb]()
                more = await cancelled_after(coro, step * 53e-6)
                if more and verb != "open":
                    assert_idle(door)
                door.remove(card)
                step += 1
                if step > 200:  # removal does not end by itself
                    break
            assert step > 5

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize("verb", ["reselect", "authenticate", "read", "write"])
def test_tag_is_selected_again_after_a_cancel_at_any_time(
    hw_board: sim.Board, with_irq: bool, verb: str
) -> None:
    door = hw_board.attach_rc522()
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader(**reader_options(with_irq)) as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            step = 0
            more = True
            while more:
                await tag.reselect()
                if verb in ("read", "write"):
                    await tag.authenticate(4)
                coro = {
                    "reselect": lambda: tag.reselect(),
                    "authenticate": lambda: tag.authenticate(4),
                    "read": lambda: tag.read(4),
                    "write": lambda: tag.write(4, bytes(16)),
                }[verb]()
                more = await cancelled_after(coro, step * 53e-6)
                step += 1
            assert step > 5

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_cancel_while_waiting_for_the_reader(hw_board: sim.Board) -> None:
    door = hw_board.attach_rc522()

    async def main() -> None:
        async with rc522.Reader() as reader:
            first = asyncio.ensure_future(reader.wait_for_tag())
            second = asyncio.ensure_future(reader.request())
            await asyncio.sleep(0.05)
            second.cancel()
            await asyncio.sleep(0)
            assert second.cancelled()
            door.present(sim.MifareClassic1K(uid=UID))
            assert (await first).uid.hex() == UID

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_edges_of_other_lines_are_not_lost(hw_board: sim.Board) -> None:
    hw_board.attach_rc522()

    async def main() -> None:
        with gpio.Input("GPIO17", bias="pull_up") as button:
            async with rc522.Reader() as reader:
                edges = 0
                level = 0
                for step in range(40):
                    task = asyncio.ensure_future(reader.wait_for_tag())
                    edge = asyncio.ensure_future(button.wait_for_edge())
                    await asyncio.sleep(step * 61e-6)
                    hw_board.line("GPIO17").drive(level)
                    level ^= 1
                    task.cancel()
                    await edge
                    edges += 1
                assert edges == 40

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_a_thousand_cancels_leave_nothing(hw_board: sim.Board) -> None:
    hw_board.attach_rc522()

    async def main() -> None:
        async with rc522.Reader() as reader:
            for step in range(1000):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.wait_for_tag(), step % 50 * 1e-4)

    pyasync_hw.run(main(), clock=hw_board.clock)
