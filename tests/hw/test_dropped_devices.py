"""A device that is dropped gives its lines back at once, not when the collector comes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest

import pyasync_hw
from pyasync_hw import _core, gpio, rc522, sim, spi
from pyasync_hw.compat import pirc522
from pyasync_hw.compat.RPi import GPIO
from pyasync_hw.compat.spidev import SpiDev

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

UID = "a61d227e"


@pytest.fixture
def board() -> Iterator[sim.Board]:
    with sim.Board() as board:
        board.attach_rc522().present(sim.MifareClassic1K(uid=UID))
        yield board


@pytest.fixture
def no_collector(board: sim.Board) -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _use_reader() -> None:
    reader = rc522.Reader()
    tag = reader.blocking.wait_for_tag(timeout=60)
    assert tag.uid.hex() == UID
    with pytest.raises(OSError):
        tag.blocking.transceive(b"\x60\x00", timeout=0.001)


async def _cancel_waits() -> None:
    line, reader = gpio.Input(4), rc522.Reader()
    await reader.open()
    for wait in (line.wait_for_edge(), anext(line.edges()), reader.wait_for_removal(b"abcd")):
        task = asyncio.ensure_future(wait)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])


def _use_pirc522() -> None:
    reader = pirc522.RFID()
    reader.util()
    assert reader.read_id() is not None
    assert reader.spi is not None
    GPIO._state.mode = None


def _use_board() -> None:
    other = sim.Board()
    field = other.attach_rc522()
    field.present(sim.MifareClassic1K(uid="01020304"))
    assert field.board is other
    assert other.line(4).value == 1


DROPS: dict[str, Callable[[], object]] = {
    "input": lambda: gpio.Input(4),
    "output": lambda: gpio.Output(4),
    "blocking input": lambda: gpio.Input(4).blocking,
    "edges": lambda: gpio.Input(4).edges(),
    "SPI device": lambda: spi.Device("spi0.1"),
    "spidev": lambda: SpiDev(0, 1),
    "reader": rc522.Reader,
    "blocking reader": lambda: rc522.Reader().blocking,
    "reader and tag": _use_reader,
    "cancelled waits": lambda: asyncio.run(_cancel_waits()),
    "cancelled waits on our loop": lambda: pyasync_hw.run(_cancel_waits()),
    "RFID": _use_pirc522,
    "board": _use_board,
}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("drop", DROPS)
def test_nothing_is_left_for_the_collector(drop: str) -> None:
    before = _core._live()
    DROPS[drop]()
    assert _core._live() == before


@pytest.mark.usefixtures("no_collector")
def test_the_same_reader_opens_again_at_once() -> None:
    for _ in range(3):
        assert rc522.Reader().blocking.wait_for_tag(timeout=60).uid.hex() == UID


def test_a_blocking_face_keeps_its_reader_open(board: sim.Board) -> None:
    face = rc522.Reader().blocking
    assert face.wait_for_tag(timeout=60).uid.hex() == UID
    face.close()
    assert board.line(25).consumer is None


def test_a_simulated_reader_knows_its_board_as_long_as_there_is_one() -> None:
    field = sim.Board(name="bench").attach_rc522()
    with pytest.raises(ReferenceError, match="bench"):
        _ = field.board


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("device", [gpio.Input, gpio.Button])
def test_what_a_warning_refuses_is_not_left_open(
    board: sim.Board, device: type[gpio.Input]
) -> None:
    bounce = "bounce_time" if device is gpio.Button else "debounce_period"
    with pytest.raises(RuntimeWarning) as refused:
        device(4, **{bounce: 50})  # type: ignore[arg-type]
    assert refused.value.__traceback__ is not None  # which keeps the device
    assert board.line(4).consumer is None
