"""No operation of an RC522 reader leaves objects, descriptors or memory behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import pytest

import pyasync_hw
from pyasync_hw import CancelToken, VirtualClock, rc522, sim
from pyasync_hw.errors import RC522Error
from pyasync_hw.tags import MifareClassic

from .growth import assert_no_growth

UID = "a61d227e"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Our loop on a virtual clock."""
    with asyncio.Runner(loop_factory=lambda: pyasync_hw.new_event_loop(VirtualClock())) as runner:
        yield runner


@pytest.fixture
def door() -> Iterator[sim.SimReader]:
    with sim.Board("pi-zero-w") as board:
        yield board.attach_rc522()


def no_growth(
    runner: asyncio.Runner, operation: Callable[[], Awaitable[object]], calls: int = 150
) -> None:
    async def once() -> None:
        await operation()

    assert_no_growth(lambda: runner.run(once()), calls=calls)


def test_open_and_close(door: sim.SimReader, runner: asyncio.Runner) -> None:
    async def open_close() -> None:
        async with rc522.Reader():
            pass

    no_growth(runner, open_close)


def test_a_tag_read(door: sim.SimReader, runner: asyncio.Runner) -> None:
    card = sim.MifareClassic1K(uid=UID)
    with rc522.Reader() as reader:

        async def visit() -> None:
            door.present(card)
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            await tag.authenticate(4)
            await tag.read(4)
            with contextlib.suppress(RC522Error):
                await tag.read(9)
            door.remove(card)
            with contextlib.suppress(RC522Error):
                await tag.authenticate(4)

        no_growth(runner, visit)


def test_cancelled_waits(door: sim.SimReader, runner: asyncio.Runner) -> None:
    with rc522.Reader() as reader:

        async def cancelled() -> None:
            waiter = asyncio.ensure_future(reader.wait_for_tag())
            await asyncio.sleep(0.001)
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)

        no_growth(runner, cancelled)


def test_cancelled_waits_on_asyncios_loop(door: sim.SimReader) -> None:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner, rc522.Reader() as reader:

        async def cancelled() -> None:
            waiter = asyncio.ensure_future(reader.wait_for_tag())
            await asyncio.sleep(0.001)
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)

        no_growth(runner, cancelled)


def test_closed_while_it_is_waited_for(door: sim.SimReader, runner: asyncio.Runner) -> None:
    async def closed() -> None:
        async with rc522.Reader() as reader:
            waiter = asyncio.ensure_future(reader.wait_for_tag())
            await asyncio.sleep(0.001)
        await asyncio.gather(waiter, return_exceptions=True)

    no_growth(runner, closed)


def test_errors(door: sim.SimReader, runner: asyncio.Runner) -> None:
    with rc522.Reader() as reader:

        async def errors() -> None:
            for verb in (
                reader.request(),
                reader.select(b"12"),
                reader.transceive(b""),
                reader.read(4),
                reader.configure(gain=9),
                reader.authenticate(4, b"", b""),
            ):
                with pytest.raises((RC522Error, ValueError)):
                    await verb

        no_growth(runner, errors)


def test_blocking_waits(door: sim.SimReader) -> None:
    token = CancelToken()
    token.cancel()
    with rc522.Reader() as reader:

        def blocking() -> None:
            with pytest.raises(RC522Error):
                reader.blocking.wait_for_tag(timeout=0.001)
            with contextlib.suppress(BaseException):
                reader.blocking.wait_for_tag(token=token)

        assert_no_growth(blocking, calls=100)


def test_a_loop_that_ends_with_a_wait_pending(door: sim.SimReader) -> None:
    async def main(reader: rc522.Reader) -> None:
        task = asyncio.ensure_future(reader.wait_for_tag())
        await asyncio.sleep(0.001)
        assert not task.done()

    def run() -> None:
        with rc522.Reader() as reader:
            pyasync_hw.run(main(reader))

    with rc522.Reader() as reader, pytest.raises(TimeoutError):  # the board's thread starts
        reader.blocking.wait_for_tag(timeout=0.1)
    assert_no_growth(run, calls=50)
