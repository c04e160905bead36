"""python -m benchmarks.readers: what waiting for an RFID tag costs, five ways.

Each way is a process of its own under `run`, on the simulated board: it waits for some
seconds while no tag is there, and then tags come, one after the other.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from .ways import beside, compare

Found = Callable[[], object]


def pirc522(found: Found) -> None:
    from pirc522 import RFID

    reader = RFID()
    while True:
        reader.wait_for_tag()
        error, _ = reader.request()
        if not error:
            error, _ = reader.anticoll()
            if not error:
                found()


def mfrc522(found: Found) -> None:
    from mfrc522 import SimpleMFRC522

    reader = SimpleMFRC522()
    while True:
        reader.read_id()
        found()


def awaited(found: Found) -> None:
    import pyasync_hw
    from pyasync_hw import rc522

    async def main() -> None:
        async with rc522.Reader() as reader:
            while True:
                await reader.wait_for_tag()
                found()

    pyasync_hw.run(main())


# Way -> what it runs, and --shims, which leaves the first two to PyPI's packages.
ALL, LINES = "RPi.GPIO,spidev,pirc522,mfrc522", "RPi.GPIO,spidev"
WAYS = {
    "pi-rc522 2.3.0": (pirc522, LINES),
    "`pirc522` here": (pirc522, ALL),
    "mfrc522 0.0.7": (mfrc522, LINES),
    "`mfrc522` here": (mfrc522, ALL),
    "`rc522.Reader`, awaited": (awaited, ALL),
}


def measure(way: str, seconds: float, tags: int) -> dict[str, float]:
    """Runs it in the main thread; the board's side is in another."""
    from pyasync_hw import hardware, sim

    board = hardware.current()
    assert isinstance(board, sim.Board)
    (field,) = board.readers
    devices: list[Any] = []
    open_spi = sim.Board.open_spi

    def open_and_keep(self: sim.Board, *args: Any, **options: Any) -> Any:
        devices.append(open_spi(self, *args, **options))
        return devices[-1]

    sim.Board.open_spi = open_and_keep  # type: ignore[method-assign]
    seen = threading.Event()
    found: dict[str, float] = {}
    times: list[float] = []

    def noticed() -> None:
        if not seen.is_set():
            times.append(time.perf_counter())
            seen.set()

    def appears() -> float:
        card = sim.MifareClassic1K(uid=os.urandom(4).hex())
        seen.clear()
        began = time.perf_counter()
        field.present(card)
        if not seen.wait(30):
            raise TimeoutError(f"{way} has not noticed a tag")
        field.remove(card)
        time.sleep(0.5 + random.random() / 10)
        return times[-1] - began

    def outside() -> None:
        seen.set()
        time.sleep(1)
        before = sum(device.messages for device in devices), time.process_time()
        time.sleep(seconds)
        now = sum(device.messages for device in devices), time.process_time()
        found["messages"] = (now[0] - before[0]) / seconds
        found["cpu"] = (now[1] - before[1]) / seconds
        taken = [appears() for _ in range(tags)]
        found["latency"] = statistics.median(taken)
        found["latest"] = max(taken)

    beside(lambda: WAYS[way][0](noticed), outside)
    return found


def _row(found: dict[str, float]) -> str:
    return (
        f"{found['messages']:.0f} | {found['cpu'] * 100:.2f} % "
        f"| {found['latency'] * 1e3:.1f} ms | {found['latest'] * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    compare(
        "benchmarks.readers",
        __doc__,
        {way: ("--shims", shims) for way, (_, shims) in WAYS.items()},
        measure,
        ("--tags", 20),
        (
            "SPI messages per second",
            "CPU while waiting",
            "tag there to noticed, median",
            "longest",
        ),
        _row,
    )
