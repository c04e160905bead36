"""pytest fixtures: hardware for a test, simulated or not, and checks that nothing is left open.

def test_button(hw_board):
    async def main():
        with gpio.Input("GPIO17", bias="pull_up") as button:
            hw_board.line("GPIO17").drive(0, at=1.0)
            return await button.wait_for_edge("falling")

    assert pyasync_hw.run(main(), clock=hw_board.clock).event_type == "falling"

A test that is marked `@pytest.mark.hw("gpio", "spi", "i2c", "reader", "card")` runs on what
`--hw` says, and is skipped where that lacks what it names (docs/testing.md); others run on
the simulator always.

What else a test leaves is looked at where asked for, since much of it may be meant: a loop
for all tests, the first thread of a pool, a log file.  `@pytest.mark.hw_leaks("all")` asks
for one test, the ini option `hw_leaks = all` for all of them:

    devices      lines and SPI devices that are open (the default)
    descriptors  these, and descriptors of every kind
    all          these, and objects of this package's C types: loops, handles, jobs, ...
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any, TypeVar

import pytest

from .. import _core, hardware, rc522
from ..hardware import ConfigError, load_board
from ..loop.runners import run
from ..sim import Board
from . import Device, live_objects, open_descriptors, open_devices
from .hardware import FEATURES, Bench, KernelBench, Missing, RealBench, SimBench, Wire

__all__ = [
    "hw_board",
    "hw_card",
    "hw_gpio",
    "hw_i2c",
    "hw_reader",
    "hw_run",
    "hw_spi",
    "hw_time_limit",
    "no_live_growth",
]

T = TypeVar("T")

PATIENCE_S = 1.0

LEAKS = ("devices", "descriptors", "all")

BENCHES: dict[str, type[Bench]] = {"sim": SimBench, "real": RealBench, "kernel": KernelBench}

_failed = pytest.StashKey[bool]()
_bench = pytest.StashKey[Bench]()
_simulator = SimBench(None, None)  # for tests that are not marked


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pyasync_hw")
    group.addoption(
        "--hw",
        choices=("auto", *BENCHES),
        default="auto",
        help="what tests marked hw run on: the simulator, this Raspberry Pi, or the kernel's "
        "gpio-sim; auto: PYASYNC_HW, else real on a Raspberry Pi, else sim",
    )
    group.addoption(
        "--board", metavar="FILE", help="board.toml: what is wired, its table [hw] for tests"
    )
    parser.addini(
        "hw_leaks", f"what hw_board looks for after a test: {', '.join(LEAKS)}", default="devices"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"hw_leaks(what): what hw_board looks for after it: {', '.join(LEAKS)}"
    )
    config.addinivalue_line(
        "markers", f"hw(feature, ...): runs on what --hw says, if it has {', '.join(FEATURES)}"
    )

    if config.getoption("--board") is not None:
        _bench_of(config)


def _bench_of(config: pytest.Config) -> Bench:
    """What --hw says."""
    if _bench in config.stash:
        return config.stash[_bench]
    kind = config.getoption("--hw")
    if kind == "auto":
        kind = os.environ.get("PYASYNC_HW") or "auto"
    if kind == "auto":
        kind = "real" if hardware.is_raspberry_pi() else "sim"
    if kind not in BENCHES:
        raise pytest.UsageError(
            f"PYASYNC_HW must be auto, {', '.join(BENCHES)}, not {kind!r}; or say --hw"
        )
    file = config.getoption("--board")
    try:
        wiring = None if file is None else load_board(file)
    except (ConfigError, OSError) as exc:
        raise pytest.UsageError(f"--board: {exc}") from exc
    bench = config.stash[_bench] = BENCHES[kind](wiring, file)
    config.add_cleanup(bench.close)
    return bench


def _check_mark(item: pytest.Item, mark: pytest.Mark) -> None:
    wrong = [name for name in mark.args if name not in FEATURES]
    if wrong or mark.kwargs:
        what = f"{wrong[0]!r}" if wrong else f"{next(iter(mark.kwargs))}="
        raise pytest.UsageError(f"{item.nodeid}: hw() knows {', '.join(FEATURES)}; not {what}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is wrong with a mark or PYASYNC_HW is said once, before any test runs."""
    if hasattr(config, "workerinput"):
        return  # pytest-xdist takes an error here for a crash; each test says it
    for item in items:
        for mark in item.iter_markers("hw"):
            _check_mark(item, mark)
            _bench_of(config)


@contextlib.contextmanager
def _skipping(feature: str) -> Iterator[None]:
    try:
        yield
    except Missing as exc:
        raise pytest.skip.Exception(f"hw {feature}: {exc}", _use_item_location=True) from exc


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a marked test where something that it names is not to be had."""
    for mark in item.iter_markers("hw"):
        try:
            _check_mark(item, mark)
            bench = _bench_of(item.config)
        except pytest.UsageError as exc:
            raise pytest.fail.Exception(str(exc), pytrace=False) from None
        for feature in mark.args:
            with _skipping(feature):
                bench.check(feature)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure: its traceback keeps objects alive."""
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


def _growth(before: dict[str, int]) -> dict[str, int]:
    """What is alive more than before, although threads that end had time to let go of it."""
    until = time.monotonic() + PATIENCE_S
    while True:
        # collects garbage only if something seems to be alive
        for count in (_core._live, live_objects):
            after = count()
            grown = {name: n - before[name] for name, n in after.items()}
            grown = {name: n for name, n in grown.items() if n > 0}
            if not grown:
                return grown
        if time.monotonic() > until:
            return grown
        time.sleep(0.001)


@pytest.fixture
def hw_time_limit() -> float | None:
    """Seconds of virtual time that a test may take on `hw_board.clock`: two hours.

    A test in which a reader polls, and no card can come any more, so ends by itself.
    For another limit, or None, have a fixture of this name.
    """
    return 7200.0


@pytest.fixture
def _hw_bench(request: pytest.FixtureRequest) -> Bench:
    marked = request.node.get_closest_marker("hw") is not None
    return _bench_of(request.config) if marked else _simulator


@pytest.fixture
def hw_board(
    request: pytest.FixtureRequest, hw_time_limit: float | None, _hw_bench: Bench
) -> Iterator[Any]:
    """A fresh simulated Pi Zero W, the current hardware of the test.

    It is made on a virtual clock of its own, `hw_board.clock`: give that to
    pyasync_hw.run(clock=), and the test takes no time; `hw_time_limit` ends it with
    TimeLimitError.  On a loop in real time the board is in real time.  After the test it
    is closed; a device that the test has opened and not closed is an error
    (`hw_leaks`: what else).

    In a test marked `hw` it is what --hw says: a simulated board with the readers of
    --board, or the backend of the real hardware.
    """
    leaks = _leaks_looked_for(request)
    known = {id(device): device for device in open_devices()}
    objects = _core._live()
    descriptors = open_descriptors()
    with _hw_bench.board(hw_time_limit) as board:
        yield board
    if request.node.stash.get(_failed, False):
        return
    request.node.funcargs.clear()  # the values of fixtures, which pytest still holds
    if left := _left_open(known):
        names = ", ".join(sorted(map(_device_name, left)))
        pytest.fail(f"the test left open: {names}; close() it, or open it by `with`", False)
    del known
    if leaks == "all":
        if isinstance(board, Board):
            for own in ("SimWorld", "VirtualClock"):  # of the board, which pytest still holds
                objects[own] += 1
        grown = _growth(objects)
        assert not grown, f"the test left C objects alive: {grown}"
    if leaks in ("all", "descriptors"):
        more = {fd: what for fd, what in open_descriptors().items() if fd not in descriptors}
        assert not more, f"the test left descriptors open: {more}"


def _leaks_looked_for(request: pytest.FixtureRequest) -> str:
    marker = request.node.get_closest_marker("hw_leaks")
    leaks = marker.args[0] if marker and marker.args else request.config.getini("hw_leaks")
    if leaks not in LEAKS:
        raise pytest.UsageError(f"hw_leaks must be one of {', '.join(LEAKS)}, not {leaks!r}")
    return str(leaks)


def _left_open(known: dict[int, Device]) -> list[Device]:
    """The devices that are open and not in `known`, after threads had time to close them."""
    until = time.monotonic() + PATIENCE_S
    while True:
        left = [device for device in open_devices() if id(device) not in known]
        if not left:
            return left
        if time.monotonic() > until:
            gc.collect()  # nobody has those in a cycle
            return [device for device in open_devices() if id(device) not in known]
        time.sleep(0.001)


def _device_name(device: Device) -> str:
    if isinstance(device, _core.LineRequest):
        lines = ", ".join(f"GPIO{offset}" for offset in device.offsets)
        return f'{lines} ("{device.consumer}")'
    if isinstance(device, _core.GPIOChip):
        return f"gpio.Chip {device.path}"
    if isinstance(device, _core.PWM):
        return "a gpio.PWM"
    kind = "SPI device" if isinstance(device, _core.SPIDevice) else "I2C bus"
    return f"{kind} {device.name}"


@pytest.fixture
def hw_run(hw_board: Any) -> Callable[[Coroutine[Any, Any, T]], T]:
    """hw_run(coroutine): pyasync_hw.run() in the time of `hw_board`, which may be virtual."""
    clock = getattr(hw_board, "clock", None)
    return lambda main: run(main, clock=clock)


@pytest.fixture
def hw_gpio(hw_board: Any, _hw_bench: Bench) -> Wire:
    """Two lines that are connected: with hw_gpio.output() as a, hw_gpio.input() as b: ..."""
    with _skipping("gpio"):
        return _hw_bench.wire(hw_board)


@pytest.fixture
def hw_spi(hw_board: Any, _hw_bench: Bench) -> str:
    """An SPI device, as "spi0.1", that sends back what it gets: MOSI and MISO are connected."""
    with _skipping("spi"):
        return _hw_bench.spi(hw_board)


@pytest.fixture
def hw_i2c(hw_board: Any, _hw_bench: Bench) -> tuple[int | str, int]:
    """Bus and address of an I2C device that may be read and written: i2c.Device(*hw_i2c)."""
    with _skipping("i2c"):
        return _hw_bench.i2c(hw_board)


@pytest.fixture
def hw_reader(hw_board: Any, _hw_bench: Bench) -> Iterator[rc522.Reader]:
    """A reader that is wired, for `async with hw_reader` or `with hw_reader`."""
    with _skipping("reader"):
        where = _hw_bench.reader(hw_board)
    with contextlib.closing(rc522.Reader(where)) as reader:
        yield reader


@pytest.fixture
def hw_card(hw_board: Any, _hw_bench: Bench) -> bytes:
    """The UID of a card that lies on `hw_reader`."""
    with _skipping("card"):
        return _hw_bench.card(hw_board)


@pytest.fixture
def no_live_growth(request: pytest.FixtureRequest) -> Iterator[None]:
    """After the test, no more C objects of this package are alive than before."""
    before = _core._live()
    yield
    if request.node.stash.get(_failed, False):
        return
    request.node.funcargs.clear()
    grown = _growth(before)
    assert not grown, f"the test left C objects alive: {grown}"
