"""SPI on a loop: messages that take their turn on the bus, and are cancelled between frames."""

from __future__ import annotations

import asyncio
import errno
import random
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import _core, executor, hardware, sim, spi
from pyasync_hw.spi import Transfer

Main = Callable[[], Coroutine[Any, Any, None]]
LOOPS = [pytest.param(pyasync_hw.run, id="ours"), pytest.param(asyncio.run, id="asyncio")]
LONG = bytes(4000)  # 32 ms at 1 MHz


class Echo:
    """A part that answers complements, and keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def transfer(self, data: bytes) -> bytes:
        self.frames.append(data)
        return bytes(byte ^ 0xFF for byte in data)


class Wire(hardware.KernelBackend):
    """The bus as a Python object that a test holds up: of what _core.adapt_spi() makes devices."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.held_up = False

    def transfer(self, transfers: list[tuple[bytes, int, int, bool, int]]) -> list[bytes]:
        data = [transfer[0] for transfer in transfers]
        self.sent.append(b"".join(data))
        if self.held_up:
            self.begun.release()
            self.go_on.acquire()
        return data

    def open_spi(
        self, bus: int, cs: int, speed_hz: int = 1_000_000, mode: int = 0
    ) -> _core.SPIDevice:
        return _core.adapt_spi(self, f"spi{bus}.{cs}", speed_hz, mode)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def frames(*data: bytes) -> list[Transfer | bytes]:
    return [Transfer(one, cs_change=True) for one in data[:-1]] + [data[-1]]


async def in_thread(function: Callable[..., object], *args: object) -> object:
    return await asyncio.get_running_loop().run_in_executor(None, function, *args)


@pytest.mark.parametrize("run", LOOPS)
def test_the_words_are_those_of_the_blocking_face(run: Callable[..., None]) -> None:
    async def main() -> None:
        with sim.Board() as board, spi.Device("spi0.0", speed_hz=1_000_000) as device:
            board.attach_spi(0, 0, Echo())
            for size in (1, 25, 26, 1000):  # inline up to 200 us
                data = bytes(range(size % 256)) * (size // 256 or 1)
                assert await device.transfer(data) == device.blocking.transfer(data)
            message = frames(b"\x01", b"\x02\x03")
            assert await device.message(message) == [b"\xfe", b"\xfd\xfc"]
            assert await device.transfer(3) == b"\xff\xff\xff"
            with pytest.raises(ValueError, match="at least one"):
                await device.message([])
            device.close()
            with pytest.raises(ValueError, match="closed"):
                await device.transfer(b"a")

    run(main())


def test_what_takes_long_is_sent_by_another_thread(wire: Wire) -> None:
    where: list[int] = []
    send = wire.transfer

    def transfer(transfers: list[tuple[bytes, int, int, bool, int]]) -> list[bytes]:
        where.append(threading.get_ident())
        return send(transfers)

    wire.transfer = transfer  # type: ignore[method-assign]

    async def main() -> None:
        with spi.Device("spi7.0", speed_hz=1_000_000, board=wire) as device:
            await device.transfer(bytes(25))  # 200 us
            await device.transfer(bytes(26))
            await device.message([Transfer(b"a", delay_us=201)])
            await device.message(frames(*[b"a"] * 15))  # 8 us and 10 us each

    pyasync_hw.run(main())
    me = threading.get_ident()
    assert [one == me for one in where] == [True, False, False, False]


@pytest.mark.parametrize("run", LOOPS)
def test_turns_are_in_order_of_arrival(wire: Wire, run: Callable[..., None]) -> None:
    async def main() -> None:
        wire.held_up = True
        with (
            spi.Device("spi7.0", speed_hz=1_000_000, board=wire) as one,
            spi.Device("spi7.1", speed_hz=1_000_000, board=wire) as two,
            spi.Device("spi8.0", speed_hz=1_000_000, board=wire) as elsewhere,
        ):
            tasks = [asyncio.ensure_future(one.transfer(b"0" + LONG))]
            await in_thread(wire.begun.acquire)
            tasks += [asyncio.ensure_future(two.transfer(b"%d" % n)) for n in (1, 2)]
            await asyncio.sleep(0)  # they are in the queue
            thread = threading.Thread(target=two.blocking.transfer, args=(b"3",))
            thread.start()
            while two.core.waiting < 3:
                await asyncio.sleep(0.001)
            tasks.append(asyncio.ensure_future(one.transfer(b"4" + LONG)))
            await asyncio.sleep(0)
            assert one.core.waiting == 4
            wire.held_up = False
            assert await elsewhere.transfer(b"other") == b"other"
            wire.go_on.release()
            await asyncio.gather(*tasks)
            await in_thread(thread.join)
        assert [data[:1] for data in wire.sent] == [b"0", b"o", b"1", b"2", b"3", b"4"]

    run(main())


def test_a_cancel_ends_between_two_frames(wire: Wire) -> None:
    async def main() -> None:
        wire.held_up = True
        with spi.Device("spi7.0", speed_hz=1_000_000, board=wire) as device:
            data = [bytes([n]) * 1000 for n in range(8)]  # 8 ms each: each is a segment
            task = asyncio.ensure_future(device.message(frames(*data)))
            await in_thread(wire.begun.acquire)
            wire.go_on.release()
            await in_thread(wire.begun.acquire)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            after = asyncio.ensure_future(device.transfer(b"next"))
            await asyncio.sleep(0)
            assert wire.sent == data[:2]  # and the second one still has the bus
            wire.held_up = False
            wire.go_on.release()
            assert await after == b"next"
        assert wire.sent == [*data[:2], b"next"]

    pyasync_hw.run(main())


def test_who_is_cancelled_gives_its_turn_to_the_next(wire: Wire) -> None:
    async def main() -> None:
        wire.held_up = True
        with spi.Device("spi7.0", speed_hz=1_000_000, board=wire) as device:
            first = asyncio.ensure_future(device.transfer(LONG))
            await in_thread(wire.begun.acquire)
            waits = asyncio.ensure_future(device.transfer(b"waits"))
            woken = asyncio.ensure_future(device.transfer(b"woken"))
            last = asyncio.ensure_future(device.transfer(b"last"))
            await asyncio.sleep(0)
            waits.cancel()
            while device.core.waiting > 2:
                await asyncio.sleep(0)
            wire.held_up = False
            wire.go_on.release()
            while device.core.waiting > 1:
                time.sleep(0.001)
            woken.cancel()  # its turn has come, and it does not know yet
            assert await last == b"last"
            await first
            for task in (waits, woken):
                with pytest.raises(asyncio.CancelledError):
                    await task
        assert wire.sent == [LONG, b"last"]

    pyasync_hw.run(main())


def test_a_job_that_waits_for_its_turn_is_cancelled(wire: Wire) -> None:
    async def main() -> None:
        wire.held_up = True
        with spi.Device("spi7.0", speed_hz=1_000_000, board=wire) as device:
            first = asyncio.ensure_future(device.transfer(LONG))
            await in_thread(wire.begun.acquire)
            ended: list[type[BaseException]] = []

            def job() -> None:
                try:
                    device.blocking.transfer(b"never")
                except BaseException as error:
                    ended.append(type(error))

            with executor.ThreadPoolExecutor(1) as pool:
                future = asyncio.get_running_loop().run_in_executor(pool, job)
                while device.core.waiting < 1:
                    await asyncio.sleep(0.001)
                future.cancel()
                while not ended:
                    await asyncio.sleep(0.001)
            assert ended == [CancelledError]
            wire.held_up = False
            wire.go_on.release()
            await first
        assert wire.sent == [LONG]

    pyasync_hw.run(main())


def test_a_blocking_call_on_a_loop_does_not_wait_for_that_loop(wire: Wire) -> None:
    async def main() -> None:
        wire.held_up = True
        with spi.Device("spi7.0", speed_hz=1_000_000, board=wire) as device:
            first = asyncio.ensure_future(device.transfer(LONG))
            await in_thread(wire.begun.acquire)
            second = asyncio.ensure_future(device.transfer(b"second"))
            await asyncio.sleep(0)
            wire.held_up = False
            assert device.blocking.transfer(b"now") == b"now"
            wire.go_on.release()
            await first
            assert await second == b"second"

    pyasync_hw.run(main())


def test_a_reader_shares_the_bus(hw_board: sim.Board) -> None:
    hw_board.attach_rc522("spi0.0").present(sim.MifareClassic1K(uid="a61d227e"))
    hw_board.attach_spi(0, 1, Echo())

    async def main() -> None:
        with spi.Device("spi0.1", speed_hz=1_000_000) as device:
            busy = asyncio.ensure_future(send_always(device))
            async with pyasync_hw.rc522.Reader() as reader:
                tag = await reader.wait_for_tag()
                assert tag.uid == bytes.fromhex("a61d227e")
            busy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await busy

    async def send_always(device: spi.Device) -> None:
        while True:
            await device.message(frames(*[b"\x55" * 100] * 20))

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize("run", LOOPS)
def test_errors_reach_who_awaits_and_the_bus_goes_on(run: Callable[..., None]) -> None:
    class Broken(Echo):
        def transfer(self, data: bytes) -> bytes:
            if data[0] == 0:
                raise OSError(errno.EIO, "burnt")
            return super().transfer(data)

    async def main() -> None:
        with sim.Board() as board, spi.Device("spi0.0", speed_hz=1_000_000) as device:
            board.attach_spi(0, 0, Broken())
            for size in (1, 100):
                results = await asyncio.gather(
                    device.transfer(bytes(size)),
                    device.transfer(b"\x01" * size),
                    return_exceptions=True,
                )
                assert isinstance(results[0], OSError)
                assert results[1] == b"\xfe" * size
            board.close()
            with pytest.raises(OSError, match="unplugged") as info:
                await device.transfer(b"a")
            assert info.value.errno == errno.ESHUTDOWN

    run(main())


def test_10000_cancels_at_random(hw_board: sim.Board) -> None:
    echo, other = Echo(), Echo()
    hw_board.attach_spi(0, 0, echo)
    hw_board.attach_spi(0, 1, other)
    dice = random.Random(11)
    ended = {"sent": 0, "cancelled": 0}

    async def one(device: spi.Device) -> None:
        data = [bytes([n]) * dice.randint(1, 60) for n in range(dice.randint(1, 8))]
        answers = await device.message(frames(*data))
        assert answers == [bytes(byte ^ 0xFF for byte in frame) for frame in data]

    async def main() -> None:
        with (
            spi.Device("spi0.0", speed_hz=1_000_000) as first,
            spi.Device("spi0.1", speed_hz=1_000_000) as second,
        ):
            for _ in range(1000):
                tasks = [
                    asyncio.ensure_future(one(dice.choice((first, second)))) for _ in range(10)
                ]
                for task in tasks:
                    await asyncio.sleep(dice.choice((0, 0, 0.0001, 0.001)))
                    task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    assert result is None or isinstance(result, asyncio.CancelledError), result
                    ended["sent" if result is None else "cancelled"] += 1
            assert await asyncio.gather(first.transfer(b"\x01"), second.transfer(b"\x02")) == [
                b"\xfe",
                b"\xfd",
            ]
            assert first.core.waiting == 0

    pyasync_hw.run(main(), clock=hw_board.clock)
    assert sum(ended.values()) == 10_000
    assert ended["sent"] > 100 and ended["cancelled"] > 100
    for frame in echo.frames + other.frames:
        assert len(set(frame)) == 1  # none is half of one, or two in one
