"""Closing in any order, card code that misbehaves, threads, and nothing left behind."""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bare import Chip, events, frame, settings

from pyasync_hw import VirtualClock, _core, sim
from pyasync_hw.sim.cards import Reply

UID = "a61d227e"


def counts() -> tuple[dict[str, int], int]:
    gc.collect()
    return _core._live(), len(os.listdir("/proc/self/fd"))


def make_everything(clock: VirtualClock | None) -> tuple[sim.Board, list[Any]]:
    board = sim.Board(clock=clock)
    reader = board.attach_rc522()
    card = sim.MifareClassic1K(UID)
    reader.present(card)
    reader.present(sim.MifareClassic1K("01020304"), at=10)
    board.line(17).drive(1, at=0.5)
    request = board.request_lines(
        {17: settings(edge_detection="both", debounce_period=0.001)}, "test"
    )
    spi = board.open_spi(0, 0)
    board.line(17).drive(1)
    spi.transfer(b"\xee\x00")
    return board, [board, request, spi]


@pytest.mark.parametrize("virtual", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_closing_in_any_order_leaves_nothing(virtual: bool, order: tuple[int, ...]) -> None:
    before = counts()
    clock = VirtualClock() if virtual else None
    board, parts = make_everything(clock)
    for index in order:
        parts[index].close()
        parts[index].close()
    del board, parts, clock
    assert counts() == before


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("virtual", [True, False])
def test_dropping_without_closing_leaves_nothing(virtual: bool) -> None:
    before = counts()
    board, parts = make_everything(VirtualClock() if virtual else None)
    del board, parts
    assert counts() == before


def test_a_card_that_knows_its_reader_is_collected() -> None:
    before = counts()
    board = sim.Board()
    reader = board.attach_rc522()
    card = sim.MifareClassic1K(UID)
    card.reader = reader  # type: ignore[attr-defined]
    reader.present(card)
    del board, reader, card
    assert counts() == before


def test_a_card_that_is_gone_is_dropped(reader: sim.SimReader) -> None:
    gone: list[str] = []

    class Dying(sim.Card):
        def __del__(self) -> None:
            gone.append(self.uid.hex())

    reader.present(Dying(UID))
    reader.remove()
    gc.collect()
    assert gone == [UID]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_can_close_the_board() -> None:
    with sim.Board() as board:
        board.line(17).drive(1, at=3600)
        board.request_lines({17: settings()}, "test").close()  # there is a thread now
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            board.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("args", [(), ("x",), (1, 54), ("x", 0), ("x", 2000), ("x", 54, 1.0)])
def test_a_world_with_wrong_arguments(args: tuple[Any, ...]) -> None:
    before = counts()
    with pytest.raises((TypeError, ValueError)):
        _core.SimWorld(*args)
    assert counts() == before


class TestClosed:
    @pytest.fixture
    def closed(self, clock: VirtualClock) -> sim.Board:
        board = sim.Board(clock=clock)
        board.attach_rc522()
        board.close()
        return board

    @pytest.mark.parametrize(
        "use",
        [
            lambda board: board.line(17).drive(1),
            lambda board: board.line(17).value,
            lambda board: board.readers[0].present(sim.Card(UID)),
            lambda board: board.readers[0].cards,
            lambda board: board.readers[0].field_on,
            lambda board: board.attach_rc522("spi0.1"),
            lambda board: board.request_lines({17: settings()}),
            lambda board: board.open_spi(0, 0),
            lambda board: board.__enter__(),
        ],
    )
    def test_nothing_can_be_done_with_it(
        self, closed: sim.Board, use: Callable[[sim.Board], object]
    ) -> None:
        with pytest.raises(ValueError, match="closed"):
            use(closed)

    def test_closing_again_is_nothing(self, closed: sim.Board) -> None:
        closed.close()
        assert closed.closed

    def test_a_line_that_is_open_is_gone_for_good(self) -> None:
        board = sim.Board()
        request = board.request_lines({17: settings("output")}, "test")
        board.close()
        assert select.select([request.fileno()], [], [], 0)[0]
        with pytest.raises(OSError) as caught:
            request.set(1, 1)
        assert caught.value.errno == errno.ENODEV
        with pytest.raises(OSError):
            request.get()
        request.close()

    def test_an_spi_device_that_is_open_is_shut_down(self) -> None:
        board = sim.Board()
        spi = board.open_spi(0, 0)
        board.close()
        with pytest.raises(OSError) as caught:
            spi.transfer(b"\x00")
        assert caught.value.errno == errno.ESHUTDOWN
        spi.close()


class HandlersOwn(BaseException):
    """As a test's time limit raises it."""


class TestCardCode:
    """Card code runs under the board's lock, inside an SPI message."""

    @pytest.fixture
    def unraisable(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
        """What was reported: (repr of the exception, repr of the card)."""
        caught: list[tuple[str, str]] = []

        def hook(report: Any) -> None:
            caught.append((repr(report.exc_value), repr(report.object)))

        monkeypatch.setattr(sys, "unraisablehook", hook)
        return caught

    def talk(self, reader: sim.SimReader, chip: Chip, card: sim.Card) -> bytes:
        reader.present(card)
        chip.clock.advance(0.005)
        return chip.request()

    def bring_to(
        self, method: str, code: Callable[..., object], reader: sim.SimReader, chip: Chip
    ) -> Callable[[], object]:
        """A card with `code` as its `method`; what is given back makes the chip call it."""
        card = sim.MifareClassic1K(UID)
        if method in ("noise", "authenticate"):
            self.talk(reader, chip, card)
            chip.select()
        if method == "noise":
            chip.authenticate(4, b"\xff" * 6, card.uid)
            chip.stop_crypto()
        setattr(card, method, code)
        if method in ("noise", "authenticate"):
            return lambda: chip.authenticate(4, b"\xff" * 6, card.uid)
        return lambda: self.talk(reader, chip, card)

    @pytest.mark.parametrize(
        "answer", [5, b"\x00", (b"\x00", 9), (b"", 0), ("x", 1), (b"\x00", 8, -1), (b"\x00", 8, 2)]
    )
    def test_a_wrong_answer_is_silence_and_reported(
        self, reader: sim.SimReader, chip: Chip, unraisable: list[tuple[str, str]], answer: Any
    ) -> None:
        class Wrong(sim.Card):
            def receive(self, frame: bytes, bits: int) -> Reply:
                return answer

        card = Wrong(UID)
        assert self.talk(reader, chip, card) == b""
        [(error, culprit)] = unraisable
        assert error.startswith(("TypeError", "ValueError"))
        assert culprit == repr(card)

    @pytest.mark.parametrize("method", ["power_on", "receive", "noise", "authenticate"])
    def test_an_exception_is_reported_with_the_card(
        self, reader: sim.SimReader, chip: Chip, unraisable: list[tuple[str, str]], method: str
    ) -> None:
        def fail(*args: object) -> None:
            raise RuntimeError("card code")

        self.bring_to(method, fail, reader, chip)()
        assert {error for error, _ in unraisable} == {"RuntimeError('card code')"}
        assert all(UID in culprit for _, culprit in unraisable)

    def test_a_keyboard_interrupt_reaches_the_program(
        self, reader: sim.SimReader, chip: Chip, unraisable: list[tuple[str, str]]
    ) -> None:
        class Interrupted(sim.Card):
            def receive(self, frame: bytes, bits: int) -> Reply:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.talk(reader, chip, Interrupted(UID))
        assert unraisable == []

    @pytest.mark.parametrize("ignored", [signal.SIG_IGN, signal.SIG_DFL])
    def test_a_keyboard_interrupt_of_another_signal_reaches_it_without_a_sigint(
        self, reader: sim.SimReader, chip: Chip, ignored: signal.Handlers
    ) -> None:
        """As in the background, where a program ends at SIGTERM as it does at Ctrl+C."""

        class Ended(sim.Card):
            def receive(self, frame: bytes, bits: int) -> Reply:
                signal.raise_signal(signal.SIGTERM)
                return super().receive(frame, bits)

        sigint = signal.signal(signal.SIGINT, ignored)
        sigterm = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                self.talk(reader, chip, Ended(UID))
        finally:
            signal.signal(signal.SIGTERM, sigterm)
            signal.signal(signal.SIGINT, sigint)

    @pytest.mark.parametrize("method", ["power_on", "receive", "noise", "authenticate"])
    @pytest.mark.parametrize("kind", [MemoryError, SystemExit, HandlersOwn])
    def test_what_is_meant_for_the_program_ends_the_message(
        self,
        reader: sim.SimReader,
        chip: Chip,
        unraisable: list[tuple[str, str]],
        method: str,
        kind: type[BaseException],
    ) -> None:
        """Say, a signal handler raises while the card's code runs."""

        def interrupted(*args: object) -> None:
            raise kind

        provoke = self.bring_to(method, interrupted, reader, chip)
        with pytest.raises(kind):
            provoke()
        assert unraisable == []

    def test_a_card_can_leave_in_the_middle(self, reader: sim.SimReader, chip: Chip) -> None:
        class Shy(sim.Card):
            def receive(self, frame: bytes, bits: int) -> Reply:
                reader.remove(self)
                return super().receive(frame, bits)

        assert self.talk(reader, chip, Shy(UID)) == b""
        assert reader.cards == []

    def test_a_card_can_bring_another_and_move_a_line(
        self, board: sim.Board, reader: sim.SimReader, chip: Chip
    ) -> None:
        other = sim.Card("01020304")
        request = board.request_lines({17: settings(edge_detection="rising")}, "test")

        class Herald(sim.Card):
            def receive(self, frame: bytes, bits: int) -> Reply:
                if other not in reader.cards:
                    reader.present(other)
                    board.line(17).drive(1)
                return super().receive(frame, bits)

        assert self.talk(reader, chip, Herald(UID)) == b"\x04\x00"
        assert len(events(request)) == 1
        assert other in reader.cards
        request.close()

    def test_a_card_cannot_close_the_board_or_use_the_bus(
        self, board: sim.Board, reader: sim.SimReader, chip: Chip, unraisable: list[tuple[str, str]]
    ) -> None:
        class Rude(sim.Card):
            def receive(self, frame: bytes, bits: int) -> Reply:
                with pytest.raises(RuntimeError, match="close the board"):
                    board.close()
                with pytest.raises(OSError) as caught:
                    chip.spi.transfer(b"\xee\x00")
                assert caught.value.errno == errno.EDEADLK
                return super().receive(frame, bits)

        assert self.talk(reader, chip, Rude(UID)) == b"\x04\x00"
        assert unraisable == []

    def test_a_late_answer_comes_late(self, reader: sim.SimReader, chip: Chip) -> None:
        class Slow(sim.Card):
            def receive(self, frame: bytes, bits: int) -> Reply:
                return b"\x04\x00", 16, 0.05

        assert self.talk(reader, chip, Slow(UID)) == b""
        chip.clock.advance(0.05)
        assert chip.read(0x0A) == 2


def test_a_board_can_be_made_while_a_card_works_and_somebody_moves_the_clock(
    clock: VirtualClock, reader: sim.SimReader, chip: Chip
) -> None:
    """Who moves the clock waits for the card, and the card for the GIL."""
    mover = threading.Thread(target=clock.advance, args=(0.1,))
    maker = threading.Thread(target=lambda: sim.Board(clock=clock).close())

    class Slow(sim.Card):
        def receive(self, frame: bytes, bits: int) -> Reply:
            if mover.ident is None:
                mover.start()
                mover.join(0.1)  # time to begin
                maker.start()
                maker.join(0.1)
            return super().receive(frame, bits)

    reader.present(Slow(UID))
    clock.advance(0.005)
    assert chip.request() == b"\x04\x00"
    for thread in (mover, maker):
        thread.join(60)
        assert not thread.is_alive(), "deadlock"


def test_many_threads(clock: VirtualClock) -> None:
    """Cards that lose the GIL while they hold the board; lines, messages, cards, time."""
    stop = threading.Event()
    failures: list[BaseException] = []
    board = sim.Board(clock=clock)
    readers = [board.attach_rc522(f"spi0.{i}", irq=24 + 2 * i, reset=25 + 2 * i) for i in (0, 1)]

    class Slow(sim.Card):
        def receive(self, frame: bytes, bits: int) -> Reply:
            stop.wait(0.0001)  # gives the GIL to the others
            board.line(17).drive(1 - board.line(17).value)
            return super().receive(frame, bits)

    def loop(step: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                while not stop.is_set():
                    step()
            except BaseException as error:
                failures.append(error)
                stop.set()

        return run

    chips = [Chip(board.open_spi(0, i), clock) for i in (0, 1)]
    for reader, chip in zip(readers, chips, strict=True):
        reader.present(Slow(UID))
        chip.field(True)
    request = board.request_lines(
        {17: settings(edge_detection="both", debounce_period=0.0001)}, "test"
    )
    guest = sim.Card("01020304")
    rounds = [0]

    def talk() -> None:
        chips[0].request()
        chips[0].transceive(frame(b"\x50\x00"))
        rounds[0] += 1
        if rounds[0] == 100:
            stop.set()

    def visit() -> None:
        readers[0].present(guest)
        readers[0].remove(guest)

    steps = [
        talk,
        chips[1].request,
        visit,
        lambda: clock.advance(0.001),
        lambda: (request.get(), events(request), board.line(17).value),
        lambda: board.request_lines({27: settings("output")}, "x").close(),
    ]
    threads = [threading.Thread(target=loop(step)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "deadlock"
    assert failures == []
    for chip in chips:
        chip.spi.close()
    request.close()
    board.close()
