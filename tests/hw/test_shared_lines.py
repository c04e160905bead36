"""Lines that several users of one program have: one request, and a share for each."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, rc522, sim
from pyasync_hw.compat import pirc522
from pyasync_hw.compat.RPi import GPIO
from pyasync_hw.errors import RC522Error
from pyasync_hw.hardware import LineSettings

LEFT = "01020304"
RIGHT = "0a0b0c0d"


@pytest.fixture
def fields(hw_board: sim.Board) -> tuple[sim.SimReader, sim.SimReader]:
    """Two readers, all wires but chip select in parallel."""
    left = hw_board.attach_rc522("spi0.0", irq="GPIO24", name="left")
    right = hw_board.attach_rc522("spi0.1", irq="GPIO23", name="right")
    assert left.reset == right.reset == "GPIO25"
    return left, right


@pytest.fixture
def pins(hw_board: sim.Board) -> Iterator[None]:
    GPIO.setmode(GPIO.BCM)
    yield
    GPIO.release_all()


def _run(board: sim.Board, main: Any) -> Any:
    return pyasync_hw.run(main, clock=board.clock)


# Readers with one reset wire.


@pytest.mark.parametrize("irq", [True, False])
def test_a_wait_outlives_every_reset_by_the_other_reader(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader], irq: bool
) -> None:
    async def main() -> None:
        options: dict[str, Any] = {} if irq else {"irq": None}
        left = rc522.Reader("spi0.0", **options)
        async with left, rc522.Reader("spi0.1", **options) as right:
            waiting = asyncio.create_task(left.wait_for_tag())
            for turn in range(20):  # in every phase of the wait
                await asyncio.sleep(0.1 + turn * 0.0013)
                await right.open()
                assert not waiting.done()
            fields[0].present(sim.MifareClassic1K(uid=LEFT))
            assert (await waiting).uid.hex() == LEFT
            fields[1].present(sim.MifareClassic1K(uid=RIGHT))
            assert (await right.wait_for_tag()).uid.hex() == RIGHT
            assert left.wiring_error is right.wiring_error is None

    _run(hw_board, main())


def test_a_reader_that_was_reset_by_the_other_sets_itself_up(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader]
) -> None:
    for field, uid in zip(fields, (LEFT, RIGHT), strict=True):
        field.present(sim.MifareClassic1K(uid=uid))
    with rc522.Reader("spi0.0") as left, rc522.Reader("spi0.1") as right:
        for _ in range(3):
            assert fields[0].field_on is False or fields[1].field_on
            assert left.blocking.request(wakeup=True) == b"\x04\x00"
            assert fields[0].field_on
            right.blocking.open()
            assert not fields[0].field_on
        assert left.blocking.wait_for_tag(timeout=60).uid.hex() == LEFT
        assert right.blocking.wait_for_tag(timeout=60).uid.hex() == RIGHT


def test_readers_do_not_reset_each_other_for_ever(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader]
) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with rc522.Reader("spi0.0") as left, rc522.Reader("spi0.1") as right:
                before = left.stats.messages
                async with asyncio.timeout(10):
                    await asyncio.gather(left.wait_for_tag(), right.wait_for_tag())
        # two messages for each poll, as without a neighbour
        assert left.stats.messages - before < 2 * 10 / 0.025 + 50

    _run(hw_board, main())


def test_both_open_at_once(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader]
) -> None:
    async def main() -> None:
        readers = [rc522.Reader("spi0.0"), rc522.Reader("spi0.1")]
        assert await asyncio.gather(*(reader.open() for reader in readers)) == [0x92, 0x92]
        for reader in readers:
            assert reader.wiring_error is None
            reader.close()

    _run(hw_board, main())


def test_an_exchange_that_is_reset_says_so_and_the_next_one_works(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader]
) -> None:
    async def main() -> None:
        async with rc522.Reader("spi0.0") as left, rc522.Reader("spi0.1") as right:
            exchange = asyncio.create_task(left.transceive(b"\x26", crc=False, bits=7, timeout=1))
            await asyncio.sleep(0.1)
            await right.open()
            with pytest.raises(RC522Error, match="reset"):
                await exchange
            fields[0].present(sim.MifareClassic1K(uid=LEFT))
            assert (await left.wait_for_tag()).uid.hex() == LEFT

    _run(hw_board, main())


def test_a_tag_is_waited_for_to_leave_while_the_other_reader_resets(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader]
) -> None:
    card = sim.MifareClassic1K(uid=LEFT)
    fields[0].present(card)

    async def main() -> None:
        async with rc522.Reader("spi0.0") as left, rc522.Reader("spi0.1") as right:
            leaving = asyncio.create_task(left.wait_for_removal(await left.wait_for_tag()))
            for _ in range(8):
                await asyncio.sleep(0.33)
                await right.open()
            assert not leaving.done()
            fields[0].remove(card)
            await leaving

    _run(hw_board, main())


def test_two_threads_each_with_a_reader(hw_board: sim.Board) -> None:
    with sim.Board() as board:  # in real time
        fields = [board.attach_rc522(f"spi0.{cs}", irq=None) for cs in (0, 1)]
        readers = [rc522.Reader(f"spi0.{cs}", irq=None) for cs in (0, 1)]
        found: list[str] = []

        def work(which: int) -> None:
            for turn in range(4):
                readers[which].blocking.open()
                card = sim.MifareClassic1K(uid=bytes([which, turn, 1, 2]))
                fields[which].present(card)
                found.append(readers[which].blocking.wait_for_tag(timeout=60).uid.hex())
                fields[which].remove(card)

        threads = [threading.Thread(target=work, args=(which,)) for which in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for reader in readers:
            reader.close()
    assert sorted(found) == [f"{which:02x}{turn:02x}0102" for which in (0, 1) for turn in range(4)]


@pytest.mark.filterwarnings("ignore:.*does not fall:RuntimeWarning")  # the other one holds it
def test_two_readers_with_one_interrupt_wire(hw_board: sim.Board) -> None:
    fields = [hw_board.attach_rc522(f"spi0.{cs}", name=f"{cs}") for cs in (0, 1)]

    async def find(which: int) -> None:
        async with rc522.Reader(f"spi0.{which}") as reader:
            for turn in range(3):
                card = sim.MifareClassic1K(uid=bytes([which, turn, 1, 2]))
                fields[which].present(card)
                assert (await reader.wait_for_tag()).uid == card.uid
                fields[which].remove(card)

    async def main() -> None:
        await asyncio.gather(find(0), find(1))

    _run(hw_board, main())


# Pins that a program drives itself.


@pytest.mark.usefixtures("pins")
def test_a_program_that_drives_the_reset_wire(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader]
) -> None:
    async def main() -> None:
        async with rc522.Reader("spi0.0") as reader:
            GPIO.setup(25, GPIO.OUT, initial=GPIO.HIGH)
            waiting = asyncio.create_task(reader.wait_for_tag())
            for low_for in (0.0, 0.0001, 0.01, 0.5, 0.0, 0.03):
                await asyncio.sleep(0.2)
                GPIO.output(25, GPIO.LOW)
                await asyncio.sleep(low_for)
                GPIO.output(25, GPIO.HIGH)
            await asyncio.sleep(0.2)
            assert not waiting.done()
            fields[0].present(sim.MifareClassic1K(uid=LEFT))
            assert (await waiting).uid.hex() == LEFT
            GPIO.cleanup(25)
            assert hw_board.line(25).value == 1
            fields[0].remove()
            fields[0].present(sim.MifareClassic1K(uid=RIGHT))
            assert (await reader.wait_for_tag()).uid.hex() == RIGHT

    _run(hw_board, main())


@pytest.mark.usefixtures("pins")
def test_a_wire_that_was_left_low_is_raised_by_the_next_verb(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader]
) -> None:
    fields[0].present(sim.MifareClassic1K(uid=LEFT))
    with rc522.Reader("spi0.0") as reader:
        GPIO.setup(25, GPIO.OUT, initial=GPIO.LOW)
        assert reader.blocking.wait_for_tag(timeout=60).uid.hex() == LEFT
        assert GPIO.input(25) == 1


def test_pirc522_the_reader_and_the_pins_in_one_program(
    hw_board: sim.Board, fields: tuple[sim.SimReader, sim.SimReader]
) -> None:
    for field, uid in zip(fields, (LEFT, RIGHT), strict=True):
        field.present(sim.MifareClassic1K(uid=uid))
    rdr = pirc522.RFID()
    GPIO.setup(22, GPIO.OUT, initial=GPIO.HIGH)  # what pi-rc522 does, by header pin
    GPIO.setup(18, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    other = rc522.Reader("spi0.1")
    assert other.blocking.wait_for_tag(timeout=60).uid.hex() == RIGHT
    assert rdr.read_id() == list(bytes.fromhex(LEFT))
    GPIO.setup(22, GPIO.OUT, initial=GPIO.HIGH)
    assert rdr.read_id() == list(bytes.fromhex(LEFT))
    other.close()
    rdr.cleanup()
    assert hw_board.line(24).consumer is hw_board.line(25).consumer is None


@pytest.mark.usefixtures("pins")
def test_setup_without_a_pull_leaves_that_of_another_user(hw_board: sim.Board) -> None:
    wire = hw_board.line(17)
    with gpio.Input(17, bias="pull_up", edges="falling") as line:
        GPIO.setup(17, GPIO.IN)
        assert (GPIO.input(17), line.value) == (1, 1)
        with pytest.raises(OSError, match="bias pull_up"):
            GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_DOWN)
        GPIO.cleanup(17)
        wire.drive(0)
        wire.release()
        assert line.value == 1
        GPIO.setup(17, GPIO.IN)
    GPIO.setup(17, GPIO.IN)
    wire.drive(0)
    wire.release()
    assert GPIO.input(17) == 0  # now nothing pulls it up


# Inputs and outputs.


def test_each_input_has_every_edge_it_asked_for(hw_board: sim.Board) -> None:
    async def main() -> None:
        wire = hw_board.line(17)
        with (
            gpio.Input(17, bias="pull_up", edges="falling") as falling,
            gpio.Input(17, bias="pull_up") as both,
            gpio.Input(17, edges="rising") as rising,
            gpio.Input(17, edges="none") as level,
        ):
            lines = (falling, both, rising)
            waits = [asyncio.create_task(line.wait_for_edge()) for line in lines]
            await asyncio.sleep(0)
            for turn in range(12):  # the kernel keeps 16
                wire.drive(turn % 2)
            assert level.value == 1
            first = [(await wait).event_type for wait in waits]
            assert first == ["falling", "falling", "rising"]
            for line, count in zip(lines, (6, 12, 6), strict=True):
                seqnos = [1]  # of the one that its wait took
                while len(seqnos) < count:
                    seqnos.append((await line.wait_for_edge()).line_seqno)
                assert seqnos == list(range(1, count + 1))

    _run(hw_board, main())


def test_edges_before_it_was_opened_are_not_its_own(hw_board: sim.Board) -> None:
    with gpio.Input(17, bias="pull_up") as first:
        hw_board.line(17).drive(0)
        with gpio.Input(17) as second:
            with pytest.raises(TimeoutError):
                second.blocking.wait_for_edge(timeout=1)
            assert first.blocking.wait_for_edge(timeout=1).event_type == "falling"
            hw_board.line(17).drive(1)
            for line in (second, first):
                assert line.blocking.wait_for_edge(timeout=1).event_type == "rising"


def test_threads_and_a_loop_that_share_an_input() -> None:
    count = 200
    with sim.Board() as board:
        wire = board.line(17)
        lines = [gpio.Input(17, bias="pull_up", edges="falling") for _ in range(4)]
        seen = [0] * 4
        taken = threading.Semaphore(0)

        def block(which: int) -> None:
            while seen[which] < count:
                lines[which].blocking.wait_for_edge(timeout=60)
                seen[which] += 1
                taken.release()

        async def wait(which: int) -> None:
            while seen[which] < count:
                await asyncio.wait_for(lines[which].wait_for_edge(), 60)
                seen[which] += 1
                taken.release()

        threads = [threading.Thread(target=block, args=(which,)) for which in range(3)]
        threads.append(threading.Thread(target=lambda: pyasync_hw.run(wait(3))))
        for thread in threads:
            thread.start()
        for _ in range(count):
            wire.drive(0)
            wire.drive(1)
            for _ in range(4):
                assert taken.acquire(timeout=60)
        for thread in threads:
            thread.join()
        for line in lines:
            line.close()
    assert seen == [count] * 4


def test_closing_one_ends_its_own_waits_only(hw_board: sim.Board) -> None:
    async def main() -> None:
        first, second = (gpio.Input(17, bias="pull_up") for _ in range(2))
        waits = [asyncio.create_task(line.wait_for_edge()) for line in (first, second)]
        await asyncio.sleep(0)
        first.close()
        with pytest.raises(OSError, match="closed"):
            await waits[0]
        hw_board.line(17).drive(0)
        assert (await waits[1]).event_type == "falling"
        assert hw_board.line(17).consumer == "pyasync_hw"
        second.close()
        assert hw_board.line(17).consumer is None

    _run(hw_board, main())


def test_the_last_one_that_sets_an_output_counts(hw_board: sim.Board) -> None:
    with gpio.Output(18, value=1) as lamp, gpio.Output(18, value=1) as same:
        lamp.off()
        assert same.value == hw_board.line(18).value == 0
        same.on()
        assert lamp.value == 1
        lamp.close()
        assert hw_board.line(18).value == 1


def test_who_only_looks_at_an_output_does_not_change_its_level(hw_board: sim.Board) -> None:
    """Also where the line is set up anew, since another one with a pull-up has gone."""
    with gpio.Output(17, value=1) as lamp:
        gpio.Output(17, value=1, bias="pull_up").close()
        looks = hw_board.request_lines({17: LineSettings()}, "looks")
        assert lamp.value == looks.get() == 1
        gpio.Output(17, value=1, bias="pull_up").close()
        looks.config([LineSettings()])
        assert lamp.value == 1
        looks.close()


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({}, None, ("direction", "input", "output")),
        ({"bias": "pull_up"}, {"bias": "pull_down"}, ("bias", "pull_up", "pull_down")),
        ({}, {"active_low": True}, ("active_low", "False", "True")),
        ({"debounce_period": 0.02}, {}, ("debounce_period", "0.02", "0")),
    ],
)
def test_what_does_not_agree_is_an_error_that_says_who_and_what(
    hw_board: sim.Board,
    first: dict[str, Any],
    second: dict[str, Any] | None,
    words: tuple[str, str, str],
) -> None:
    with gpio.Input(17, consumer="door bell", **first):
        with pytest.raises(OSError, match="line 17 of") as caught:
            if second is None:
                gpio.Output(17, consumer="lamp")
            else:
                gpio.Input(17, consumer="lamp", **second)
        assert caught.value.errno == errno.EBUSY
        setting, have, want = words
        text = str(caught.value)
        assert f'"door bell" of this program has it with {setting} {have}' in text
        assert f'"lamp" wants {want}; give both the same {setting}' in text
    gpio.Output(17).close()  # nobody has it any more


def test_new_settings_that_do_not_agree_leave_the_old_ones(hw_board: sim.Board) -> None:
    with gpio.Input(17, bias="pull_up", consumer="door bell"):
        line = hw_board.request_lines({17: _INPUT}, "lamp")
        with pytest.raises(
            OSError, match=r'"door bell" .* bias pull_up, and "lamp" wants'
        ) as caught:
            line.config([pyasync_hw.hardware.LineSettings(direction="input", bias="disabled")])
        assert caught.value.errno == errno.EBUSY
        assert line.get(1) == hw_board.line(17).value == 1
        line.close()


def test_a_request_of_several_lines_is_not_shared(hw_board: sim.Board) -> None:
    with gpio.Input(17, consumer="door bell"):
        both = {17: pyasync_hw.hardware.LineSettings(direction="input"), 18: _INPUT}
        with pytest.raises(OSError, match="door bell") as caught:
            hw_board.request_lines(both)
        assert caught.value.errno == errno.EBUSY


_INPUT = pyasync_hw.hardware.LineSettings(direction="input")


def test_threads_that_open_and_close_one_line_find_it_free() -> None:
    failed = []

    def come_and_go(board: sim.Board) -> None:
        for _ in range(500):
            try:
                gpio.Input(17, board=board).close()
            except OSError as exc:
                failed.append(exc)

    with sim.Board() as board:
        threads = [threading.Thread(target=come_and_go, args=(board,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
