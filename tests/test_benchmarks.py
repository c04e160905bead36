"""The benchmarks run on our loop and report; how fast is not for a test to say."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import pyasync_hw

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # `benchmarks` is in the checkout, not in the package

from benchmarks import report, rows  # noqa: E402
from benchmarks.bus_table import bus_table  # noqa: E402
from benchmarks.cases import CASES, LIMITS  # noqa: E402
from benchmarks.driver import Driver, Measurement, Worker  # noqa: E402
from benchmarks.edge_table import edge_table  # noqa: E402
from benchmarks.helpers import with_kernel  # noqa: E402
from benchmarks.summary import Summary  # noqa: E402

FEW = {"import_package": 1, "subprocess_sequential": 1}


@pytest.mark.parametrize("name", [name for name in CASES if not CASES[name].kernel])
def test_case_runs_on_our_loop(name: str) -> None:
    loop = pyasync_hw.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        sample = CASES[name].run(loop, FEW.get(name, 10))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    wanted = [row.metric for row in rows.AIMS + rows.BESIDE if row.case == name]
    assert wanted
    assert set(wanted) <= set(sample)


@pytest.mark.parametrize("loop", ["asyncio", "pyasync_hw"])
def test_cases_with_a_kernel_of_their_own_run(loop: str) -> None:
    worker = Worker(loop, kernel=True)
    try:
        for name in [name for name in CASES if CASES[name].kernel]:
            assert all(number >= 0 for number in worker.measure(name, 10).values())
    finally:
        worker.close()


@pytest.mark.parametrize("name", LIMITS)
def test_limit_in_c_runs(name: str) -> None:
    sample = LIMITS[name](3)
    assert all(number >= 0 for number in sample.values())


def test_command_writes_samples_tables_and_plot(tmp_path: Path) -> None:
    samples, tables = tmp_path / "samples.json", tmp_path / "tables.md"
    tables.write_text("# Results\n\n## Python 2.7\n\nold\n")
    command = [sys.executable, "-m", "benchmarks", "--rounds", "2", "--scale", "0.01"]
    command += ["--loops", "asyncio", "pyasync_hw", "--only", "call_soon|^timers"]
    command += ["--json", str(samples), "--markdown", str(tables)]
    for _ in range(2):  # the second one replaces the section of the first
        subprocess.run(command, cwd=ROOT, check=True, timeout=100, capture_output=True)
    measured = Measurement.read(samples.read_text())
    chosen = {"call_soon_chain", "call_soon_burst", "call_soon_long_burst", "timers"}
    assert set(measured.samples) == chosen
    for loops in measured.samples.values():
        assert [len(loops[loop]) for loop in ("asyncio", "pyasync_hw")] == [2, 2]
    text = tables.read_text()
    assert text.startswith("# Results\n\n## Python 2.7\n\nold\n\n## Python 3.")
    assert text.count("| timer cancel, 30,000 |") == 1
    if importlib.util.find_spec("matplotlib") is None:
        return  # an extra
    picture = tmp_path / "plot.svg"
    command = [sys.executable, "-m", "benchmarks.plot", str(samples), "-o", str(picture)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=100, capture_output=True)
    assert "timer cancel" in picture.read_text()


def test_loop_that_fails_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import loops

    monkeypatch.setitem(loops.SPECS, "uvloop", "no_such_loop:new_event_loop")
    measured = Driver(["asyncio", "uvloop", "pyasync_hw"], ["call_soon_chain"], 0.01).run(3, 60)
    assert measured.samples["call_soon_chain"]["uvloop"] == [None, None, None]
    text = report.section(measured)
    assert "| - [1] |" in text
    assert "1. uvloop: process ended with 1: ModuleNotFoundError" in text


def made_up(case: str, **loops: list[dict[str, float]]) -> Measurement:
    measured = Measurement(rounds=2, versions=dict.fromkeys(loops, "1"))
    measured.samples[case] = {name.replace("_C", " C"): samples for name, samples in loops.items()}
    measured.versions.pop("bare_C", None)
    return measured


def row(case: str) -> rows.Row:
    return next(row for row in rows.AIMS if row.case == case)


def test_ratio_is_formed_within_each_round() -> None:
    measured = made_up(
        "call_soon_burst",
        asyncio=[{"cpu": 100}, {"cpu": 900}, {"cpu": 100}],
        uvloop=[{"cpu": 50}, {"cpu": 450}, {"cpu": 40}],
        pyasync_hw=[{"cpu": 20}, {"cpu": 180}, {"cpu": 10}],
    )
    summary = Summary(measured, row("call_soon_burst"))
    assert summary.speed("uvloop") == 2.0
    assert summary.speed("pyasync_hw") == 5.0
    assert summary.speed("pyasync_hw", "uvloop") == 2.5
    assert summary.short() == pytest.approx(0.5)
    assert report.verdict(summary) == "**5.00** ✗ short by 0.50"
    assert report.comparison(summary, "uvloop") == "2.50 ± 0 %"


def test_early_and_spinning_peers_are_not_the_best() -> None:
    measured = made_up(
        "sleep_100us",
        asyncio=[{"over": 1_000_000, "early": 0}],
        uvloop=[{"over": -90_000, "early": 7}],
        rloop=[{"over": 80_000, "early": 0}],
        pyasync_hw=[{"over": 60_000, "early": 0}],
        bare_C=[{"over": 40_000, "early": 0}],
    )
    summary = Summary(measured, row("sleep_100us"))
    assert summary.note("uvloop") == "wakes up too early: 7 times"
    assert summary.best_peer() == "rloop"
    assert report.verdict(summary) == "**60.0 µs** (bare C: 40.0 µs) ✗ short by 5.0 µs"
    measured = made_up(
        "threadsafe_latency",
        asyncio=[{"p50": 20, "cpu": 30, "wall": 200}],
        blazio=[{"p50": 5, "cpu": 199, "wall": 200}],
        pyasync_hw=[{"p50": 10, "cpu": 20, "wall": 200}],
    )
    assert Summary(measured, row("threadsafe_latency")).best_peer() is None


def test_table_of_edges_names_who_is_behind() -> None:
    def edge(ns: float) -> dict[str, float]:
        return {"p50": ns, "p99": 2 * ns, "cpu": ns}

    measured = made_up(
        "edge_reader_one_cpu",
        asyncio=[edge(20), edge(40)],
        pyasync_hw=[edge(8), edge(16)],
        bare_C=[edge(4), edge(8)],
    )
    measured.samples["edge_gpio_one_cpu"] = {
        "asyncio": [edge(10), edge(20)],
        "pyasync_hw": [edge(12), edge(24)],
    }
    lines = edge_table(measured)
    assert "| one CPU | `gpio.Input` on asyncio | 15 ns | 30 ns | 15 ns | 2.00 | 2.00 |" in lines
    assert [line for line in lines if line.startswith("- ")] == [
        "- one CPU, `gpio.Input` on pyasync_hw: `add_reader` on pyasync_hw "
        "(p50 1.50 times as good), `add_reader` on pyasync_hw (CPU 1.50 times as good)"
    ]


def test_table_of_messages_leaves_out_what_is_not_installed() -> None:
    measured = made_up("i2c_message", asyncio=[{"block": 600, "await": 1300}])
    measured.samples["spi_message"] = {"asyncio": [{"block": 100, "await": 600}, None]}
    assert bus_table(measured)[4:] == [
        "| `spidev` package, `xfer2()`, 8 bytes | - |",
        "| `spi.Device.blocking.transfer()`, 8 bytes | 100 ns |",
        "| `await spi.Device.transfer()`, 8 bytes | 600 ns |",
        "| `i2c.Device.blocking.write()`, 1 byte | 600 ns |",
        "| `await i2c.Device.write()`, 1 byte | 1.3 µs |",
    ]


REAL_LINE = """
import asyncio, ctypes, os, struct
import pyasync_hw
from pyasync_hw import gpio
from pyasync_hw.hardware.kernel import KernelBackend

reading, writing = os.pipe()
os.set_blocking(reading, False)
made = 0

def make(count):
    global made
    for _ in range(count):
        made += 1
        os.write(writing, struct.pack("QIIII24x", 1, 1, 17, made, made))

async def main():
    ctypes.CDLL(None).kernel_next_line(reading)
    with gpio.Input(17, chip="/dev/gpiochip0", board=KernelBackend()) as line:
        edges = line.edges()
        for count in (1, 2, 20, 40):  # a read takes 16
            asyncio.get_running_loop().call_soon(make, count)
            for _ in range(count):
                event = await line.wait_for_edge()
                assert event == await anext(edges) and event.dropped == 0
        assert event.line_seqno == made == 63
        make(1)
        assert line._core.take().line_seqno == 64  # what came in the same turn is there
        make(1)
        assert (await line.wait_for_edge()).line_seqno == 65
        os.close(writing)

for new_loop in (pyasync_hw.new_event_loop, asyncio.SelectorEventLoop):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    made = 0
"""


def test_no_edge_of_a_real_line_is_missed_within_a_turn() -> None:
    command = [sys.executable, "-c", REAL_LINE]
    subprocess.run(command, cwd=ROOT, env=with_kernel(), check=True, timeout=100)


def test_buttons() -> None:
    """What docs/migrating tells of four buttons comes of it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.buttons", "--seconds=0.05", "--presses=1"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    ways = [line.split(" ")[1] for line in done.stdout.splitlines()[2:]]
    assert ways == ["polling", "callbacks", "gpiozero", "awaited"]
