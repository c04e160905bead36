"""What holds on any hardware: run it on yours by `pytest --hw real --board board.toml`.

What it needs is wired as docs/testing.md says: two pins that are connected, MOSI with MISO of
an SPI device, an I2C device that may be read and written, a reader.  An edge is awaited before
the next one is made: a kernel asks the line for its level when it gets to an interrupt, so
edges that follow each other at once may be told as fewer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from pyasync_hw import gpio, i2c, rc522, spi
from pyasync_hw.testing.hardware import Wire

Run = Callable[[Any], Any]

PATIENCE_S = 10.0


@pytest.mark.hw("gpio")
class TestGpio:
    def test_a_level_arrives(self, hw_gpio: Wire) -> None:
        with hw_gpio.output() as out, hw_gpio.input() as into:
            for level in (1, 0, 1):
                out.value = level
                assert (out.value, into.value) == (level, level)

    def test_active_low_is_on_both_ends(self, hw_gpio: Wire) -> None:
        with hw_gpio.output(active_low=True, value=1) as out, hw_gpio.input() as into:
            assert (out.value, into.value) == (1, 0)
            out.off()
            assert (out.value, into.value) == (0, 1)
        with hw_gpio.output() as out, hw_gpio.input(active_low=True) as into:
            assert (out.value, into.value) == (0, 1)

    def test_edges_come_in_order_and_with_times(self, hw_gpio: Wire, hw_run: Run) -> None:
        async def main() -> list[gpio.EdgeEvent]:
            with hw_gpio.output() as out, hw_gpio.input() as into:
                events = []
                async with asyncio.timeout(PATIENCE_S):
                    for level in (1, 0, 1, 0):
                        out.value = level
                        events.append(await into.wait_for_edge())
                return events

        events = hw_run(main())
        assert [event.event_type for event in events] == ["rising", "falling"] * 2
        times = [event.timestamp_ns for event in events]
        assert times == sorted(times)
        assert [event.line_seqno for event in events] == [1, 2, 3, 4]
        assert not any(event.dropped for event in events)

    def test_a_waiting_task_is_woken(self, hw_gpio: Wire, hw_run: Run) -> None:
        async def main() -> str:
            with hw_gpio.output() as out, hw_gpio.input(edges="rising") as into:
                waiter = asyncio.ensure_future(into.wait_for_edge("rising"))
                await asyncio.sleep(0)
                assert not waiter.done()
                out.on()
                return (await asyncio.wait_for(waiter, PATIENCE_S)).event_type

        assert hw_run(main()) == "rising"

    def test_an_edge_is_not_lost_by_a_cancelled_wait(self, hw_gpio: Wire, hw_run: Run) -> None:
        async def main() -> str:
            with hw_gpio.output() as out, hw_gpio.input() as into:
                waiter = asyncio.ensure_future(into.wait_for_edge())
                await asyncio.sleep(0)
                waiter.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiter
                out.on()
                async with asyncio.timeout(PATIENCE_S):
                    return (await into.wait_for_edge()).event_type

        assert hw_run(main()) == "rising"

    def test_waits_that_are_cancelled_lose_no_edge(self, hw_gpio: Wire, hw_run: Run) -> None:
        async def main() -> list[str]:
            seen = []
            with hw_gpio.output() as out, hw_gpio.input() as into:
                for n in range(100):
                    waiter = asyncio.ensure_future(into.wait_for_edge())
                    await asyncio.sleep(0)
                    out.toggle()
                    if n % 2:
                        waiter.cancel()
                        await asyncio.wait([waiter])
                        waiter = asyncio.ensure_future(into.wait_for_edge())
                    seen.append((await asyncio.wait_for(waiter, PATIENCE_S)).event_type)
            return seen

        assert hw_run(main()) == ["rising", "falling"] * 50

    def test_edges_of_one_kind(self, hw_gpio: Wire, hw_run: Run) -> None:
        async def main() -> list[str]:
            with hw_gpio.output() as out, hw_gpio.input(edges="falling") as into:
                seen = []
                for _ in range(3):
                    out.on()
                    out.off()
                    seen.append(await asyncio.wait_for(into.wait_for_edge(), PATIENCE_S))
                return [event.event_type for event in seen]

        assert hw_run(main()) == ["falling"] * 3

    def test_an_active_low_input_has_its_edges(self, hw_gpio: Wire, hw_run: Run) -> None:
        async def main() -> str:
            with hw_gpio.output() as out, hw_gpio.input(active_low=True) as into:
                out.on()
                return (await asyncio.wait_for(into.wait_for_edge(), PATIENCE_S)).event_type

        assert hw_run(main()) == "falling"

    def test_a_debounced_line_tells_a_level_that_stays(self, hw_gpio: Wire, hw_run: Run) -> None:
        async def main() -> str:
            with hw_gpio.output() as out, hw_gpio.input(debounce_period=0.005) as into:
                for level in (1, 0, 1, 0, 1):
                    out.value = level
                return (await asyncio.wait_for(into.wait_for_edge(), PATIENCE_S)).event_type

        assert hw_run(main()) == "rising"

    def test_a_close_ends_a_wait(self, hw_gpio: Wire, hw_run: Run) -> None:
        async def main() -> None:
            with hw_gpio.output():  # or the line would float
                into = hw_gpio.input()
                waiter = asyncio.ensure_future(into.wait_for_edge())
                await asyncio.sleep(0)
                into.close()
                with pytest.raises(OSError, match="closed"):
                    await asyncio.wait_for(waiter, PATIENCE_S)
                with pytest.raises(ValueError, match="closed"):
                    await into.wait_for_edge()

        hw_run(main())

    def test_a_chip_tells_of_its_lines(self, hw_gpio: Wire, hw_board: Any, hw_run: Run) -> None:
        path, offset = hw_board.find_line(hw_gpio.a, hw_gpio.chip)

        async def main() -> list[tuple[str, str]]:
            told = []
            with gpio.Chip(path) as chip:
                assert offset < chip.get_info().num_lines
                assert not chip.watch_line_info(offset).used
                with hw_gpio.output(consumer="the lamp"):
                    info = chip.get_line_info(offset)
                    assert (info.used, info.consumer, info.direction) == (
                        True,
                        "the lamp",
                        "output",
                    )
                for _ in range(2):
                    event = await asyncio.wait_for(chip.next_info_event(), PATIENCE_S)
                    told.append((event.event_type, event.line_info.consumer))
            return told

        assert hw_run(main()) == [("requested", "the lamp"), ("released", "")]

    def test_blocking(self, hw_gpio: Wire) -> None:
        with hw_gpio.output() as out, hw_gpio.input() as into:
            out.on()
            assert into.blocking.wait_for_edge("rising", timeout=PATIENCE_S).event_type == "rising"
            with pytest.raises(TimeoutError):
                into.blocking.wait_for_edge("rising", timeout=0.01)

    def test_a_line_in_use_names_its_holder(self, hw_gpio: Wire) -> None:
        with hw_gpio.output(consumer="the lamp"), pytest.raises(OSError, match="the lamp"):
            gpio.Input(hw_gpio.a, chip=hw_gpio.chip)


@pytest.mark.hw("spi")
class TestSpi:
    def test_what_goes_out_comes_back(self, hw_spi: str) -> None:
        data = bytes(range(256))
        with spi.Device(hw_spi, speed_hz=1_000_000) as device:
            assert device.blocking.transfer(data) == data

    def test_tasks_take_turns(self, hw_spi: str, hw_run: Run) -> None:
        async def main() -> list[bytes]:
            async with spi.Device(hw_spi, speed_hz=1_000_000) as device:
                sent = [device.transfer(bytes([n]) * 64) for n in range(8)]
                return await asyncio.wait_for(asyncio.gather(*sent), PATIENCE_S)

        assert hw_run(main()) == [bytes([n]) * 64 for n in range(8)]

    def test_a_cancelled_transfer_leaves_the_bus_usable(self, hw_spi: str, hw_run: Run) -> None:
        async def main() -> bytes:
            async with spi.Device(hw_spi, speed_hz=1_000_000) as device:
                for _ in range(5):
                    waiter = asyncio.ensure_future(device.transfer(bytes(2048)))
                    await asyncio.sleep(0)
                    waiter.cancel()
                    await asyncio.wait([waiter])
                return await asyncio.wait_for(device.transfer(b"after"), PATIENCE_S)

        assert hw_run(main()) == b"after"

    def test_settings_are_kept(self, hw_spi: str) -> None:
        with spi.Device(hw_spi, speed_hz=500_000, mode=3) as device:
            assert (device.speed_hz, device.mode, device.bits_per_word) == (500_000, 3, 8)
            device.mode = 0
            assert device.blocking.transfer(b"\x55\xaa") == b"\x55\xaa"
            with pytest.raises(ValueError):
                device.blocking.transfer(b"")

    def test_transfers_of_one_message(self, hw_spi: str) -> None:
        with spi.Device(hw_spi, speed_hz=500_000) as device:
            parts = [b"\x01", spi.Transfer(b"\x02\x03", cs_change=True), b"\x04"]
            assert device.blocking.message(parts) == [b"\x01", b"\x02\x03", b"\x04"]

    def test_a_closed_device_says_so(self, hw_spi: str) -> None:
        device = spi.Device(hw_spi)
        device.close()
        with pytest.raises(ValueError, match="closed"):
            device.blocking.transfer(b"\x00")


@pytest.mark.hw("i2c")
class TestI2c:
    def test_it_answers_on_its_address(self, hw_i2c: tuple[int | str, int], hw_run: Run) -> None:
        async def main() -> None:
            async with i2c.Device(*hw_i2c) as device:
                assert len(await device.write_read(b"\x00", 4)) == 4
                assert len(await device.read(1)) == 1
                assert hw_i2c[1] in await device.bus.scan()

        hw_run(main())

    def test_a_bus_is_locked_for_several_messages(
        self, hw_i2c: tuple[int | str, int], hw_run: Run
    ) -> None:
        async def main() -> list[str]:
            order = []
            bus, address = hw_i2c

            async def other(device: i2c.Device) -> None:
                await device.read(1)
                order.append("other")

            async with i2c.Bus(bus) as locked:
                device = locked.device(address)
                async with locked.lock():
                    task = asyncio.ensure_future(other(device))
                    await device.write(b"\x00")
                    await device.read(2)
                    order.append("first")
                await asyncio.wait_for(task, PATIENCE_S)
            return order

        assert hw_run(main()) == ["first", "other"]

    def test_nobody_answers_where_nothing_is(
        self, hw_i2c: tuple[int | str, int], hw_run: Run
    ) -> None:
        async def main() -> None:
            async with i2c.Bus(hw_i2c[0]) as bus:
                there = await bus.scan()
                free = next(n for n in range(0x08, 0x78) if n not in there)
                with pytest.raises(OSError, match=f"{free:#04x}"):
                    await bus.device(free).read(1)

        hw_run(main())

    def test_blocking(self, hw_i2c: tuple[int | str, int]) -> None:
        with i2c.Device(*hw_i2c) as device:
            assert len(device.blocking.write_read(b"\x00", 2)) == 2


@pytest.mark.hw("reader")
class TestReader:
    def test_it_opens_twice(self, hw_reader: rc522.Reader, hw_run: Run) -> None:
        async def main() -> None:
            async with hw_reader:
                assert await hw_reader.open() == await hw_reader.open()

        hw_run(main())

    def test_a_wait_that_is_cancelled_leaves_it_usable(
        self, hw_reader: rc522.Reader, hw_run: Run
    ) -> None:
        async def main() -> None:
            async with hw_reader as reader:
                for _ in range(3):
                    waiter = asyncio.ensure_future(reader.wait_for_tag())
                    await asyncio.sleep(0)
                    waiter.cancel()
                    await asyncio.wait([waiter])
                await reader.open()

        hw_run(main())


@pytest.mark.hw("card")
class TestCard:
    def test_its_uid(self, hw_card: bytes, hw_reader: rc522.Reader, hw_run: Run) -> None:
        async def main() -> bytes:
            async with hw_reader as reader, asyncio.timeout(PATIENCE_S):
                return (await reader.wait_for_tag()).uid

        assert hw_run(main()) == hw_card
