"""rc522.Reader and its tags, awaited, on the simulated board."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import _core, hardware, rc522, sim, tags
from pyasync_hw.errors import (
    AuthenticationError,
    ChipNotFoundError,
    NakError,
    RC522Error,
    TagLostError,
    TagTimeoutError,
)
from pyasync_hw.hardware.wiring import ReaderWiring
from pyasync_hw.tags import MifareClassic

Runner = Callable[[Awaitable[Any]], Any]
UID = "a61d227e"
KEY = b"\xff" * 6


@pytest.fixture(params=["virtual", "native", "asyncio"])
def run(request: pytest.FixtureRequest, hw_board: sim.Board) -> Runner:
    """Run a coroutine on our loop (in virtual or real time) or on asyncio's."""
    if request.param == "virtual":
        return lambda coro: pyasync_hw.run(coro, clock=hw_board.clock)
    return pyasync_hw.run if request.param == "native" else asyncio.run


@pytest.fixture
def virtual(hw_board: sim.Board) -> Runner:
    """Run a coroutine on our loop in virtual time."""
    return lambda coro: pyasync_hw.run(coro, clock=hw_board.clock)


@pytest.fixture
def door(hw_board: sim.Board) -> sim.SimReader:
    return hw_board.attach_rc522(name="door")


def test_a_tag_that_comes_later(run: Runner, door: sim.SimReader) -> None:
    async def main() -> None:
        async with rc522.Reader() as reader:
            assert reader.version == 0x92
            door.present(sim.MifareClassic1K(uid=UID), at=0.1)
            tag = await reader.wait_for_tag()
            assert (tag.uid, tag.atqa, tag.sak) == (bytes.fromhex(UID), b"\x04\x00", 0x08)
            assert tag.product == "MIFARE Classic 1K"
            assert isinstance(tag, MifareClassic)
            assert tag.blocks == 64

    run(main())


def test_blocks_are_written_and_read(run: Runner, door: sim.SimReader) -> None:
    card = sim.MifareClassic1K(uid=UID)
    door.present(card)

    async def main() -> None:
        async with rc522.Reader() as reader:
            match await reader.wait_for_tag():
                case MifareClassic(uid) as tag:
                    assert uid == bytes.fromhex(UID)
                    await tag.authenticate(4, KEY)
                    await tag.write(4, b"0123456789abcdef")
                    assert await tag.read(4) == b"0123456789abcdef"
        assert not door.field_on

    run(main())
    assert card.block(4) == b"0123456789abcdef"


@pytest.mark.parametrize("uid", ["a61d227e", "04a1b2c3d4e5f6"])
def test_uid_sizes_of_a_classic(virtual: Runner, door: sim.SimReader, uid: str) -> None:
    door.present(sim.MifareClassic1K(uid=uid))

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert tag.uid.hex() == uid
            assert isinstance(tag, MifareClassic)
            await tag.authenticate(8, KEY, "B")  # right, but a key B that can be read opens nothing
            await tag.authenticate(8, KEY, "A")
            assert await tag.read(8) == bytes(16)

    virtual(main())


def test_a_uid_of_ten_bytes(virtual: Runner, door: sim.SimReader) -> None:
    uid = "04a1b2c3d4e5f6172839"

    class Other(sim.Card):
        sak = 0x20

    door.present(Other(uid=uid))

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert tag.uid.hex() == uid
            assert type(tag) is tags.Tag
            assert tag.product == "ISO/IEC 14443-4 card"

    virtual(main())


def test_each_of_several_tags_is_seen_once(virtual: Runner, door: sim.SimReader) -> None:
    uids = {"a61d227e", "a61d237e", "a71d227e", "561d2201", "04a1b2c3d4e5f6"}
    for uid in sorted(uids):
        door.present(sim.MifareClassic1K(uid=uid))

    async def main() -> None:
        async with rc522.Reader() as reader:
            found = [(await reader.wait_for_tag()).uid.hex() for _ in uids]
            assert set(found) == uids
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.wait_for_tag(), 1)

    virtual(main())


def test_a_tag_that_stays_is_not_seen_again(run: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.wait_for_tag(), 0.2)
            door.remove()
            await reader.wait_for_removal(tag)
            door.present(sim.MifareClassic1K(uid=UID))
            assert (await reader.wait_for_tag()).uid == tag.uid

    run(main())


@pytest.mark.parametrize("after", ["wrong key", "nak", "halt", "request", "field lost"])
def test_whatever_happened_to_a_tag_it_is_not_seen_again(
    virtual: Runner, door: sim.SimReader, after: str
) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            if after == "wrong key":
                with pytest.raises(AuthenticationError, match="wrong key"):
                    await tag.authenticate(4, bytes(6))
            elif after == "nak":
                with pytest.raises(NakError, match="authenticate"):
                    await tag.read(4)
            elif after == "halt":
                await tag.halt()
            elif after == "request":
                assert await reader.request() == tag.atqa
            else:
                await tag.authenticate(4)
                await reader.open()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.wait_for_tag(), 1)
            if after != "field lost":
                await tag.authenticate(4)
                assert await tag.read(4) == bytes(16)

    virtual(main())


def test_wrong_key_then_right_key(run: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            with pytest.raises(AuthenticationError):
                await tag.authenticate(4, b"\x00" * 6)
            await tag.authenticate(4, KEY)
            assert await tag.read(4) == bytes(16)

    run(main())


def test_a_tag_that_has_left(virtual: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            await tag.authenticate(4)
            door.remove()
            with pytest.raises(TagLostError, match=UID):
                await tag.read(4)
            with pytest.raises(TagLostError):
                await tag.authenticate(4)

    virtual(main())


def test_a_wrong_key_for_a_second_sector_is_refused(virtual: Runner, door: sim.SimReader) -> None:
    async def main() -> None:
        door.present(sim.MifareClassic1K(uid=UID))
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            await tag.authenticate(4, KEY)
            with pytest.raises(AuthenticationError, match="wrong key"):
                await tag.authenticate(8, bytes(6))
            await tag.authenticate(8, KEY)
            assert len(await tag.read(8)) == 16

    virtual(main())


def test_a_tag_that_leaves_before_its_authentication(virtual: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            door.remove()
            with pytest.raises(TagLostError):  # and not: wrong key
                await tag.authenticate(4)

    virtual(main())


@pytest.mark.parametrize("verb", ["read", "authenticate", "request"])
def test_a_tag_that_was_lost_and_is_back_is_an_arrival(
    virtual: Runner, door: sim.SimReader, verb: str
) -> None:
    card = sim.MifareClassic1K(uid=UID)
    door.present(card)

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            await tag.authenticate(4)
            with pytest.raises(NakError):
                await tag.read(9)
            door.remove(card)
            with pytest.raises(TagTimeoutError):
                if verb == "read":
                    await tag.read(4)
                elif verb == "authenticate":
                    await tag.authenticate(4)
                else:
                    await reader.request(wakeup=True)
            door.present(card)
            assert (await asyncio.wait_for(reader.wait_for_tag(), 0.1)).uid == tag.uid
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.wait_for_tag(), 1)

    virtual(main())


def test_request_anticollision_select_by_hand(run: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            for _ in range(3):  # also when it was selected before
                assert await reader.request() == b"\x04\x00"
                assert await reader.anticollision() == bytes.fromhex("a61d227ee7")
                tag = await reader.select(bytes.fromhex(UID))
                assert (tag.uid, tag.atqa) == (bytes.fromhex(UID), None)
            await reader.halt()
            with pytest.raises(TagTimeoutError):
                await reader.request()
            assert await reader.request(wakeup=True) == b"\x04\x00"
            await reader.select()
            await reader.authenticate(4, KEY, tag.uid)
            assert await reader.read(4) == bytes(16)
            await reader.write(4, bytes(range(16)))
            await reader.stop_crypto()

    run(main())


def test_transceive(virtual: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            assert await reader.transceive_bits(b"\x26", bits=7) == (b"\x04\x00", 0)
            assert await reader.transceive(b"\x93\x20", crc=False) == bytes.fromhex("a61d227ee7")
            assert await reader.transceive(bytes.fromhex("9370a61d227ee7")) == b"\x08"
            with pytest.raises(NakError):
                await reader.transceive(b"\x30\x04")
            frame = b"\x50\x00" + rc522.crc_a(b"\x50\x00")
            with pytest.raises(TagTimeoutError):
                await reader.transceive(frame, crc=False, timeout=0.001)
            for data, options, what in (
                (b"", {}, "1 to 62"),
                (bytes(63), {}, "1 to 62"),
                (b"\x26", {"bits": 7}, "bits"),
                (b"\x26", {"timeout": 2}, "timeout"),
                (b"\x26", {"timeout": float("nan")}, "timeout"),
            ):
                with pytest.raises(ValueError, match=what):
                    await reader.transceive(data, **options)

    virtual(main())


def test_field_and_gain(virtual: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            assert (reader.gain, reader.field, door.field_on) == (4, True, True)
            await reader.configure(gain=7)
            assert (reader.gain, door.registers[0x26] & 0x70) == (7, 0x70)
            tag = await reader.wait_for_tag()
            await reader.configure(field=False)
            assert not door.field_on
            with pytest.raises(RC522Error, match="configure"):
                await reader.request()
            await reader.configure(field=True)
            assert (await reader.wait_for_tag()).uid == tag.uid  # the field's loss reset it
            with pytest.raises(ValueError, match="gain"):
                await reader.configure(gain=8)

    virtual(main())


def test_no_chip(virtual: Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(
            ChipNotFoundError, match=r"nothing is attached to spi0\.1 of this simulated"
        ):
            async with rc522.Reader("spi0.1"):
                pass
        assert loop.time() - start < 0.1

    virtual(main())


def test_interrupt_line_that_is_not_connected(run: Runner, hw_board: sim.Board) -> None:
    door = hw_board.attach_rc522(irq=None)
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        reader = rc522.Reader(irq="GPIO24")
        with pytest.warns(RuntimeWarning, match="GPIO24.*irq=None"):
            await reader.open()
        assert reader.wiring_error is not None
        tag = await reader.wait_for_tag()
        assert isinstance(tag, MifareClassic)
        await tag.authenticate(4)
        assert await tag.read(4) == bytes(16)
        reader.close()

    run(main())


def test_reset_line_that_is_not_connected(run: Runner, hw_board: sim.Board) -> None:
    door = hw_board.attach_rc522(reset=None)
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        reader = rc522.Reader(reset="GPIO25")
        with pytest.warns(RuntimeWarning, match="GPIO25.*reset=None"):
            await reader.open()
        assert reader.wiring_error is not None
        assert (await reader.wait_for_tag()).uid.hex() == UID
        reader.close()

    run(main())


def test_lines_that_work_raise_no_warning(
    virtual: Runner, door: sim.SimReader, recwarn: pytest.WarningsRecorder
) -> None:
    async def main() -> None:
        async with rc522.Reader() as reader:
            assert reader.wiring_error is None

    virtual(main())
    assert not recwarn.list


def test_interrupt_line_that_breaks_later(virtual: Runner, hw_board: sim.Board) -> None:
    door = hw_board.attach_rc522()
    door.present(sim.MifareClassic1K(uid=UID), at=1)

    async def main() -> None:
        async with rc522.Reader() as reader:
            hw_board.line("GPIO24").drive(1)
            with pytest.warns(RuntimeWarning, match="GPIO24"):
                tag = await reader.wait_for_tag()
            assert tag.uid.hex() == UID
            assert reader.stats.edges_missed == 2

    virtual(main())


def test_without_any_line(run: Runner, hw_board: sim.Board) -> None:
    door = hw_board.attach_rc522(irq=None, reset=None)
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader(irq=None, reset=None) as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            await tag.authenticate(4)
            await tag.write(4, bytes(range(16)))
            assert await tag.read(4) == bytes(range(16))

    run(main())


def test_operations_of_several_tasks_queue(virtual: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            answers = await asyncio.gather(*(reader.request(wakeup=True) for _ in range(5)))
            assert answers == [b"\x04\x00"] * 5

    virtual(main())


def test_close_while_a_task_waits(run: Runner, door: sim.SimReader) -> None:
    async def main() -> None:
        async with rc522.Reader() as reader:
            waiter = asyncio.ensure_future(reader.wait_for_tag())
            await asyncio.sleep(0.01)
            reader.close()
            reader.close()
            with pytest.raises(OSError, match="closed") as caught:
                await waiter
            assert caught.value.errno == errno.EBADF
            with pytest.raises(ValueError, match="closed"):
                await reader.request()
        assert not door.field_on

    run(main())


def test_bus_that_was_closed(virtual: Runner, door: sim.SimReader) -> None:
    async def main() -> None:
        async with rc522.Reader() as reader:
            reader.spi.close()
            with pytest.raises(ValueError, match="closed"):
                await reader.request()

    virtual(main())


class FlakyBus:
    """An SPI bus in Python that passes messages on, until it fails."""

    def __init__(self, device: _core.SPIDevice) -> None:
        self.device = device
        self.error: BaseException | None = None

    def transfer(self, transfers: list[tuple[bytes, int, int, bool, int]]) -> list[bytes]:
        if self.error is not None:
            raise self.error
        return self.device.message(transfers)

    def close(self) -> None:
        self.device.close()


@pytest.mark.parametrize("kind", [OSError, ZeroDivisionError])
def test_bus_that_fails_between(hw_board: sim.Board, kind: type[Exception]) -> None:
    hw_board.attach_rc522().present(sim.MifareClassic1K(uid=UID))
    buses = []

    class Flaky:
        name = "flaky"
        readers = ()
        request_lines = hw_board.request_lines
        find_line = hw_board.find_line
        open_i2c = hw_board.open_i2c

        def open_spi(self, bus: int, cs: int, speed_hz: int = 1, mode: int = 0) -> _core.SPIDevice:
            buses.append(FlakyBus(hw_board.open_spi(bus, cs, speed_hz, mode)))
            return _core.adapt_spi(buses[-1], "flaky", speed_hz, mode)

    async def main() -> None:
        async with rc522.Reader(board=Flaky()) as reader:
            buses[0].error = kind(errno.EIO, "the bus is out")
            with pytest.raises(kind, match="the bus is out"):
                await reader.request()
            buses[0].error = None
            assert await reader.request() == b"\x04\x00"
        buses[0].close()

    asyncio.run(main())


def test_reader_takes_its_wiring_from_the_board(hw_board: sim.Board) -> None:
    hw_board.attach_rc522("spi0.1", irq="GPIO5", reset=None, name="back")
    with rc522.Reader() as reader:
        assert reader.name == "back"
        assert hw_board.line("GPIO5").consumer is not None
        assert hw_board.line("GPIO25").consumer is None
    assert hw_board.line("GPIO5").consumer is None


def test_reader_takes_its_wiring_from_the_board_file(hw_board: sim.Board) -> None:
    hw_board.attach_rc522("spi0.1", irq="GPIO6", reset="GPIO7")

    class Wired:
        name = "wired"
        readers = (ReaderWiring("side", "spi0.1", "GPIO6", "GPIO7", 1_000_000),)
        request_lines = hw_board.request_lines
        open_spi = hw_board.open_spi
        find_line = hw_board.find_line
        open_i2c = hw_board.open_i2c

    board: hardware.Backend = Wired()
    with rc522.Reader(board=board) as reader:
        assert (reader.name, reader.spi.speed_hz) == ("side", 1_000_000)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"speed_hz": 0}, "speed_hz"),
        ({"speed_hz": 10_000_001}, "speed_hz must be"),
        ({"spi": "door"}, "door"),
        ({"irq": "GPIO99"}, "GPIO99"),
        ({"irq": "GPIO24", "reset": "nonsense"}, "nonsense"),
    ],
)
def test_arguments_that_make_no_sense(
    hw_board: sim.Board, options: dict[str, Any], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        rc522.Reader(**options)


def test_line_in_use_is_named(hw_board: sim.Board) -> None:
    hw_board.attach_rc522("spi0.0")
    with rc522.Reader(), pytest.raises(OSError, match="direction") as caught:
        rc522.Reader("spi0.1", irq=None, reset="GPIO24")
    assert caught.value.errno == errno.EBUSY


def test_arguments_of_verbs(virtual: Runner, door: sim.SimReader) -> None:
    door.present(sim.MifareClassic1K(uid=UID))

    async def main() -> None:
        async with rc522.Reader() as reader:
            tag = await reader.wait_for_tag()
            assert isinstance(tag, MifareClassic)
            for verb, what in (
                (tag.read(64), "block"),
                (tag.write(4, b"short"), "16 bytes"),
                (tag.authenticate(4, b"short"), "6 bytes"),
                (tag.authenticate(4, KEY, "C"), "key_type"),  # type: ignore[arg-type]
                (reader.select(b"12345"), "4, 7 or 10"),
                (reader.anticollision(4), "1 to 3"),
                (reader.wait_for_tag(poll_interval=0), "poll_interval"),
                (reader.wait_for_removal(b""), "4, 7 or 10"),
            ):
                with pytest.raises(ValueError, match=what):
                    await verb
            await tag.authenticate(4)  # and the reader is not stuck

    virtual(main())


def test_what_a_signal_handler_raises_in_a_cards_code_ends_the_wait(
    run: Runner, door: sim.SimReader
) -> None:
    class TimeIsUp(BaseException):
        pass

    class Unlucky(sim.MifareClassic1K):
        def receive(self, frame: bytes, bits: int) -> Any:
            signal.raise_signal(signal.SIGUSR1)
            return None

    def handler(number: int, frame: object) -> None:
        raise TimeIsUp

    async def main() -> None:
        async with rc522.Reader() as reader:
            with pytest.raises(TimeIsUp):
                await reader.wait_for_tag()
            door.remove(card)
            door.present(sim.MifareClassic1K(uid=UID))
            assert (await reader.wait_for_tag()).uid == bytes.fromhex(UID)

    card = Unlucky(uid=UID)
    door.present(card)
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        run(main())
    finally:
        signal.signal(signal.SIGUSR1, before)
