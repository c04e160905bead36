"""What the readers promise about the field: cheap polls, no tag missed or seen twice."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

import pyasync_hw
from pyasync_hw import rc522, sim
from pyasync_hw.errors import RC522Error, TagTimeoutError

INTERVAL = rc522.POLL_INTERVAL
GUARD = 0.005  # ISO/IEC 14443-3: from field on until a card must listen


@pytest.mark.parametrize("irq", ["GPIO24", None])
def test_request_without_a_tag_is_cheap(hw_board: sim.Board, irq: str | None) -> None:
    hw_board.attach_rc522()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with rc522.Reader(irq=irq) as reader:
            guard_over = loop.time() + GUARD
            for _ in range(2):
                earliest = max(guard_over, loop.time())
                messages = reader.spi.messages
                with pytest.raises(TagTimeoutError):
                    await reader.request()
                assert reader.spi.messages - messages < 10
                assert loop.time() - earliest < 0.010

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize("irq", ["GPIO24", None])
def test_a_poll_is_few_messages(hw_board: sim.Board, irq: str | None) -> None:
    hw_board.attach_rc522()

    async def main() -> None:
        async with rc522.Reader(irq=irq) as reader:
            messages = reader.spi.messages
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.wait_for_tag(), 10)
            polls = 10 / INTERVAL
            # One request more at first, for a card that is awake; one cancel.
            assert reader.spi.messages - messages <= (2 if irq else 3) * (polls + 2) + 1
            assert reader.stats.exchanges >= polls - 1

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize("irq", ["GPIO24", None])
@pytest.mark.parametrize(
    "speed_hz", [100_000, 250_000, 500_000, 1_000_000, 4_000_000, 8_000_000, 10_000_000]
)
def test_slow_card_is_detected_at_any_speed(
    hw_board: sim.Board, speed_hz: int, irq: str | None
) -> None:
    door = hw_board.attach_rc522(power_up=0.005)
    door.present(sim.MifareClassic1K(uid="a61d227e"))

    async def main() -> None:
        async with rc522.Reader(speed_hz=speed_hz, irq=irq) as reader:
            tag = await asyncio.wait_for(reader.wait_for_tag(), 0.1)
            assert tag.uid.hex() == "a61d227e"
            await tag.authenticate(4)
            await tag.write(4, bytes(range(16)))
            assert await tag.read(4) == bytes(range(16))

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize("irq", ["GPIO24", None])
@pytest.mark.parametrize("speed_hz", [100_000, 4_000_000])
def test_a_thousand_random_arrivals_are_each_seen_once(
    hw_board: sim.Board, speed_hz: int, irq: str | None
) -> None:
    door = hw_board.attach_rc522()
    rng = random.Random(522)
    cards = [
        sim.MifareClassic1K(uid=rng.randbytes(3).hex() + "7e" + ("" if i % 2 else "a1b2c3"))
        for i in range(10)
    ]
    arrived: list[str] = []
    seen: list[str] = []

    async def visitors() -> None:
        for _ in range(1000):
            card = rng.choice(cards)
            card.power_up = rng.uniform(0.0001, 0.005)
            arrived.append(card.uid.hex())
            door.present(card)
            await asyncio.sleep(2 * INTERVAL + 0.005 + rng.expovariate(1 / 0.03))
            assert len(seen) == len(arrived)
            door.remove(card)
            await asyncio.sleep(rng.choice((0.0001, 0.01, 0.1)) * rng.random())

    async def watch() -> None:
        async with rc522.Reader(speed_hz=speed_hz, irq=irq) as reader:
            while True:
                tag = await reader.wait_for_tag()
                seen.append(tag.uid.hex())
                if rng.random() < 0.3:
                    with contextlib.suppress(RC522Error):  # a slow bus, a short visit
                        await tag.authenticate(4)
                        await tag.read(4)

    async def main() -> None:
        watcher = asyncio.ensure_future(watch())
        await asyncio.sleep(0.1)
        await visitors()
        await asyncio.sleep(0.2)
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)

    pyasync_hw.run(main(), clock=hw_board.clock)
    assert seen == arrived


def test_crowds_that_come_and_go(hw_board: sim.Board) -> None:
    """Up to six cards at once: every one is seen once, and again when it comes back."""
    door = hw_board.attach_rc522()
    rng = random.Random(14443)
    cards = {f"{i:02x}{rng.randrange(2**24):06x}" for i in range(1, 7)}

    async def main() -> None:
        async with rc522.Reader() as reader:
            for _ in range(50):
                crowd = rng.sample(sorted(cards), rng.randrange(1, 7))
                for uid in crowd:
                    door.present(sim.MifareClassic1K(uid=uid))
                found = [
                    (await asyncio.wait_for(reader.wait_for_tag(), 0.5)).uid.hex() for _ in crowd
                ]
                assert sorted(found) == sorted(crowd)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.wait_for_tag(), 0.2)
                door.remove()

    pyasync_hw.run(main(), clock=hw_board.clock)


def test_two_readers_on_one_bus(hw_board: sim.Board) -> None:
    doors = [
        hw_board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25"),
        hw_board.attach_rc522("spi0.1", irq="GPIO23", reset=None),
    ]

    async def main() -> None:
        async with rc522.Reader("spi0.0") as front, rc522.Reader("spi0.1") as back:
            doors[1].present(sim.MifareClassic1K(uid="11111111"), at=0.3)
            doors[0].present(sim.MifareClassic1K(uid="22222222"), at=0.3)
            tags = await asyncio.gather(front.wait_for_tag(), back.wait_for_tag())
            assert [tag.uid.hex() for tag in tags] == ["22222222", "11111111"]
            for tag in tags:
                await tag.authenticate(4)
            assert await asyncio.gather(*(tag.read(4) for tag in tags)) == [bytes(16)] * 2

    pyasync_hw.run(main(), clock=hw_board.clock)
