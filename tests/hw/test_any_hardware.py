"""What holds on any hardware: run it on yours by `pytest --hw real --board board.toml`."""

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
                for level in (1, 0, 1, 0):
                    out.value = level
                async with asyncio.timeout(PATIENCE_S):
                    return [await into.wait_for_edge() for _ in range(4)]

        events = hw_run(main())
        assert [event.event_type for event in events] == ["rising", "falling"] * 2
        times = [event.timestamp_ns for event in events]
        assert times == sorted(times)
        assert len({event.line_seqno for event in events}) == 4

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
