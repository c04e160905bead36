"""Whose turn it is on a bus: the same for SPI and I2C, for tasks, threads and who locks it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, i2c, rc522, sim, spi

Run = Callable[[Coroutine[Any, Any, None]], None]
LONG = bytes(1000)  # some ms: by the executor


class Part:
    """What a test holds up, on either bus; it keeps the first byte of each message."""

    def __init__(self) -> None:
        self.log = b""
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.held_up = False
        self.burnt = False

    def transfer(self, data: bytes) -> bytes:
        self.write(data)
        return data

    def write(self, data: bytes) -> None:
        if self.burnt:
            raise OSError(errno.EIO, "burnt")
        self.log += data[:1]
        if self.held_up:
            self.begun.release()
            assert self.go_on.acquire(timeout=60)

    def read(self, n: int) -> bytes:
        return bytes(n)


class Bench:
    """A board with such a part on its bus, and two ways of who has no object in common there."""

    def __init__(self, kind: str, clock: pyasync_hw.VirtualClock | None = None) -> None:
        self.part = Part()
        self.board = sim.Board("pi-5", clock=clock)
        self.devices: list[Any] = []
        if kind == "spi":
            for cs in (0, 1):
                self.board.attach_spi(0, cs, self.part)
                self.devices.append(spi.Device(f"spi0.{cs}", speed_hz=1_000_000, board=self.board))
            self.lock = self.devices[0].lock
            self.blocking_lock = self.devices[1].blocking.lock
        else:
            self.board.attach_i2c(1, 0x20, self.part)
            self.devices = [i2c.Device(1, 0x20, board=self.board) for _ in range(2)]
            self.lock = self.devices[0].bus.lock
            self.blocking_lock = self.devices[1].bus.blocking.lock
        core = self.devices[0]
        self.core = core.core if kind == "spi" else core.bus.blocking.core
        self.kind = kind

    def send(self, which: int, tag: bytes) -> Awaitable[Any]:
        device = self.devices[which]
        return device.transfer(tag) if self.kind == "spi" else device.write(tag)

    def send_blocking(self, which: int, tag: bytes) -> None:
        device = self.devices[which].blocking
        _ = device.transfer(tag) if self.kind == "spi" else device.write(tag)

    async def hold_up(self) -> asyncio.Future[Any]:
        """A message that has the bus until go_on()."""
        self.part.held_up = True
        task = asyncio.ensure_future(self.send(0, b"0" + LONG))
        await asyncio.get_running_loop().run_in_executor(None, self.part.begun.acquire)
        self.part.held_up = False
        return task

    def go_on(self) -> None:
        self.part.go_on.release()

    async def wait_for(self, waiting: int) -> None:
        while self.core.waiting != waiting:
            await asyncio.sleep(0.001)

    def close(self) -> None:
        for device in self.devices:
            device.close()
        self.board.close()


@pytest.fixture(params=["spi", "i2c"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(request.param)
    yield bench
    bench.close()


@pytest.fixture(params=[pyasync_hw.run, asyncio.run], ids=["ours", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.param
    return found


def test_order_of_arrival_for_tasks_and_threads_of_all_objects(bench: Bench, run: Run) -> None:
    async def main() -> None:
        first = await bench.hold_up()
        tasks = [asyncio.ensure_future(bench.send(n % 2, b"%d" % n)) for n in (1, 2)]
        await bench.wait_for(2)
        threads = []
        for n in (3, 4):
            threads.append(threading.Thread(target=bench.send_blocking, args=(n % 2, b"%d" % n)))
            threads[-1].start()
            await bench.wait_for(n)
        tasks.append(asyncio.ensure_future(bench.send(1, b"5" + LONG)))
        await bench.wait_for(5)
        bench.go_on()
        await asyncio.gather(first, *tasks)
        for thread in threads:
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

    run(main())
    assert bench.part.log == b"012345"


def test_who_is_cancelled_while_it_waits_never_sends(bench: Bench, run: Run) -> None:
    async def main() -> None:
        first = await bench.hold_up()
        waits, after = (asyncio.ensure_future(bench.send(1, tag)) for tag in (b"1", b"2"))
        await bench.wait_for(2)
        waits.cancel()
        await bench.wait_for(1)
        bench.go_on()
        await asyncio.gather(first, after)
        assert waits.cancelled()

    run(main())
    assert bench.part.log == b"02"


def test_a_close_tells_who_waits_at_once(bench: Bench, run: Run) -> None:
    async def main() -> None:
        first = await bench.hold_up()
        told: list[BaseException] = []

        def block() -> None:
            try:
                bench.send_blocking(1, b"1")
            except OSError as error:
                told.append(error)

        thread = threading.Thread(target=block)
        thread.start()
        await bench.wait_for(1)
        waits, stays = (asyncio.ensure_future(bench.send(n, b"%d" % n)) for n in (1, 0))
        await bench.wait_for(3)
        bench.devices[1].close()
        with pytest.raises(OSError, match="closed while it was waited for") as info:
            await waits
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        assert {info.value.errno, told[0].errno} == {errno.EBADF}  # type: ignore[attr-defined]
        assert not first.done()
        bench.go_on()
        await asyncio.gather(first, stays)

    run(main())
    assert bench.part.log == b"00"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_message_that_fails_passes_the_bus_on(bench: Bench, run: Run) -> None:
    async def main() -> None:
        first = await bench.hold_up()
        after = [asyncio.ensure_future(bench.send(1, b"%d" % n)) for n in range(2)]
        await bench.wait_for(2)
        bench.part.burnt = True
        bench.go_on()
        await first
        assert {type(one) for one in await asyncio.gather(*after, return_exceptions=True)} == {
            OSError
        }
        bench.part.burnt = False
        await bench.send(0, b"3")

    run(main())
    assert bench.part.log == b"03"


def test_a_lock_lets_in_its_own_task_only(bench: Bench, run: Run) -> None:
    async def main() -> None:
        async with bench.lock():
            others = [asyncio.ensure_future(bench.send(n, b"%d" % n)) for n in (0, 1)]
            thread = threading.Thread(target=bench.send_blocking, args=(1, b"2"))
            await bench.wait_for(2)
            thread.start()
            await bench.wait_for(3)
            await bench.send(1, b"a")
            async with bench.lock():
                await bench.send(0, b"b" + LONG)
            await bench.send(0, b"c")
            others[0].cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(None, thread.join)

    run(main())
    assert bench.part.log == b"abc12"


def test_a_lock_is_given_back_by_who_fails_or_is_cancelled(bench: Bench, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ArithmeticError):
            async with bench.lock():
                raise ArithmeticError

        async def wait() -> None:
            async with bench.lock():
                await asyncio.Event().wait()

        has, waits = asyncio.ensure_future(wait()), asyncio.ensure_future(wait())
        await bench.wait_for(1)
        waits.cancel()
        await bench.wait_for(0)
        has.cancel()
        await bench.send(0, b"1")
        await asyncio.gather(has, waits, return_exceptions=True)

    run(main())
    assert bench.part.log == b"1"


def test_a_lock_that_blocks(bench: Bench) -> None:
    with bench.blocking_lock(), bench.blocking_lock():
        bench.send_blocking(0, b"0")
        thread = threading.Thread(target=bench.send_blocking, args=(1, b"1"))
        thread.start()
        while bench.core.waiting != 1:
            pass
        bench.send_blocking(1, b"a")
    thread.join(60)
    assert bench.part.log == b"0a1"


def test_a_lock_that_blocks_is_entered_once_and_may_be_left_meanwhile(bench: Bench) -> None:
    held, message = bench.core.hold(), bench.core.hold()
    held.block()
    entered: list[BaseException] = []

    def enter() -> None:
        try:
            message.block()
        except RuntimeError as error:
            entered.append(error)

    threads = [threading.Thread(target=enter) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(entered) != 1 or bench.core.waiting != 1:
        threads[0].join(0.001)
    message.leave()
    for thread in threads:
        thread.join()
    assert len(entered) == 2
    assert bench.core.waiting == 0
    held.leave()
    bench.send_blocking(0, b"1")


@pytest.mark.parametrize("new_loop", [pyasync_hw.new_event_loop, asyncio.new_event_loop])
def test_all_that_wait_on_a_closed_loop_let_go(
    bench: Bench,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda failure: refused.append(failure.exc_type))
    held = bench.core.hold()
    messages = [bench.core.hold() for _ in range(5000)]

    def fill_and_leave() -> None:
        loop = new_loop()
        assert held.enter(loop) is None
        for message in messages:
            turn = message.enter(loop)
            assert turn is not None
            turn.add_done_callback(refused.append)
        loop.close()
        held.leave()

    size = threading.stack_size(256 * 1024)
    thread = threading.Thread(target=fill_and_leave)
    thread.start()
    threading.stack_size(size)
    thread.join()
    assert refused == [RuntimeError] * len(messages)
    bench.send_blocking(0, b"1")
    assert bench.part.log == b"1"


@pytest.mark.parametrize("kind", ["spi", "i2c"])
def test_a_thread_that_waits_lets_virtual_time_pass(kind: str) -> None:
    clock = pyasync_hw.VirtualClock()
    bench = Bench(kind, clock)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with bench.lock():
            sent = loop.run_in_executor(None, bench.send_blocking, 1, b"1")
            await bench.wait_for(1)
            await asyncio.sleep(3600)
            assert not sent.done()
        await sent

    pyasync_hw.run(main(), clock=clock)
    assert bench.part.log == b"1"
    bench.close()


@pytest.mark.parametrize("kind", ["spi", "i2c"])
def test_no_virtual_time_passes_for_a_wait_between_threads(kind: str) -> None:
    bench = Bench(kind, pyasync_hw.VirtualClock())
    bench.board.line(17).drive(0, at=3600)
    line = gpio.Input(17, board=bench.board)  # the hour begins
    held = bench.core.hold()
    held.block()
    thread = threading.Thread(target=bench.send_blocking, args=(1, b"1"))
    thread.start()
    while not bench.core.waiting:
        pass
    thread.join(0.05)  # it has every opportunity
    held.leave()
    thread.join()
    assert bench.board.time() < 1
    line.close()
    bench.close()


def test_a_lock_that_blocks_is_not_for_a_loops_thread(bench: Bench, run: Run) -> None:
    async def main() -> None:
        with bench.blocking_lock():  # the bus is free
            pass
        first = await bench.hold_up()
        with pytest.raises(RuntimeError, match="would hold up the loop"), bench.blocking_lock():
            pass
        bench.go_on()
        await first

    run(main())


def test_a_closed_device_takes_no_turn(bench: Bench, run: Run) -> None:
    async def main() -> None:
        device = bench.devices[0]
        lock, blocking_lock = bench.lock(), bench.blocking_lock()
        for one in bench.devices:
            one.close()
        with pytest.raises(ValueError, match="is closed"):
            await bench.send(0, b"a")
        with pytest.raises(ValueError, match="is closed"):
            bench.send_blocking(0, b"a")
        with pytest.raises(ValueError, match="is closed"):
            async with lock:
                pass
        with pytest.raises(ValueError, match="is closed"), blocking_lock:
            pass
        assert device.closed

    run(main())


def test_time_goes_on_while_a_job_waits_for_its_turn(bench: Bench) -> None:
    clock = pyasync_hw.VirtualClock()

    async def main() -> None:
        async with bench.lock():
            job = asyncio.ensure_future(asyncio.to_thread(bench.send_blocking, 1, b"1"))
            while bench.core.waiting < 1:
                await asyncio.sleep(0)
            await asyncio.sleep(1)
            await bench.send(0, b"0")
        await job
        assert 1_000_000_000 <= clock.time_ns() < 1_100_000_000

    pyasync_hw.run(main(), clock=clock)
    assert bench.part.log == b"01"


# -- a reader is one of those who wait ---------------------------------------------

UID = "a61d227e"


@pytest.fixture(params=["ours", "virtual", "asyncio"])
def run_reader(request: pytest.FixtureRequest, hw_board: sim.Board) -> Iterator[Run]:
    hw_board.attach_rc522("spi0.0").present(sim.MifareClassic1K(uid=UID))
    if request.param == "asyncio":
        yield asyncio.run
    else:
        clock = hw_board.clock if request.param == "virtual" else None
        yield lambda main: pyasync_hw.run(main, clock=clock)


def test_a_reader_waits_for_a_lock_and_its_loop_goes_on(run_reader: Run) -> None:
    async def main() -> None:
        async with rc522.Reader() as reader, spi.Device("spi0.1") as other:
            before = other.stats
            async with other.lock():
                finding = asyncio.ensure_future(reader.wait_for_tag())
                while other.core.waiting < 1:
                    await asyncio.sleep(0.001)
                sent = reader.spi.messages
                for _ in range(5):
                    await asyncio.sleep(0.01)
                    await other.transfer(b"a")
                assert (reader.spi.messages, finding.done()) == (sent, False)
            assert (await finding).uid.hex() == UID
            assert other.stats.messages == before.messages + 5

    run_reader(main())


def test_a_reader_is_let_in_by_its_own_tasks_lock(run_reader: Run) -> None:
    async def main() -> None:
        async with rc522.Reader() as reader, spi.Device("spi0.1") as other:
            async with other.lock():
                tag = await reader.wait_for_tag()
                await other.transfer(b"a")
                assert tag.uid.hex() == UID
            await tag.halt()
            with other.blocking.lock():  # of this thread
                assert await reader.request(wakeup=True)

    run_reader(main())


def test_a_reader_that_waits_for_the_bus_is_cancelled_and_closed(run_reader: Run) -> None:
    async def main() -> None:
        async with rc522.Reader() as reader, spi.Device("spi0.1") as other:
            async with other.lock():
                for _ in range(3):
                    finding = asyncio.ensure_future(reader.wait_for_tag())
                    while other.core.waiting < 1:
                        await asyncio.sleep(0.001)
                    finding.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await finding
                    assert other.core.waiting == 0
            assert (await reader.wait_for_tag()).uid.hex() == UID
            async with other.lock():
                finding = asyncio.ensure_future(reader.wait_for_tag())
                while other.core.waiting < 1:
                    await asyncio.sleep(0.001)
                reader.close()
                with pytest.raises(OSError) as info:
                    await finding
                assert info.value.errno == errno.EBADF
                assert other.core.waiting == 0
            await other.transfer(b"a")

    run_reader(main())


def test_readers_and_others_share_a_busy_bus(run_reader: Run) -> None:
    async def send(device: spi.Device, stop: asyncio.Event) -> int:
        count = 0
        while not stop.is_set():
            await device.transfer(bytes(200))
            count += 1
        return count

    async def main() -> None:
        stop = asyncio.Event()
        async with rc522.Reader() as reader, spi.Device("spi0.1", speed_hz=1_000_000) as other:
            busy = [asyncio.ensure_future(send(other, stop)) for _ in range(3)]
            tag = await reader.wait_for_tag()
            assert isinstance(tag, pyasync_hw.tags.MifareClassic)
            await tag.authenticate(4)
            await tag.write(4, bytes(range(16)))
            assert await tag.read(4) == bytes(range(16))
            stop.set()
            assert min(await asyncio.gather(*busy)) > 0

    run_reader(main())


def test_a_reader_that_blocks_waits_too_but_its_close_does_not(hw_board: sim.Board) -> None:
    hw_board.attach_rc522("spi0.0").present(sim.MifareClassic1K(uid=UID))
    reader, other = rc522.Reader(), spi.Device("spi0.1")
    reader.blocking.open()
    held, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with other.blocking.lock():
            held.set()
            assert enough.wait(60)

    holding = threading.Thread(target=hold)
    holding.start()
    assert held.wait(60)
    asking = threading.Thread(target=reader.blocking.wait_for_tag)
    sent = reader.spi.messages
    asking.start()
    while other.core.waiting < 1:
        assert asking.is_alive()
    assert reader.spi.messages == sent
    enough.set()
    asking.join(60)
    holding.join(60)
    held.clear(), enough.clear()
    holding = threading.Thread(target=hold)
    holding.start()
    assert held.wait(60)
    sent = reader.spi.messages
    reader.close()
    assert reader.spi.messages > sent
    enough.set()
    holding.join(60)
    other.close()


def test_a_reader_whose_loop_stands_still_ends_without_a_turn(hw_board: sim.Board) -> None:
    hw_board.attach_rc522("spi0.0").present(sim.MifareClassic1K(uid=UID))
    reader, other = rc522.Reader(), spi.Device("spi0.1")
    loop = pyasync_hw.new_event_loop()

    async def hold() -> None:
        async with other.lock():
            await loop.create_future()

    async def until_it_waits() -> None:
        while other.core.waiting < 1:
            await asyncio.sleep(0.001)

    loop.run_until_complete(reader.open())
    holding = loop.create_task(hold())
    coroutine = reader.wait_for_tag()
    finding = loop.create_task(coroutine)
    loop.run_until_complete(until_it_waits())
    sent = reader.spi.messages
    coroutine.close()  # as a loop that is closed drops it
    assert reader.spi.messages > sent and other.core.waiting == 0
    for task in (holding, finding):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(asyncio.gather(holding, finding))
    loop.close()
    reader.close()
    other.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_by_a_signal_handler_ends_the_childs_wait(bench: Bench) -> None:
    parent, children, outcome = os.getpid(), [], "sent"
    held = bench.core.hold()

    def fork(*_: object) -> None:
        children.append(os.fork())
        signal.alarm(0 if children[0] else 30)

    def hold() -> None:
        held.block()
        has_bus.set()
        while not bench.core.waiting:
            pass
        os.kill(parent, signal.SIGUSR1)
        while not children:
            pass
        held.leave()

    has_bus = threading.Event()
    before = signal.signal(signal.SIGUSR1, fork)
    thread = threading.Thread(target=hold)
    thread.start()
    has_bus.wait()
    try:
        bench.send_blocking(0, b"1")
    except RuntimeError as error:
        outcome = str(error)
    if os.getpid() != parent:
        os._exit(0 if "can't be used after fork" in outcome else 1)
    thread.join()
    signal.signal(signal.SIGUSR1, before)
    assert outcome == "sent"
    assert os.waitpid(children[0], 0)[1] == 0
