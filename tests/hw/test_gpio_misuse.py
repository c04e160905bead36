"""What goes wrong with lines and chips, by the program's fault or not: each has its error.

Wrong pins and chips, what is closed, unplugged, somebody else's or cut off.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import gpio, sim

CHIP = "gpiochip0"
INPUT = gpio.LineSettings(direction="input", edge_detection="both", bias="pull_up")
Runner = Callable[[Awaitable[Any]], Any]


# -- wrong names and numbers ----------------------------------------------------------


@pytest.mark.parametrize("device", [gpio.Input, gpio.Output, gpio.LED, gpio.Button])
@pytest.mark.parametrize(
    ("spec", "chip", "error", "text"),
    [
        (40, None, ValueError, "GPIO0..GPIO27; if it counts the pins of the header, .*BOARD40"),
        ("BOARD1", None, ValueError, "pin 1 of the header carries no GPIO"),
        ("GPIO_GCLK", None, ValueError, "chip= for a line by its own name"),
        (529, None, ValueError, "write 'GPIO17'"),
        (17.0, None, TypeError, "a pin is a GPIO number or a name .*17.0"),
        (None, None, TypeError, "a pin is a GPIO number or a name .*None"),
        (54, CHIP, ValueError, "0 to 53, not 54"),
        (-1, CHIP, ValueError, "0 to 53, not -1"),
        ("GPIO4", CHIP, ValueError, "pinctrl-bcm2835 has no line called 'GPIO4'"),
        (17, "gpiochip9", FileNotFoundError, "has one GPIO chip, pinctrl-bcm2835: 'gpiochip9'"),
        (17, 0, TypeError, "a chip is a path, name or label, not 0"),
    ],
)
def test_a_wrong_pin_or_chip(
    hw_board: sim.Board, device: Any, spec: Any, chip: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        device(spec, chip=chip)


def test_a_wrong_request(hw_board: sim.Board) -> None:
    with pytest.raises(FileNotFoundError, match="pinctrl-bcm2835"):
        gpio.request_lines("gpiochip9", {17: INPUT})
    with pytest.raises(OSError, match="given twice in one request: 'line 17 of pinctrl") as caught:
        gpio.request_lines(CHIP, {17: INPUT, "GPIO17": INPUT})
    assert caught.value.errno == errno.EBUSY
    for size in (-1, 2**32):
        with pytest.raises(ValueError, match="event_buffer_size must be 0 to"):
            gpio.request_lines(CHIP, {17: INPUT}, event_buffer_size=size)
        with pytest.raises(ValueError, match="event_buffer_size must be 0 to"):
            gpio.Input(17, event_buffer_size=size)
    with pytest.raises(TypeError, match="consumer must be a str or None, not 3"):
        gpio.request_lines(CHIP, {17: INPUT}, consumer=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="consumer must be a str, not None"):
        gpio.Input(17, consumer=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"event_buffer_size must be an integer, not 1\.5"):
        gpio.Input(17, event_buffer_size=1.5)  # type: ignore[arg-type]


# -- closed ---------------------------------------------------------------------------


def awaited(method: Callable[[], Awaitable[Any]]) -> Callable[[], Any]:
    async def call() -> Any:
        return await method()

    return lambda: asyncio.run(call())


def on_loop(method: Callable[[], Any]) -> Callable[[], Any]:
    async def call() -> Any:
        return method()

    return lambda: asyncio.run(call())


def uses() -> dict[str, tuple[Any, list[Callable[[], Any]]]]:
    """Of each class, an open one, and all that cannot be done with a closed one."""
    chip, line = gpio.Chip(CHIP), gpio.Input(17)
    request = gpio.request_lines(CHIP, {(5, 6): INPUT, 7: None}, output_values={7: 0})
    led, button, output = gpio.LED(20), gpio.Button(21), gpio.Output(22)
    edges, events, presses = line.edges(), request.events(), button.events()
    return {
        "Chip": (
            chip,
            [
                lambda: chip.path,
                chip.fileno,
                chip.get_info,
                chip.__enter__,
                awaited(chip.__aenter__),
                lambda: chip.line_offset_from_id(5),
                lambda: chip.get_line_info(5),
                lambda: chip.watch_line_info(5),
                lambda: chip.unwatch_line_info(5),
                lambda: chip.request_lines({5: INPUT}),
                awaited(chip.next_info_event),
                lambda: chip.blocking.next_info_event(0),
            ],
        ),
        "Input": (
            line,
            [
                lambda: line.value,
                lambda: line.line_offset,
                line.fileno,
                line.clear,
                line.edges,
                line.__enter__,
                lambda: next(line.blocking.edges()),
                awaited(line.wait_for_edge),
                awaited(lambda: anext(edges)),
                lambda: line.blocking.wait_for_edge(timeout=0),
            ],
        ),
        "LineRequest": (
            request,
            [
                lambda: request.get_value(5),
                request.get_values,
                lambda: request.set_value(7, 1),
                lambda: request.reconfigure_lines({7: None}),
                lambda: request.chip_name,
                lambda: request.num_lines,
                lambda: request.offsets,
                lambda: request.consumer,
                request.fileno,
                request.clear,
                request.events,
                request.read_edge_events,
                request.__enter__,
                awaited(request.next_event),
                awaited(request.wait_edge_events),
                awaited(lambda: anext(events)),
                lambda: request.blocking.next_event(0),
                lambda: request.blocking.wait_edge_events(0),
                request.blocking.read_edge_events,
                request.blocking.events,
            ],
        ),
        "Output": (output, [lambda: output.value, output.on, output.toggle, output.__enter__]),
        "LED": (led, [lambda: led.is_lit, led.off, on_loop(led.blink), on_loop(led.pulse)]),
        "Button": (
            button,
            [
                lambda: button.is_pressed,
                button.events,
                on_loop(lambda: button.on("pressed", print)),
                awaited(button.wait_for_press),
                awaited(button.wait_for_release),
                awaited(button.wait_for_hold),
                awaited(button.wait_for_double_click),
                awaited(lambda: anext(presses)),
            ],
        ),
    }


def test_what_is_closed_says_so(hw_board: sim.Board) -> None:
    every = uses()
    for device, methods in every.values():
        device.close()
        device.close()
        assert device.closed
        for method in methods:
            with pytest.raises(ValueError, match=r"(line|chip) .* is closed$"):
                method()
    request, _ = every["LineRequest"]
    assert repr(request) == "<LineRequest 5, 6, 7 released>"
    with pytest.raises(ValueError, match=r"^line 5 and 2 more of pinctrl-bcm2835 is closed$"):
        request.get_values()


# -- closed or unplugged meanwhile ------------------------------------------------------


async def all_waits(end: Callable[[list[Any]], None]) -> list[BaseException | None]:
    """What becomes of who awaits or blocks, after `end(devices)`."""
    every = {name: device for name, (device, _) in uses().items()}
    chip, line, request = every["Chip"], every["Input"], every["LineRequest"]
    led, button = every["LED"], every["Button"]
    chip.watch_line_info(5)
    tasks = [
        asyncio.ensure_future(wait)
        for wait in (
            *(chip.next_info_event() for _ in range(3)),
            anext(chip.info_events()),
            *(line.wait_for_edge(edge) for edge in ("rising", "falling", "both")),
            anext(line.edges()),
            *(request.next_event() for _ in range(3)),
            request.wait_edge_events(),
            anext(request.events()),
            button.wait_for_press(),
            button.wait_for_hold(),
            button.wait_for_double_click(),
            anext(button.events()),
        )
    ]
    others = [gpio.Chip(CHIP), gpio.Input(10), gpio.request_lines(CHIP, {(11, 12): INPUT})]
    blocked = [
        lambda: others[0].blocking.next_info_event(timeout=60),
        lambda: others[1].blocking.wait_for_edge(timeout=60),
        lambda: next(others[1].blocking.edges(timeout=60)),
        lambda: others[2].blocking.read_edge_events(timeout=60),
    ]
    loop = asyncio.get_running_loop()
    jobs = [loop.run_in_executor(None, job) for job in blocked]
    blink = led.blink(0.001, 0.001)
    while not led.is_lit:
        await asyncio.sleep(0)
    for device in (others[1], others[2]):
        while not is_blocked(device):
            await asyncio.sleep(0.001)
    end([*every.values(), *others])
    results = await asyncio.gather(*tasks, *jobs, return_exceptions=True)
    (lit,) = await asyncio.gather(blink, return_exceptions=True)
    for device in (*every.values(), *others):
        device.close()
    return [result if isinstance(result, BaseException) else None for result in (lit, *results)]


def is_blocked(device: Any) -> bool:
    try:
        device._core.disarm(device._core.arm(asyncio.get_running_loop()))
    except RuntimeError:  # a thread blocks
        return True
    return False


def test_a_close_ends_every_wait(hw_board: sim.Board, run: Runner) -> None:
    def close(devices: list[Any]) -> None:
        for device in devices:
            device.close()

    lit, *ends = run(all_waits(close))
    assert isinstance(lit, asyncio.CancelledError)
    for end in ends:
        assert isinstance(end, (OSError, ValueError)) and "closed" in str(end)
        assert not isinstance(end, OSError) or end.errno == errno.EBADF


def test_an_unplugged_chip_ends_every_wait(hw_board: sim.Board, run: Runner) -> None:
    for end in run(all_waits(lambda devices: hw_board.close())):
        assert isinstance(end, OSError) and end.errno == errno.ENODEV
        assert "it was unplugged; open it anew when it is back: '" in str(end)


def test_what_is_unplugged_is_used(hw_board: sim.Board) -> None:
    with gpio.Chip(CHIP) as chip, gpio.Input(17) as line, gpio.Output(27, safe=1) as output:
        hw_board.close()
        for use in (
            lambda: chip.get_line_info(17),
            lambda: chip.watch_line_info(17),
            lambda: line.value,
            lambda: line.blocking.wait_for_edge(timeout=0),
            output.on,
        ):
            with pytest.raises(OSError, match="it was unplugged") as caught:
                use()
            assert caught.value.errno == errno.ENODEV


# -- on the kernel's interface ----------------------------------------------------------

BEGINNING = """
import asyncio, ctypes, os, sys, threading
import pyasync_hw
from pyasync_hw import gpio
from pyasync_hw.hardware import KernelBackend

kernel = ctypes.CDLL(None)
board = KernelBackend()
INPUT = gpio.LineSettings(direction="input", edge_detection="both")

def told(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

async def settled():
    for _ in range(5):
        await asyncio.sleep(0)
"""

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="its kernel is built with gcc")


@needs_gcc
def test_requests_that_the_kernel_refuses(on_fake_kernel: Callable[[str], str]) -> None:
    program = """
for pin in (4, 99, -1):
    print(told(lambda: gpio.Input(pin, chip="/dev/null", board=board)))
print(told(lambda: gpio.request_lines("/dev/null", {(17, 4): INPUT}, board=board).close()))
for open_it in (lambda path: gpio.Input(17, chip=path, board=board),
                lambda path: gpio.request_lines(path, {17: INPUT}, board=board),
                lambda path: gpio.Chip(path, board=board)):
    print(told(lambda: open_it("/dev/forbidden")))
print(told(lambda: gpio.Chip("/dev/gpiochip999", board=board)))
print(told(lambda: gpio.Chip("pinctrl-of-nobody", board=board)))
"""
    busy = "OSError: [Errno 16] Device or resource busy; it is in use by 'onewire@0'"
    missing = "FileNotFoundError: [Errno 2] No such file or directory; no such GPIO chip or line "
    lines = on_fake_kernel(BEGINNING + program).splitlines()
    assert lines[0] == f"{busy}: 'line 4 of gpiochip0'"
    assert lines[1:4] == [
        "ValueError: gpiochip0 has lines 0 to 53, not 99",
        "ValueError: line must be 0 to 4294967295, not -1",
        "None",  # its fake refuses by the first line only
    ]
    forbidden = "PermissionError: [Errno 13] Permission denied; add the user to group gpio, "
    assert all(line.startswith(forbidden) for line in lines[4:7])
    assert all(line.startswith(missing) for line in lines[7:]) and len(lines) == 9


@needs_gcc
@pytest.mark.parametrize("runner", ["pyasync_hw.run", "asyncio.run"])
def test_a_chip_that_the_kernel_loses(on_fake_kernel: Callable[[str], str], runner: str) -> None:
    program = f"""
async def main():
    line = gpio.Input(17, chip="/dev/null", board=board)
    waits = [asyncio.ensure_future(w) for w in (
        line.wait_for_edge("rising"), line.wait_for_edge("falling"), anext(line.edges()))]
    await settled()
    kernel.fake_unplug()
    for end in await asyncio.gather(*waits, return_exceptions=True):
        print(end)
    print(told(lambda: line.value))
    line.close()
    try:
        gpio.Input(17, chip="/dev/null", board=board)
    except OSError as error:
        print(error.strerror)

{runner}(main())
"""
    gone = "[Errno 19] No such device; it was unplugged; open it anew when it is back: "
    lines = on_fake_kernel(BEGINNING + program).splitlines()
    assert lines[:3] == [f"{gone}'line 17 of gpiochip0'"] * 3
    assert lines[3] == f"OSError: {gone}'line 17 of gpiochip0'"
    assert len(lines) == 5 and lines[4].startswith("No such device")


@needs_gcc
def test_a_chip_that_the_kernel_loses_under_threads(on_fake_kernel: Callable[[str], str]) -> None:
    program = """
line = gpio.Input(17, chip="/dev/null", board=board)
ends = []
def block():
    ends.append(told(line.blocking.wait_for_edge))
threads = [threading.Thread(target=block) for _ in range(3)]
for thread in threads:
    thread.start()
kernel.fake_unplug()
for thread in threads:
    thread.join()
line.close()
print(set(ends))
"""
    assert on_fake_kernel(BEGINNING + program).count("it was unplugged; open it anew") == 1


@needs_gcc
def test_a_read_that_is_cut_off(on_fake_kernel: Callable[[str], str]) -> None:
    program = """
import tempfile

async def main(line):
    waiting = asyncio.ensure_future(line.wait_for_edge())
    await settled()
    kernel.fake_short_read()
    await asyncio.wait([waiting])
    print(waiting.exception())

for run in (pyasync_hw.run, asyncio.run):
    with gpio.Input(17, chip="/dev/null", board=board) as line:
        run(main(line))
with gpio.Input(17, chip="/dev/null", board=board) as line:
    kernel.fake_short_read()
    print(told(line.blocking.wait_for_edge))
with tempfile.TemporaryDirectory() as folder:
    path = folder + "/gpiochip0"
    os.mkfifo(path)
    with gpio.Chip(path, board=board) as chip:
        os.write(chip.fileno(), b"short")
        print(told(chip.blocking.next_info_event))
"""
    lines = on_fake_kernel(BEGINNING + program).splitlines()
    assert len(lines) == 4 and all("Protocol error; what was read is cut off" in x for x in lines)


@needs_gcc
def test_sixteen_edges_a_read_wake_all_in_the_turn_that_reads_them(
    on_fake_kernel: Callable[[str], str],
) -> None:
    program = """
async def main():
    loop, ended, all_have = asyncio.get_running_loop(), [], asyncio.Event()
    def turn():
        return loop.stats()["iterations"]
    async def wait(line):
        await line.wait_for_edge()
        ended.append(turn())
        if len(ended) == 40:
            all_have.set()
    with gpio.Input(17, chip="/dev/null", board=board) as line:
        waits = [asyncio.ensure_future(wait(line)) for _ in range(40)]
        await settled()
        reads, before = kernel.fake_reads(), turn()
        kernel.fake_edges(40)
        await all_have.wait()
        print(kernel.fake_reads() - reads, [at - before for at in ended])

pyasync_hw.run(main())
"""
    turns = [1] * 16 + [2] * 16 + [3] * 8
    assert on_fake_kernel(BEGINNING + program) == f"3 {turns}\n"


@pytest.mark.parametrize("new_loop", [pyasync_hw.new_event_loop, asyncio.SelectorEventLoop])
@pytest.mark.parametrize("how", ["await", "block", "close"])
def test_an_edge_is_not_for_who_waits_on_a_closed_loop(
    hw_board: sim.Board, new_loop: Callable[[], asyncio.AbstractEventLoop], how: str
) -> None:
    """It never goes on: the edge is for the next who asks."""
    loop = new_loop()
    with gpio.Input(17, bias="pull_up") as button:
        edges = button.edges()

        async def begin() -> list[asyncio.Task[Any]]:
            waits = [asyncio.ensure_future(button.wait_for_edge()) for _ in range(2)]
            waits.append(asyncio.ensure_future(anext(edges)))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            return waits

        tasks = loop.run_until_complete(begin())
        loop.close()
        hw_board.line(17).drive(0)
        if how == "await":
            event = pyasync_hw.run(button.wait_for_edge("falling"))
        elif how == "block":
            event = button.blocking.wait_for_edge("falling", timeout=30)
        else:
            edges.close()
            event = button.blocking.wait_for_edge("falling", timeout=30)
        assert event.event_type == "falling"
        edges.close()
    for task in tasks:  # who drops a pending one is told
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()  # type: ignore[union-attr]
