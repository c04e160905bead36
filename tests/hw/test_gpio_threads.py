"""Blocking waits: signals, threads that end each other's waits, garbage."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import weakref
from collections.abc import Iterator

import pytest

import pyasync_hw
from pyasync_hw import VirtualClock, _core, gpio, sim


@pytest.fixture
def real_board() -> Iterator[sim.Board]:
    with sim.Board(name="in real time") as board:
        yield board


@pytest.fixture
def on_signal() -> Iterator[list[object]]:
    """What SIGUSR1 does: call on_signal[0]."""
    action: list[object] = []

    def handler(number: int, frame: object) -> None:
        action[0]()  # type: ignore[operator]

    before = signal.signal(signal.SIGUSR1, handler)
    yield action
    signal.signal(signal.SIGUSR1, before)


def send_signal_when_blocked(line: sim.SimLine) -> threading.Thread:
    """Signals until `line` is driven: one of them comes while the thread blocks."""

    def run() -> None:
        while line.driven is None:
            os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_signal_handler_runs_and_the_wait_goes_on(
    real_board: sim.Board, on_signal: list[object]
) -> None:
    line = real_board.line(17)
    calls = 0

    def handler() -> None:
        nonlocal calls
        calls += 1
        if calls == 20:
            line.drive(0)

    on_signal.append(handler)
    with gpio.Input(17, bias="pull_up") as button:
        thread = send_signal_when_blocked(line)
        assert button.blocking.wait_for_edge(timeout=60).event_type == "falling"
        thread.join()
    assert calls >= 20


def test_an_exception_of_a_signal_handler_ends_the_wait(
    real_board: sim.Board, on_signal: list[object]
) -> None:
    class Stop(Exception):
        pass

    line = real_board.line(17)
    calls = 0

    def handler() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            line.drive(1)  # ends the signals; no edge: the line is high
            raise Stop

    on_signal.append(handler)
    with gpio.Input(17, bias="pull_up") as button:
        with pytest.raises(Stop):
            thread = send_signal_when_blocked(line)
            button.blocking.wait_for_edge(timeout=60)
        thread.join()
        line.drive(0)
        assert button.blocking.wait_for_edge(timeout=60).event_type == "falling"


def test_close_ends_many_blocked_threads(real_board: sim.Board) -> None:
    for _ in range(50):
        button = gpio.Input(17)
        errors: list[Exception] = []

        def block(button: gpio.Input = button, errors: list[Exception] = errors) -> None:
            try:
                button.blocking.wait_for_edge()
            except (OSError, ValueError) as error:
                errors.append(error)

        threads = [threading.Thread(target=block) for _ in range(4)]
        for thread in threads:
            thread.start()
        button.close()
        for thread in threads:
            thread.join()
        assert len(errors) == 4


def test_threads_and_edges_in_random_order_lose_nothing(real_board: sim.Board) -> None:
    edges_per_thread, workers = 200, 3
    seen: list[int] = []
    line = real_board.line(17)
    room = threading.Semaphore(16)  # the kernel's buffer

    def work() -> None:
        for _ in range(edges_per_thread):
            event = button.blocking.wait_for_edge(timeout=60)
            assert event.dropped == 0
            seen.append(event.line_seqno)
            room.release()

    with gpio.Input(17, bias="pull_up") as button:
        threads = [threading.Thread(target=work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for i in range(edges_per_thread * workers):
            room.acquire()
            line.drive(i % 2)
        for thread in threads:
            thread.join()
    assert sorted(seen) == list(range(1, edges_per_thread * workers + 1))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("native", [True, False])
def test_a_loop_that_is_closed_under_a_waiter(real_board: sim.Board, native: bool) -> None:
    loop = pyasync_hw.new_event_loop() if native else asyncio.SelectorEventLoop()
    button = gpio.Input(17, bias="pull_up")
    future = button._core.arm(loop)
    loop.close()
    gc.collect()
    assert not future.done()

    async def main() -> None:  # the line is free for another loop
        waiter = asyncio.ensure_future(button.wait_for_edge())
        await asyncio.sleep(0)
        real_board.line(17).drive(0)
        assert (await waiter).event_type == "falling"

    pyasync_hw.run(main())
    future.cancel()
    button.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_forgotten_waiter_on_a_forgotten_loop_is_garbage(real_board: sim.Board) -> None:
    class Loop(asyncio.SelectorEventLoop):
        pass

    loop = Loop()
    button = gpio.Input(17)
    future = button._core.arm(loop)
    future.add_done_callback(lambda _, button=button: None)
    gone = weakref.ref(loop)
    del loop, button, future
    gc.collect()
    assert gone() is None


def test_a_blocked_thread_keeps_its_clock_when_the_board_goes_to_another() -> None:
    gc.collect()
    live = _core._live()["VirtualClock"]
    clock = VirtualClock()
    loop = pyasync_hw.new_event_loop(clock=clock)
    with sim.Board(clock=clock) as board, gpio.Input(17, bias="pull_up", board=board) as button:
        edges: list[gpio.EdgeEvent] = []

        def wait() -> None:
            edges.append(button.blocking.wait_for_edge("falling"))

        thread = threading.Thread(target=wait, daemon=True)
        clock.hold()  # the thread: so the next sleep ends once it is blocked
        thread.start()
        loop.run_until_complete(asyncio.sleep(1.0))
        loop.close()
        del loop, clock
        gc.collect()

        async def drive() -> None:
            gpio.Input(27, board=board).close()  # now the board is on this loop's clock
            assert board.clock is not None and board.clock.time() == 0.0
            assert _core._live()["VirtualClock"] == live + 2
            board.line(17).drive(0)

        pyasync_hw.run(drive(), clock=VirtualClock())
        thread.join()
        assert [edge.event_type for edge in edges] == ["falling"]
        gc.collect()
        assert _core._live()["VirtualClock"] == live + 1
