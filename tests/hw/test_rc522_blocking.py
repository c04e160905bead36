"""reader.blocking: in threads, in real and in virtual time, cancelled, interrupted."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, _core, rc522, sim
from pyasync_hw.errors import ChipNotFoundError, NakError, TagTimeoutError
from pyasync_hw.tags import BlockingMifareClassic

UID = "a61d227e"
KEY = b"\xff" * 6


@pytest.fixture(params=["GPIO24", None], ids=["irq", "polled"])
def irq(request: pytest.FixtureRequest) -> str | None:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def door(hw_board: sim.Board) -> sim.SimReader:
    return hw_board.attach_rc522()


@pytest.fixture
def real_door() -> Any:
    """A reader of a board in real time."""
    with sim.Board() as board:
        yield board.attach_rc522()


def test_the_whole_way_in_virtual_time(
    hw_board: sim.Board, door: sim.SimReader, irq: str | None
) -> None:
    door.present(sim.MifareClassic1K(uid=UID), at=3600)
    started = time.monotonic()
    with rc522.Reader(irq=irq) as reader:
        assert reader.version == 0x92
        tag = reader.blocking.wait_for_tag(poll_interval=1)
        assert isinstance(tag, BlockingMifareClassic)
        assert tag.uid.hex() == UID
        with pytest.raises(NakError):
            tag.blocking.read(4)
        tag.blocking.authenticate(4, KEY)
        tag.blocking.write(4, bytes(range(16)))
        assert tag.blocking.read(4) == bytes(range(16))
        tag.blocking.halt()
        assert reader.blocking.request(wakeup=True) == b"\x04\x00"
        assert reader.blocking.anticollision().hex() == "a61d227ee7"
        assert reader.blocking.select().uid == tag.uid
        reader.blocking.authenticate(8, KEY, tag.uid, "A")
        assert reader.blocking.read(8) == bytes(16)
        reader.blocking.write(8, bytes(range(16)))
        reader.blocking.stop_crypto()
        reader.blocking.configure(gain=5)
        assert reader.gain == 5
        reader.blocking.request(wakeup=True)
        assert reader.blocking.transceive_bits(b"\x93\x20")[0].hex() == "a61d227ee7"
    assert not door.field_on
    assert time.monotonic() - started < 30


def test_timeout(hw_board: sim.Board, door: sim.SimReader, irq: str | None) -> None:
    clock = hw_board.clock
    assert clock is not None
    with rc522.Reader(irq=irq) as reader:
        before = clock.time()
        with pytest.raises(TagTimeoutError, match=r"0\.5 seconds"):
            reader.blocking.wait_for_tag(timeout=0.5)
        assert 0.5 <= clock.time() - before < 0.51
        assert door.registers[0x01] & 0x0F == 0
        door.present(sim.MifareClassic1K(uid=UID))
        tag = reader.blocking.wait_for_tag(timeout=0.5)
        with pytest.raises(TagTimeoutError):
            reader.blocking.wait_for_removal(tag, timeout=0.5)
        door.remove()
        reader.blocking.wait_for_removal(tag, timeout=0.5)


def test_no_chip(hw_board: sim.Board) -> None:
    with pytest.raises(ChipNotFoundError):
        rc522.Reader("spi0.0").__enter__()


@pytest.mark.parametrize("how", ["token", "cancel", "close"])
def test_cancelled_from_another_thread(real_door: sim.SimReader, irq: str | None, how: str) -> None:
    token = CancelToken()
    with rc522.Reader(irq=irq) as reader, ThreadPoolExecutor(1) as pool:
        job = pool.submit(reader.blocking.wait_for_tag, None, token)
        while not reader.stats.exchanges:
            assert not job.done()
        if how == "token":
            token.cancel()
        elif how == "cancel":
            reader.blocking.cancel()
        else:
            reader.close()
        with pytest.raises(CancelledError):
            job.result(5)
        assert real_door.registers[0x01] & 0x0F == 0
        assert real_door.registers[0x02] & 0x7F == 0
        assert real_door.field_on == (how != "close")


def test_token_that_was_cancelled_before(hw_board: sim.Board, door: sim.SimReader) -> None:
    token = CancelToken()
    token.cancel()
    with rc522.Reader() as reader:
        messages = reader.spi.messages
        with pytest.raises(CancelledError):
            reader.blocking.wait_for_tag(token=token)
        assert reader.spi.messages == messages
        with pytest.raises(TagTimeoutError):
            reader.blocking.request()


def test_signal_handlers_run_and_may_end_the_wait(
    real_door: sim.SimReader, irq: str | None
) -> None:
    class Stop(Exception):
        pass

    calls: list[int] = []

    def handler(signum: int, frame: object) -> None:
        calls.append(signum)
        if len(calls) == 3:
            raise Stop

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        with rc522.Reader(irq=irq) as reader:
            with pytest.raises(Stop):
                reader.blocking.wait_for_tag(timeout=30)
            assert real_door.registers[0x01] & 0x0F == 0
            signal.setitimer(signal.ITIMER_REAL, 0)
            real_door.present(sim.MifareClassic1K(uid=UID))
            assert reader.blocking.wait_for_tag(timeout=5).uid.hex() == UID
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(calls) >= 3


def test_the_gil_is_released(real_door: sim.SimReader) -> None:
    with rc522.Reader() as reader, ThreadPoolExecutor(1) as pool:
        job = pool.submit(reader.blocking.wait_for_tag)
        real_door.present(sim.MifareClassic1K(uid=UID))  # this thread runs meanwhile
        assert job.result(5).uid.hex() == UID


def test_threads_take_turns(real_door: sim.SimReader) -> None:
    real_door.present(sim.MifareClassic1K(uid=UID))
    with rc522.Reader() as reader, ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(reader.blocking.request, wakeup=True) for _ in range(20)]
        assert [job.result(10) for job in jobs] == [b"\x04\x00"] * 20


def test_a_thread_waits_for_another_no_longer_than_its_timeout(
    real_door: sim.SimReader,
) -> None:
    with rc522.Reader() as reader, ThreadPoolExecutor(1) as pool:
        job = pool.submit(reader.blocking.wait_for_tag)
        while not reader.stats.exchanges:
            assert not job.done()
        with pytest.raises(TagTimeoutError, match="another thread"):
            reader.blocking.wait_for_tag(timeout=0.02)
        reader.blocking.cancel()
        with pytest.raises(CancelledError):
            job.result(5)


def test_blocking_while_a_loop_waits_is_refused(hw_board: sim.Board, door: sim.SimReader) -> None:
    async def main() -> None:
        async with rc522.Reader() as reader:
            waiter = asyncio.ensure_future(reader.wait_for_tag())
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="busy"):
                reader.blocking.request()
            door.present(sim.MifareClassic1K(uid=UID))
            tag = await waiter
            tag.blocking.authenticate(4)
            assert tag.blocking.read(4) == bytes(16)

    pyasync_hw.run(main(), clock=hw_board.clock)


@pytest.mark.parametrize("kind", ["virtual", "native", "asyncio"])
def test_in_an_executor_beside_a_loop(hw_board: sim.Board, door: sim.SimReader, kind: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with rc522.Reader() as reader:
            door.present(sim.MifareClassic1K(uid=UID), at=0.2)
            job = loop.run_in_executor(None, reader.blocking.wait_for_tag)
            await asyncio.sleep(0.05)
            assert not job.done()
            assert (await job).uid.hex() == UID
            job = loop.run_in_executor(None, reader.blocking.wait_for_tag)
            await asyncio.sleep(0.05)
            reader.blocking.cancel()
            with pytest.raises(asyncio.CancelledError):  # asyncio's own, of the same name
                await job

    if kind == "virtual":
        pyasync_hw.run(main(), clock=hw_board.clock)
    else:
        (pyasync_hw.run if kind == "native" else asyncio.run)(main())


def test_arguments(hw_board: sim.Board, door: sim.SimReader) -> None:
    with rc522.Reader() as reader:
        for arguments, what in (
            ({"timeout": float("nan")}, ValueError),
            ({"timeout": "1"}, TypeError),
            ({"token": 1}, TypeError),
            ({"poll_interval": -1}, ValueError),
        ):
            with pytest.raises(what):
                reader.blocking.wait_for_tag(**arguments)  # type: ignore[arg-type]
        with pytest.raises(TagTimeoutError):
            reader.blocking.wait_for_tag(timeout=0)


def test_many_threads_and_cancels(real_door: sim.SimReader) -> None:
    stop = threading.Event()
    with rc522.Reader() as reader:

        def canceller() -> None:
            while not stop.is_set():
                reader.blocking.cancel()
                time.sleep(0.0005)

        thread = threading.Thread(target=canceller)
        thread.start()
        try:
            for _ in range(200):
                with pytest.raises((CancelledError, TagTimeoutError)):
                    reader.blocking.wait_for_tag(timeout=0.02)
        finally:
            stop.set()
            thread.join()
        real_door.present(sim.MifareClassic1K(uid=UID))
        assert reader.blocking.wait_for_tag(timeout=5).uid.hex() == UID


def test_a_bad_timeout_is_told_of_even_when_the_bus_is_closed(hw_board: sim.Board) -> None:
    bus = hw_board.open_spi(0, 0, 4_000_000, 0)
    chip = _core.MFRC522(bus)
    chip.start_halt()
    bus.close()
    with pytest.raises(TypeError):
        chip.run(timeout="soon")  # type: ignore[arg-type]
    assert not chip.busy
    chip.close()


def test_a_close_that_ctrl_c_ends_can_be_done_again(
    door: sim.SimReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = rc522.Reader()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # it comes while another thread has the reader
        patch.setattr(type(reader._chip.thread_lock), "acquire", lambda self: interrupted())
        with pytest.raises(KeyboardInterrupt):
            reader.close()
    reader.close()
    rc522.Reader().close()  # the lines are free
