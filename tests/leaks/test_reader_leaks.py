"""No verb of a reader or of a tag leaves objects, descriptors or memory behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
from collections.abc import Awaitable, Callable, Iterator

import pytest

import pyasync_hw
from pyasync_hw import VirtualClock, rc522, sim
from pyasync_hw.errors import AuthenticationError, RC522Error, TagTimeoutError

from .growth import assert_no_growth

KEY = b"\xff" * 6


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    clock = VirtualClock()
    with asyncio.Runner(loop_factory=lambda: pyasync_hw.new_event_loop(clock)) as runner:
        yield runner


@pytest.fixture
def board() -> Iterator[sim.Board]:
    with sim.Board("pi-zero-w") as board:
        board.attach_rc522()
        yield board


@pytest.fixture
def card() -> sim.Card:
    return sim.MifareClassic1K(uid="a61d227e")


async def leave(reader: rc522.Reader, field: sim.SimReader, card: sim.Card) -> None:
    field.remove(card)
    await reader.wait_for_removal(card.uid)


Operation = Callable[[rc522.Reader, sim.SimReader, sim.Card], Awaitable[object]]
OPERATIONS: list[Operation] = []


def operation(function: Operation) -> Operation:
    OPERATIONS.append(function)
    return function


@operation
async def nobody_there(reader: rc522.Reader, field: sim.SimReader, card: sim.Card) -> None:
    with pytest.raises(TagTimeoutError):
        await reader.request()


@operation
async def a_tag_that_comes_and_goes(
    reader: rc522.Reader, field: sim.SimReader, card: sim.Card
) -> None:
    field.present(card)
    await reader.wait_for_tag()
    await leave(reader, field, card)


@operation
async def a_tag_read_and_written(
    reader: rc522.Reader, field: sim.SimReader, card: sim.Card
) -> None:
    field.present(card)
    tag = await reader.wait_for_tag()
    await tag.authenticate(4, KEY)
    await tag.write(4, bytes(16))
    assert await tag.read(4) == bytes(16)
    await tag.halt()
    await leave(reader, field, card)


@operation
async def a_wrong_key(reader: rc522.Reader, field: sim.SimReader, card: sim.Card) -> None:
    field.present(card)
    tag = await reader.wait_for_tag()
    with pytest.raises(AuthenticationError):
        await tag.authenticate(4, bytes(6))
    await leave(reader, field, card)


@operation
async def a_frame_that_is_not_understood(
    reader: rc522.Reader, field: sim.SimReader, card: sim.Card
) -> None:
    field.present(card)
    await reader.wait_for_tag()
    with pytest.raises(RC522Error):
        await reader.transceive(b"\x99\x00")
    with pytest.raises(ValueError):
        await reader.transceive(b"")
    await leave(reader, field, card)


@operation
async def a_cancelled_wait(reader: rc522.Reader, field: sim.SimReader, card: sim.Card) -> None:
    for delay in (0.0, 0.001, 0.02, 0.03):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(delay):
                await reader.wait_for_tag()


@pytest.mark.parametrize("what", OPERATIONS, ids=lambda function: function.__name__)
def test_verbs(what: Operation, runner: asyncio.Runner, board: sim.Board, card: sim.Card) -> None:
    with rc522.Reader(board=board) as reader:
        (field,) = board.readers
        assert_no_growth(lambda: runner.run(limited(what(reader, field, card))), calls=30)


async def limited(verb: Awaitable[object]) -> None:
    async with asyncio.timeout(10):  # of virtual time: a tag that is not seen is an error
        await verb


def test_a_reader_opened_and_closed(runner: asyncio.Runner, board: sim.Board) -> None:
    async def open_close() -> None:
        async with rc522.Reader(board=board):
            pass

    assert_no_growth(lambda: runner.run(open_close()), calls=50)


def test_a_reader_closed_under_a_waiter(runner: asyncio.Runner, board: sim.Board) -> None:
    async def close() -> None:
        async with rc522.Reader(board=board) as reader:
            waiter = asyncio.ensure_future(reader.wait_for_tag())
            await asyncio.sleep(0.01)
        with pytest.raises(OSError):
            await waiter

    assert_no_growth(lambda: runner.run(close()), calls=50)


def test_a_reader_that_is_dropped(board: sim.Board) -> None:
    def drop() -> None:
        rc522.Reader(board=board)
        gc.collect()  # reader and reader.blocking know each other

    assert_no_growth(drop, calls=20)


def test_a_chip_that_is_not_there(runner: asyncio.Runner) -> None:
    with sim.Board("pi-zero-w") as empty:

        async def refused() -> None:
            with pytest.raises(RC522Error):
                async with rc522.Reader(board=empty):
                    pass

        assert_no_growth(lambda: runner.run(refused()), calls=30)


def test_the_blocking_verbs(card: sim.Card) -> None:
    with sim.Board("pi-zero-w", clock=VirtualClock()) as board:
        field = board.attach_rc522()
        with rc522.Reader(board=board) as reader:
            verbs = reader.blocking
            cancelled = pyasync_hw.CancelToken()
            cancelled.cancel()

            def wait() -> None:
                field.present(card)
                tag = verbs.wait_for_tag(timeout=1.0)
                assert tag.uid == bytes.fromhex("a61d227e")
                field.remove(card)
                verbs.wait_for_removal(tag, timeout=1.0)
                with pytest.raises(TimeoutError):
                    verbs.wait_for_tag(timeout=0.1)
                with pytest.raises(concurrent.futures.CancelledError):
                    verbs.wait_for_tag(token=cancelled)

            assert_no_growth(wait, calls=30)
