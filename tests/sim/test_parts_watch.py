"""Parts of one's own on a simulated board: what they are told, when, and what they may do."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from time import sleep
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import VirtualClock, gpio, sim


class Recorder(sim.Part):
    """Keeps what it is told."""

    pins = ("pin",)

    def __init__(self, pin: int | str, name: str = "") -> None:
        super().__init__(pin=pin, name=name)
        self.told: list[tuple[float, int]] = []
        self.threads: set[int] = set()

    def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
        self.told.append((time, level))
        self.threads.add(threading.get_ident())


class Inverter(sim.Part):
    """Its output is not what its input is."""

    pins = ("input", "output")

    def on_attach(self) -> None:
        self.lines["output"].drive(not self.lines["input"].value)

    def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
        if line.pin == "input":
            self.lines["output"].drive(not level, at=time)


def test_a_part_is_told_at_the_time_of_the_change(board: sim.Board, clock: VirtualClock) -> None:
    part = board.attach(Recorder(17))
    clock.advance(1)
    board.line(17).drive(1)
    assert part.told == [(1.0, 1)]
    clock.advance(0.5)
    board.line(17).drive(0)
    board.line(17).drive(0)
    assert part.told == [(1.0, 1), (1.5, 0)]
    assert threading.get_ident() not in part.threads


def test_time_does_not_pass_it(board: sim.Board, clock: VirtualClock) -> None:
    """Hours in one step, and each part of a chain is told at its own time."""
    first = board.attach(Recorder(17, "first"))
    board.attach(Inverter(input=17, output=27, name="one"))
    board.attach(Inverter(input=27, output=22, name="two"))
    last = board.attach(Recorder(22, "last"))
    source = board.attach(Recorder(16)).lines["pin"]
    board.attach(sim.Wire(16, 17))
    times = [600.0 * step for step in range(1, 101)]
    for number, time in enumerate(times):
        source.drive(number % 2 == 0, at=time)
    clock.advance(7200 * 10)
    assert [time for time, _ in first.told] == times
    assert last.told == first.told


def test_what_a_program_sets_has_its_effects_when_set_returns(hw_board: sim.Board) -> None:
    hw_board.attach(Inverter(input=17, output=27))
    with gpio.Output(17) as output, gpio.Input(27) as line:
        for step in range(200):
            output.value = step % 2
            assert line.value == 1 - step % 2


def test_so_it_is_in_real_time() -> None:
    with sim.Board() as board:
        board.attach(Inverter(input=17, output=27))
        with gpio.Output(17) as output, gpio.Input(27) as line:
            for step in range(50):
                output.value = step % 2
                assert line.value == 1 - step % 2


def test_a_loop_waits_for_parts_on_the_virtual_clock(hw_board: sim.Board) -> None:
    class Slow(Inverter):
        def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
            if line.pin == "input":
                self.call_at(time + 0.25, super().on_level, line, level, time + 0.25)

    hw_board.attach(Slow(input=17, output=27))
    seen: list[tuple[float, str]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with gpio.Output(17) as output, gpio.Input(27) as line:
            output.on()
            await asyncio.sleep(1)
            line.clear()
            for _ in range(20):
                output.toggle()
                began = loop.time()
                event = await line.wait_for_edge()
                seen.append((round(loop.time() - began, 9), event.event_type))

    pyasync_hw.run(main(), clock=hw_board.clock)
    assert seen == [(0.25, "rising"), (0.25, "falling")] * 10


def test_a_part_that_sleeps_lets_time_pass(board: sim.Board, clock: VirtualClock) -> None:
    class Sleeper(Inverter):
        def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
            if line.pin == "input":
                with gpio.Input(5, board=board) as other, pytest.raises(TimeoutError):
                    other.blocking.wait_for_edge(timeout=0.5)
                super().on_level(line, level, time)
                done.append(board.time())

    done: list[float] = []
    board.attach(Sleeper(input=17, output=27))
    source = board.attach(Recorder(22)).lines["pin"]
    board.attach(sim.Wire(22, 17))
    source.drive(1, at=1.0)

    async def main() -> None:
        await asyncio.sleep(3)

    pyasync_hw.run(main(), clock=clock)
    assert done == [1.5]


def test_what_a_part_raises_is_reported(board: sim.Board, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Recorder):
        def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
            super().on_level(line, level, time)
            raise OSError("broken")

    reported: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", reported.append)
    part = board.attach(Broken(17))
    for level in (1, 0):
        board.line(17).drive(level)
    assert [level for _, level in part.told] == [1, 0]
    assert [str(one.exc_value) for one in reported] == ["broken"] * 2
    assert [type(one).__name__ for one in reported] == ["UnraisableHookArgs"] * 2  # Python's own


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, MemoryError, asyncio.CancelledError]
)
def test_whatever_a_part_raises_the_others_go_on(
    board: sim.Board, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    class Broken(Recorder):
        def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
            raise error

    reported: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", reported.append)
    board.attach(Broken(17, "broken"))
    other = board.attach(Recorder(17, "other"))
    for level in (1, 0):
        board.line(17).drive(level)
    assert [level for _, level in other.told] == [1, 0]
    assert [one.exc_type for one in reported] == [error] * 2


def test_a_part_whose_board_is_closed_meanwhile_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Late(Recorder):
        def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
            begun.set()
            closed.wait(60)
            try:
                line.drive(0)
            finally:
                over.set()

    begun, closed, over = (threading.Event() for _ in range(3))
    reported: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", reported.append)
    with sim.Board() as board:
        board.attach(Late(17))
        driver = threading.Thread(target=board.line(17).drive, args=(1,))
        driver.start()
        assert begun.wait(60)
        closer = threading.Thread(target=board.close)
        closer.start()
        while not board.closed:
            sleep(0.001)
        closed.set()
        assert over.wait(60)
        closer.join(60)
        driver.join(60)
    assert [str(one.exc_value) for one in reported] == []


class Stubborn(Recorder):
    """Does not return before it may."""

    def __init__(self) -> None:
        super().__init__(17)
        self.begun, self.may = threading.Event(), threading.Event()

    def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
        self.begun.set()
        self.may.wait(60)


def test_a_part_that_takes_too_long_is_named(
    board: sim.Board, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr("pyasync_hw.sim.parts.teller.PATIENCE_S", 0.0)
    part = board.attach(Stubborn())
    part.may.set()
    board.line(17).drive(1)
    (warning,) = recwarn
    assert issubclass(warning.category, RuntimeWarning)
    assert "Stubborn.on_level" in str(warning.message)
    assert "must not wait" in str(warning.message)


@pytest.mark.filterwarnings("ignore:.* took:RuntimeWarning")
def test_a_part_that_does_not_return_is_named_when_the_board_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyasync_hw.sim.parts.teller.PATIENCE_S", 0.01)
    with sim.Board(clock=VirtualClock()) as board:
        part = board.attach(Stubborn())
        assert board._teller is not None
        thread = board._teller._thread
        driver = threading.Thread(target=board.line(17).drive, args=(1,))
        driver.start()
        assert part.begun.wait(60)
        with pytest.warns(RuntimeWarning, match=r"Stubborn\.on_level .* does not return"):
            board.close()
        part.may.set()
        driver.join(60)
        thread.join(60)
        assert not thread.is_alive()


def test_a_part_may_close_the_board(board: sim.Board) -> None:
    class Fuse(Recorder):
        def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
            self.board.close()

    board.attach(Fuse(17))
    board.line(17).drive(1)
    assert board.closed


def test_a_board_that_is_forgotten_ends_its_thread() -> None:
    before = threading.active_count()
    board = sim.Board()
    part = board.attach(Recorder(17))
    thread = board._teller._thread  # type: ignore[union-attr]
    gone = weakref.ref(board)
    board.line(17).drive(1)
    assert part.told
    del board, part
    thread.join(20)
    gc.collect()
    assert gone() is None
    assert threading.active_count() == before


def test_a_part_that_cannot_be_attached_is_on_no_board(board: sim.Board) -> None:
    class Picky(Recorder):
        wants = False

        def on_attach(self) -> None:
            self.lines["pin"].drive(1)
            if not self.wants:
                raise ZeroDivisionError

    part = Picky(17, "picky")
    with pytest.raises(ZeroDivisionError):
        board.attach(part)
    assert (board.parts, board.line(17).value) == ([], 0)
    board.line(17).drive(0)
    part.told.clear()  # what came before it was taken off
    board.line(17).drive(1)
    assert part.told == []
    part.wants = True
    board.line(17).drive(0)
    board.attach(part)
    board.line(17).release()
    assert [level for _, level in part.told] == [1]
    adc = board.attach(sim.MCP3008("spi0.0"))
    other = sim.MCP3008("spi0.0", name="other")
    with pytest.raises(OSError, match="already"):
        board.attach(other)
    other.spi = (0, 1)
    assert board.attach(other) is other
    assert board.parts == [part, adc, other]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"pins": ("pin")}, r"Wrong\.pins must be a tuple of names: 'pin'"),
        ({"pin_lists": (1,)}, r"Wrong\.pin_lists must be a tuple of names: \(1,\)"),
        ({"actions": ("push",)}, "Wrong has no method 'push', one of its actions"),
        ({"options": {"tone": "int"}}, r"Wrong\.options\['tone'\] must be a type, not 'int'"),
        ({"pins": ("name",)}, "'name' of Wrong is a key of every part"),
    ],
)
def test_a_class_that_cannot_be_a_part(attributes: dict[str, Any], problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        type("Wrong", (sim.Part,), attributes)


def test_a_part_whose_init_is_forgotten(board: sim.Board) -> None:
    class Forgetful(sim.Part):
        def __init__(self) -> None:
            self.tone = 440

    with pytest.raises(TypeError, match=r"Forgetful\.__init__\(\) must call super"):
        board.attach(Forgetful())


def test_two_outputs_on_a_line_low_wins(board: sim.Board) -> None:
    one = board.attach(Recorder(17, "one")).lines["pin"]
    other = board.attach(Recorder(17, "other")).lines["pin"]
    one.drive(1)
    assert (board.line(17).value, one.others, other.others) == (1, None, 1)
    other.drive(0)
    assert board.line(17).value == 0
    other.release()
    assert board.line(17).value == 1
    one.release()
    assert board.line(17).value == 0


def test_how_parts_are_wired(board: sim.Board) -> None:
    part = board.attach(Recorder("BOARD11", "one"))
    assert part.lines["pin"].name == "GPIO17"
    assert board.parts == [part]
    assert board.part("one") is part
    assert part.board is board
    with pytest.raises(ValueError, match="wired already"):
        board.attach(Inverter(input=1, output=2, name="x")).attached(board, board._teller)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a part of this board is called 'one' already"):
        board.attach(Recorder(17, "one"))
    with pytest.raises(LookupError, match=r"no part is called 'two'; this board has: one"):
        board.part("two")
    with pytest.raises(ReferenceError, match="on no board"):
        Recorder(17).call_at(1.0, print)
    with pytest.raises(TypeError, match="needs to know the line of its pin 'output'"):
        Inverter(input=17)
    with pytest.raises(TypeError, match="has no pin inptu"):
        Inverter(input=17, output=27, inptu=3)
    with pytest.raises(ValueError, match="GPIO99"):
        Recorder("GPIO99")


class Drivers(sim.Part):
    """Keeps what its line is driven to."""

    pins = ("pin",)

    def on_attach(self) -> None:
        self.told: list[tuple[float, int | None]] = []

    def on_driven(self, line: sim.PartLine, level: int | None, time: float) -> None:
        self.told.append((time, level))


def test_a_part_is_told_who_drives_a_line_whose_level_stays(
    board: sim.Board, clock: VirtualClock
) -> None:
    part = board.attach(Drivers(pin=17))
    with gpio.Output(17, board=board) as output:  # it is low anyhow, by its pull
        clock.advance(1)
        output.off()
        output.on()
    board.line(17).drive(1)
    assert part.told == [(0.0, 0), (1.0, 1), (1.0, None), (1.0, 1)]


@pytest.mark.parametrize("one, other", [(17, 22), (22, 17)])
def test_a_wire_carries_what_does_not_change_the_line(
    board: sim.Board, clock: VirtualClock, one: int, other: int
) -> None:
    board.attach(sim.Wire(one, other))
    with gpio.Input(22, bias="pull_up", board=board) as line:
        assert line.value == 1
        with gpio.Output(17, board=board):  # where a pull has it low already
            assert line.value == 0
        clock.advance(0.001)  # who closes a line does not wait for the parts
        assert line.value == 1


def test_a_key_carries_what_does_not_change_the_line(board: sim.Board) -> None:
    matrix = board.attach(sim.KeyMatrix(rows=[17], columns=[22], keys="1"))
    matrix.press("1")
    with gpio.Input(22, bias="pull_up", board=board) as line, gpio.Output(17, board=board) as row:
        assert line.value == 0
        row.on()
        assert line.value == 1
