"""What is done without memory.  Each operation is a generator:

    what it needs is made;
    yield act                 act() is called while allocations fail
    what must still work is tried, and all is closed

`yield` gives True if act() succeeded and nothing was reported: then it has to have
done what it is there for.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import gc
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

import pyasync_hw
from pyasync_hw import CancelToken, VirtualClock, executor, gpio, i2c, insight, rc522, sim, spi

from ..leaks.test_loop_leaks import OPERATIONS as OF_LOOPS
from ..leaks.test_reader_leaks import OPERATIONS as OF_READERS
from ..leaks.test_reader_leaks import limited

Loop = pyasync_hw.EventLoop
Act = Generator[Callable[[], object], bool, None]
OPERATIONS: dict[str, Callable[[], Act]] = {}
reported: list[BaseException | None] = []  # by a loop, or as unraisable


def operation(function: Callable[[], Act]) -> Callable[[], Act]:
    OPERATIONS[function.__name__] = function
    return function


def report(error: BaseException | None) -> None:
    if not reported:
        signal.alarm(1)  # what comes after this may wait for it in vain
    reported.append(error)


def new_loop(clock: VirtualClock | None = None) -> Loop:
    loop = pyasync_hw.new_event_loop(clock)
    loop.set_exception_handler(lambda loop, context: report(context.get("exception")))
    return loop


def turn(loop: Loop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def raise_what_was_held(error: BaseException) -> None:
    """asyncio, whatever loop it runs on, waits in vain for a child that it could not tell
    the transport of; the exception that says why is raised after that."""
    held: BaseException | None = error
    while held is not None and not isinstance(held, MemoryError):
        held = held.__cause__ or held.__context__
    raise held or error


def settle(loop: Loop) -> None:
    """What an act that failed has left in the loop runs: a stop(), a SystemExit."""
    for _ in range(3):
        with contextlib.suppress(SystemExit):
            turn(loop)


def works(loop: Loop) -> None:
    """It runs, and can be closed."""
    assert not loop.is_running()
    loop.set_debug(False)
    settle(loop)
    assert loop.run_until_complete(asyncio.sleep(0, "works")) == "works"
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


# -- loops ---------------------------------------------------------------------------


@operation
def make_a_loop() -> Act:
    made: list[Any] = [None]

    def act() -> None:
        made[0] = pyasync_hw.new_event_loop()

    right = yield act
    assert made[0] is not None or not right
    if made[0] is not None:
        works(made[0])


@operation
def close_a_loop() -> Act:
    loop = new_loop()
    loop.call_soon(int)
    loop.call_later(1000, int)
    one, other = socket.socketpair()
    loop.add_reader(one, int)
    right = yield loop.close
    assert loop.is_closed() or not right
    loop.close()
    one.close()
    other.close()


def _scheduling(verb: str, *arguments: object) -> None:
    @functools.wraps(works)
    def schedule() -> Act:
        loop, seen = new_loop(), []
        right = yield lambda: getattr(loop, verb)(*arguments, seen.append, 1)
        turn(loop)
        assert seen == [1] or not right
        works(loop)

    OPERATIONS[verb] = schedule


_scheduling("call_soon")
_scheduling("call_soon_threadsafe")
_scheduling("call_later", 0)
_scheduling("call_at", 0)


@operation
def many_callbacks() -> Act:
    """The ring grows."""
    loop, seen = new_loop(), []

    def act() -> None:
        for _ in range(5000):
            loop.call_soon(seen.append, 1)

    right = yield act
    turn(loop)
    assert len(seen) == 5000 or not right
    works(loop)


@operation
def many_timers() -> Act:
    """The heap grows, and what is cancelled leaves it."""
    loop, seen = new_loop(), []

    def act() -> None:
        handles = [loop.call_later(0, seen.append, 1) for _ in range(3000)]
        for handle in handles[::2]:
            handle.cancel()

    right = yield act
    turn(loop)
    turn(loop)
    assert len(seen) == 1500 or not right
    works(loop)


@operation
def timers_due() -> Act:
    loop = new_loop()
    for _ in range(3000):
        loop.call_later(0, int)

    def act() -> None:
        loop.call_later(0.001, loop.stop)
        loop.run_forever()

    yield act
    while loop.stats()["timers"]:
        turn(loop)
    assert loop.stats()["timers_fired"] >= 3000, "a timer is lost"
    works(loop)


@operation
def cancel_in_debug_mode() -> Act:
    loop = new_loop()
    loop.set_debug(True)
    handles = [loop.call_soon(int), loop.call_later(1, int)]

    def act() -> None:
        for handle in handles:
            handle.cancel()

    yield act
    assert all(handle.cancelled() for handle in handles[:1])
    handles.clear()
    works(loop)


@operation
def handles_compared_and_shown() -> Act:
    loop = new_loop()
    when = loop.time() + 1
    one, other = loop.call_at(when, print, [1]), loop.call_at(when, print, [1])

    def act() -> None:
        assert one == other
        hash(one)
        repr(one)
        loop.stats()
        repr(loop)
        _ = one._args, one._context, list(loop._selector.get_map())

    yield act
    works(loop)


@operation
def readers_and_writers() -> Act:
    loop, seen = new_loop(), []
    pairs = [socket.socketpair() for _ in range(20)]

    def act() -> None:
        for one, other in pairs:
            other.send(b"x")
            loop.add_reader(one, seen.append, one)
            loop.add_writer(one.fileno(), seen.append, one)
        turn(loop)
        for one, _ in pairs:
            loop.remove_writer(one)

    yield act
    for pair in pairs:
        loop.remove_reader(pair[0])
        loop.remove_writer(pair[0])
        pair[0].close()
        pair[1].close()
    seen.clear()
    works(loop)


@operation
def callbacks_that_fail() -> Act:
    loop = new_loop()
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(divmod, 1, 0)
    yield lambda: turn(loop)
    works(loop)


@operation
def tasks() -> Act:
    loop = new_loop(VirtualClock())

    async def work() -> str:
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(1))
        async with asyncio.timeout(1):
            await asyncio.to_thread(int)
        return "done"

    yield lambda: loop.run_until_complete(work())
    works(loop)


@operation
def watched() -> Act:
    loop = new_loop()
    reports: list[Any] = []
    watches: list[insight.Watch] = []

    def act() -> None:
        watches.append(insight.watch(loop, 0.001, reports.append))
        loop.call_soon(time.sleep, 0.002)
        turn(loop)
        watches[0].stop()

    yield act
    for watch in watches:
        watch.stop()
    reports.clear()
    works(loop)


# -- executors and children -------------------------------------------------------------


@operation
def run_in_executor() -> Act:
    loop = new_loop()
    yield lambda: loop.run_until_complete(loop.run_in_executor(None, int))
    works(loop)


@operation
def run_in_executor_again() -> Act:
    """With a thread that waits for jobs already."""
    loop = new_loop()
    loop.run_until_complete(loop.run_in_executor(None, int))
    yield lambda: loop.run_until_complete(loop.run_in_executor(None, int))
    works(loop)


@operation
def submit() -> Act:
    pool = executor.ThreadPoolExecutor(2)

    def act() -> None:
        future = pool.submit(int)
        _ = future.token
        future.result(1)

    yield act
    assert pool.submit(int).result(10) == 0
    pool.shutdown()


@operation
def tokens_and_clocks() -> Act:
    def act() -> None:
        token, clock = CancelToken(), VirtualClock()
        token.wait(0)
        token.cancel()
        token.wait()
        clock.advance(1)
        executor.sleep(0)

    yield act


def report_but_for_dropped_pipes(loop: Any, context: dict[str, Any]) -> None:
    """asyncio drops a pipe that it cannot tell of, and reads from it all the same (3.14)."""
    error = context.get("exception")
    reads = "_UnixReadPipeTransport._add_reader" in repr(context.get("handle"))
    if not (reads and isinstance(error, OSError) and error.errno == errno.EBADF):
        report(error)


@operation
def child() -> Act:
    loop = new_loop()
    loop.set_exception_handler(report_but_for_dropped_pipes)

    async def run() -> None:
        try:
            async with asyncio.timeout(3):
                process = await asyncio.create_subprocess_exec("/bin/true", stdout=-1)
                await process.communicate()
        except TimeoutError as error:
            raise_what_was_held(error)

    yield lambda: loop.run_until_complete(run())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    for transport in list(loop._children):
        transport.close()
    settle(loop)
    works(loop)


# -- devices --------------------------------------------------------------------------------


@operation
def make_a_board() -> Act:
    def act() -> None:
        with sim.Board("pi-zero-w", clock=VirtualClock()) as board:
            board.attach_rc522().present(sim.MifareClassic1K(uid="a61d227e"), at=1)
            board.line("GPIO17").drive(0, at=1)

    yield act


@operation
def lines() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())

    def act() -> None:
        with (
            gpio.Input("GPIO17", bias="pull_up", board=board) as line,
            gpio.Output("GPIO27", value=1, board=board) as output,
        ):
            output.toggle()
            board.line("GPIO17").drive(0)
            line.blocking.wait_for_edge(timeout=1)
            line.edges(maxlen=4).close()

    yield act
    gc.collect()
    gpio.Input("GPIO17", board=board).close()
    gpio.Output("GPIO27", board=board).close()
    board.close()


@operation
def shared_lines() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())

    def act() -> None:
        with (
            gpio.Input("GPIO17", bias="pull_up", edges="falling", board=board) as falling,
            gpio.Input("GPIO17", board=board) as both,
        ):
            board.line("GPIO17").drive(0)
            falling.blocking.wait_for_edge(timeout=1)
            both.blocking.wait_for_edge(timeout=1)
            try:
                gpio.Output("GPIO17", board=board).close()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
        board.line("GPIO17").drive(1)

    yield act
    gc.collect()
    gpio.Output("GPIO17", board=board).close()
    board.close()


@operation
def edges_awaited() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())
    loop, line = new_loop(board.clock), gpio.Input("GPIO17", bias="pull_up", board=board)

    async def wait() -> None:
        board.line("GPIO17").drive(0, at=board.time() + 0.1)
        await line.wait_for_edge()
        edges = line.edges()
        board.line("GPIO17").drive(1)
        await anext(edges)
        await edges.aclose()

    yield lambda: loop.run_until_complete(wait())
    line.close()
    works(loop)
    board.close()


@operation
def waves() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())

    def act() -> None:
        with (
            gpio.PWM("GPIO18", 100, duty=0.5, board=board) as one,
            gpio.PWM("GPIO19", 50, board=board) as other,
        ):
            other.change(frequency=200, duty=0.25)
            clock.advance(0.1)
            if one.jitter.edges < 19:
                raise AssertionError(f"{one.jitter} in 0.1 s")
            one.stop()
            one.start()

    assert board.clock is not None
    clock = board.clock
    yield act
    gc.collect()
    with gpio.PWM("GPIO18", 100, duty=0.5, board=board):
        clock.advance(0.1)
        assert board.line(18).pwm == (100.0, 0.5)
    board.close()


@operation
def several_lines() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())
    both = gpio.LineSettings(direction="input", edge_detection="both", bias="pull_up")
    loop = new_loop(board.clock)

    async def wait(request: gpio.LineRequest) -> None:
        board.line("GPIO17").drive(0, at=board.time() + 0.1)
        await request.wait_edge_events()
        request.read_edge_events()
        board.line("GPIO17").drive(1)
        await request.next_event()

    def act() -> None:
        with gpio.request_lines("gpiochip0", {(17, 27): both, 5: None}, board=board) as request:
            loop.run_until_complete(wait(request))
            request.get_values()
            request.reconfigure_lines({5: both})

    yield act
    gc.collect()
    works(loop)
    gpio.request_lines("gpiochip0", {(17, 27, 5): both}, board=board).close()
    board.close()


@operation
def lines_watched() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())
    loop = new_loop(board.clock)

    async def wait(chip: gpio.Chip) -> None:
        waiting = loop.create_task(chip.next_info_event())
        await asyncio.sleep(0)
        gpio.Input("GPIO17", board=board).close()
        await waiting
        await anext(chip.info_events())

    def act() -> None:
        with gpio.Chip("gpiochip0", board=board) as chip:
            chip.watch_line_info(17)
            loop.run_until_complete(wait(chip))
            gpio.Input("GPIO17", board=board).close()
            chip.blocking.next_info_event(timeout=1)
            chip.unwatch_line_info(17)

    yield act
    gc.collect()
    works(loop)
    gpio.Chip("gpiochip0", board=board).close()
    board.close()


@operation
def a_button_and_a_light() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())
    loop = new_loop(board.clock)

    async def play() -> None:
        with (
            gpio.Button("GPIO17", hold_time=0.1, board=board) as button,
            gpio.LED("GPIO27", safe=0, board=board) as light,
        ):
            button.on("pressed", light.on)
            board.line("GPIO17").drive(0, at=board.time() + 0.1)
            board.line("GPIO17").drive(1, at=board.time() + 0.3)
            await button.wait_for_hold()
            await light.blink(0.1, 0.1, n=1)

    right = yield lambda: loop.run_until_complete(play())
    gc.collect()
    works(loop)
    # From 3.14 on a future holds who awaits it, also a task that CPython failed to wake.
    if right or sys.version_info < (3, 14):
        gpio.Output("GPIO27", board=board).close()
        gpio.Input("GPIO17", board=board).close()
    board.close()


@operation
def spi_messages() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())
    board.attach_rc522()

    def act() -> None:
        with spi.Device("spi0.0", board=board) as device:
            device.blocking.transfer(b"\xee\x00")
            device.blocking.message([spi.Transfer(b"\xee\x00", cs_change=True), b"\xee\x00"])

    yield act
    gc.collect()
    spi.Device("spi0.0", board=board).close()
    board.close()


class Registers:
    """A part of an I2C bus."""

    def write(self, data: bytes) -> None:
        pass

    def read(self, n: int) -> bytes:
        return bytes(n)


@operation
def turns_on_buses() -> Act:
    board = sim.Board("pi-5", clock=VirtualClock())
    board.attach_rc522().present(sim.MifareClassic1K(uid="a61d227e"))
    board.attach_i2c(1, 0x20, Registers())
    loop = new_loop(board.clock)

    async def play() -> None:
        async with (
            spi.Device("spi0.1", board=board) as device,
            i2c.Device(1, 0x20, board=board) as sensor,
            rc522.Reader(board=board) as reader,
        ):
            tasks: list[asyncio.Future[Any]] = []
            try:
                async with device.lock(), sensor.bus.lock():
                    for other in device.transfer(b"ab"), sensor.write(bytes(50)):
                        tasks.append(asyncio.ensure_future(other))
                    tasks.append(asyncio.ensure_future(reader.wait_for_tag()))
                    await asyncio.sleep(0.001)
                    await device.message([spi.Transfer(bytes(50), cs_change=True), bytes(2000)])
                    await sensor.write_read(b"a", 3)
            finally:
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            for error in ended:
                if isinstance(error, BaseException):
                    raise error
            sensor.blocking.transfer([b"a", 2])
            with device.blocking.lock():
                device.blocking.transfer(b"a")

    yield lambda: loop.run_until_complete(play())
    gc.collect()
    works(loop)
    with spi.Device("spi0.1", board=board) as device:
        device.blocking.transfer(b"a")
    with i2c.Device(1, 0x20, board=board) as sensor:
        sensor.blocking.write(b"a")
    gc.collect()
    board.close()


@operation
def tag_by_blocking_calls() -> Act:
    board = sim.Board("pi-zero-w", clock=VirtualClock())
    field = board.attach_rc522()

    made: list[rc522.Reader] = []

    def act() -> None:
        made.append(rc522.Reader(board=board))
        with made[0] as reader:
            field.present(sim.MifareClassic1K(uid="a61d227e"))
            reader.blocking.wait_for_tag(timeout=1)

    yield act
    for reader in made:
        reader.close()
    made.clear()
    rc522.Reader(board=board).close()
    board.close()


# -- what tests/leaks does, too ---------------------------------------------------------------


def _of_loops(what: Callable[[Loop], object]) -> Callable[[], Act]:
    def act() -> Act:
        loop = new_loop(VirtualClock())
        yield lambda: what(loop)
        loop.remove_signal_handler(signal.SIGUSR1)
        works(loop)

    return act


def _of_readers(what: Callable[..., Any]) -> Callable[[], Act]:
    def act() -> Act:
        board = sim.Board("pi-zero-w", clock=VirtualClock())
        field, loop = board.attach_rc522(), new_loop(board.clock)
        reader = rc522.Reader(board=board)
        card = sim.MifareClassic1K(uid="a61d227e")
        yield lambda: loop.run_until_complete(limited(what(reader, field, card)))
        works(loop)
        reader.close()
        board.close()

    return act


# Without memory CPython may keep what is shown in its own list of what is being shown.
NOT_OURS = {"wrong_arguments", "handle_in_a_cycle"}

for _what in OF_LOOPS:
    if _what.__name__ not in NOT_OURS:
        OPERATIONS[f"loop_{_what.__name__}"] = _of_loops(_what)
for _verb in OF_READERS:
    OPERATIONS[f"reader_{_verb.__name__}"] = _of_readers(_verb)
