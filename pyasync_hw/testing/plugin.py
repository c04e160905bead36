"""pytest fixtures: a simulated board per test, and checks that nothing is left open.

def test_button(hw_board):
    async def main():
        with gpio.Input("GPIO17", bias="pull_up") as button:
            hw_board.line("GPIO17").drive(0, at=1.0)
            return await button.wait_for_edge("falling")

    assert pyasync_hw.run(main(), clock=hw_board.clock).event_type == "falling"

What else a test leaves is looked at where asked for, since much of it may be meant: a loop
for all tests, the first thread of a pool, a log file.  `@pytest.mark.hw_leaks("all")` asks
for one test, the ini option `hw_leaks = all` for all of them:

    devices      lines and SPI devices that are open (the default)
    descriptors  these, and descriptors of every kind
    all          these, and objects of this package's C types: loops, handles, jobs, ...
"""

from __future__ import annotations

import gc
import time
from collections.abc import Generator, Iterator

import pytest

from .. import VirtualClock, _core
from ..sim import Board
from . import Device, live_objects, open_descriptors, open_devices

__all__ = ["hw_board", "hw_time_limit", "no_live_growth"]

PATIENCE_S = 1.0

LEAKS = ("devices", "descriptors", "all")

_failed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "hw_leaks", f"what hw_board looks for after a test: {', '.join(LEAKS)}", default="devices"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"hw_leaks(what): what hw_board looks for after it: {', '.join(LEAKS)}"
    )


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
def hw_board(request: pytest.FixtureRequest, hw_time_limit: float | None) -> Iterator[Board]:
    """A fresh simulated Pi Zero W, the current hardware of the test.

    It is made on a virtual clock of its own, `hw_board.clock`: give that to
    pyasync_hw.run(clock=), and the test takes no time; `hw_time_limit` ends it with
    TimeLimitError.  On a loop in real time the board is in real time.  After the test it
    is closed; a line or SPI device that the test has opened and not closed is an error
    (`hw_leaks`: what else).
    """
    leaks = _leaks_looked_for(request)
    known = {id(device): device for device in open_devices()}
    objects = _core._live()
    descriptors = open_descriptors()
    board = Board("pi-zero-w", clock=VirtualClock(limit=hw_time_limit), name="hw_board")
    with board:
        yield board
    if request.node.stash.get(_failed, False):
        return
    request.node.funcargs.clear()  # the values of fixtures, which pytest still holds
    if left := _left_open(known):
        names = ", ".join(sorted(map(_device_name, left)))
        pytest.fail(f"the test left open: {names}; close() it, or open it by `with`", False)
    del known
    if leaks == "all":
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
    return f"SPI device {device.name}"


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
