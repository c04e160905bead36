"""Devices that a forked child inherits: clear errors there, and a parent that goes on."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest
from forking import error_of, in_child

import pyasync_hw
from pyasync_hw import gpio, rc522, sim, spi
from pyasync_hw.compat.service import service
from pyasync_hw.testing import open_descriptors

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

UID = "a61d227e"


class Bench:
    """One of everything, on one board."""

    def __init__(self, clock: pyasync_hw.VirtualClock | None) -> None:
        self.clock = clock
        self.board = sim.Board(clock=clock)
        self.door = self.board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25")
        self.reader = rc522.Reader(board=self.board)
        self.button = gpio.Input(17, board=self.board)
        self.lamp = gpio.Output(18, board=self.board)
        self.edges = self.button.edges()
        self.device = spi.Device("spi0.1", board=self.board)

    def close(self) -> None:
        for thing in (self.reader, self.edges, self.button, self.lamp, self.device, self.board):
            thing.close()


@pytest.fixture(params=["virtual", "real"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(pyasync_hw.VirtualClock() if request.param == "virtual" else None)
    yield bench
    bench.close()


USES: dict[str, Callable[[Bench], object]] = {
    "line value": lambda bench: bench.button.value,
    "set a line": lambda bench: setattr(bench.lamp, "value", 1),
    "wait for an edge": lambda bench: bench.button.blocking.wait_for_edge(timeout=1),
    "await an edge": lambda bench: pyasync_hw.run(bench.button.wait_for_edge()),
    "iterate over edges": lambda bench: pyasync_hw.run(anext(bench.edges)),
    "SPI transfer": lambda bench: bench.device.blocking.transfer(b"abc"),
    "SPI speed": lambda bench: setattr(bench.device, "speed_hz", 1000),
    "open a reader": lambda bench: bench.reader.blocking.open(),
    "wait for a tag": lambda bench: bench.reader.blocking.wait_for_tag(timeout=1),
    "await a tag": lambda bench: pyasync_hw.run(bench.reader.wait_for_tag()),
    "drive a line": lambda bench: bench.board.line(17).drive(1),
    "level of a line": lambda bench: bench.board.line(17).value,
    "present a card": lambda bench: bench.door.present(sim.MifareClassic1K(uid=UID)),
    "open a device": lambda bench: gpio.Input(4, board=bench.board),
    "open an SPI device": lambda bench: spi.Device("spi0.1", board=bench.board),
    "a clock's time": lambda bench: (bench.clock or bench.board).time(),
}


@pytest.mark.parametrize("use", USES)
def test_every_use_in_the_child_says_what_to_do(bench: Bench, use: str) -> None:
    assert " can't be used after fork; " in in_child(lambda: error_of(lambda: USES[use](bench)))


def test_closing_and_dropping_in_the_child_is_harmless_and_quiet(bench: Bench) -> None:
    bench.board.line(17).drive(0, at=3600)

    def child() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bench.close()
            bench.__dict__.clear()
            gc.collect()
        return [str(warning.message) for warning in caught]

    assert in_child(child) == []
    bench.board.line(17).drive(1)
    assert bench.button.value == 1
    bench.board.line(17).drive(0)
    assert bench.button.blocking.wait_for_edge(timeout=1)
    assert bench.reader.blocking.open() in (0x91, 0x92)


def test_the_child_has_no_descriptor_of_simulated_lines() -> None:
    with sim.Board() as board:
        before = set(open_descriptors())
        buttons = [gpio.Input(17, bias="pull_up", board=board) for _ in range(2)]
        lines = [*buttons, gpio.Output(18, board=board)]
        made = set(open_descriptors()) - before
        assert len(made) > len(lines)
        assert in_child(lambda: sorted(made & set(open_descriptors()))) == []
        board.line(17).drive(0)
        for button in buttons:
            assert button.blocking.wait_for_edge(timeout=60).event_type == "falling"
        for line in lines:
            line.close()


def test_the_child_has_hardware_of_its_own() -> None:
    def work() -> str:
        with sim.Board() as board:
            board.attach_rc522().present(sim.MifareClassic1K(uid=UID))
            with rc522.Reader(board=board) as reader:
                return reader.blocking.wait_for_tag(timeout=10).uid.hex()

    with sim.Board() as board, gpio.Input(17, board=board):
        assert work() == UID
        assert in_child(work) == UID
        assert work() == UID


def test_while_threads_of_the_parent_wait_and_work(bench: Bench) -> None:
    """What they hold, locks for one, nobody will ever let go in the child."""
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(CancelledError):
            bench.reader.blocking.wait_for_tag()

    def work() -> None:
        while not ended.is_set():
            bench.device.blocking.transfer(bytes(100))
            bench.board.line(4).drive(1)

    def child() -> list[str]:
        errors = [error_of(lambda use=use: USES[use](bench)) for use in USES]
        bench.close()
        bench.__dict__.clear()
        gc.collect()
        return errors

    async def main() -> None:
        for _ in range(5):
            errors = await asyncio.to_thread(in_child, child)
            assert all(" can't be used after fork; " in error for error in errors)

    threads = [threading.Thread(target=work) for _ in range(2)]
    if bench.clock is None:
        threads.append(threading.Thread(target=wait))
    for thread in threads:
        thread.start()
    try:
        asyncio.run(main())
    finally:
        ended.set()
        while any(thread.is_alive() for thread in threads):
            bench.reader.blocking.cancel()
            for thread in threads:
                thread.join(0.01)


def test_a_clock_cannot_be_taken_into_the_child() -> None:
    clock = pyasync_hw.VirtualClock()
    loop = pyasync_hw.new_event_loop(clock)

    def child() -> list[str]:
        return [
            error_of(lambda: pyasync_hw.new_event_loop(clock)),
            error_of(lambda: sim.Board(clock=clock)),
            error_of(clock.hold),
            error_of(clock.release),
            error_of(lambda: loop.call_soon(print)),
        ]

    assert all(" can't be used after fork; " in error for error in in_child(child))
    assert loop.run_until_complete(asyncio.sleep(5, "done")) == "done"
    loop.close()


def test_a_token_cancels_in_its_own_process_only() -> None:
    token, cancelled = pyasync_hw.CancelToken(), pyasync_hw.CancelToken()
    cancelled.cancel()

    def child() -> tuple[bool, bool]:
        before = cancelled.cancelled()
        token.cancel()
        return token.cancelled(), before

    assert in_child(child) == (True, True)
    with (
        sim.Board() as board,
        gpio.Input(17, board=board) as line,
        pytest.raises(TimeoutError),  # had the parent's eventfd been written, it would spin
    ):
        line.blocking.wait_for_edge(timeout=0.01, token=token)
    assert not token.cancelled()


def test_the_service_thread_of_the_parent_is_not_there() -> None:
    async def work() -> None:
        done.append(threading.current_thread().name)

    done: list[str] = []
    service.spawn(work())
    try:

        def child() -> int:
            done.clear()
            cancel = service.spawn(work())
            while not done:
                pass
            cancel()
            service.stop()
            return len(done)

        assert in_child(child) == 1
    finally:
        service.stop()
