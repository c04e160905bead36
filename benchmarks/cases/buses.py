"""Short SPI and I2C messages, which kernel.c answers at once: what awaiting costs.

They are sent on the loop; 8 bytes of SPI take 16 us on the wire, 1 byte of I2C 190 us.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Awaitable, Callable

from .case import Loop, Sample, case

DATA = bytes(range(8))


def called(call: Callable[[], object], count: int) -> float:
    start = time.process_time_ns()
    for _ in range(count):
        call()
    return (time.process_time_ns() - start) / count


def awaited(loop: Loop, call: Callable[[], Awaitable[object]], count: int) -> float:
    async def main() -> float:
        start = time.process_time_ns()
        for _ in range(count):
            await call()
        return (time.process_time_ns() - start) / count

    return loop.run_until_complete(main())


@case(2_000, kernel=True)
def spi_message(loop: Loop, count: int) -> Sample:
    from pyasync_hw import spi
    from pyasync_hw.hardware.kernel import KernelBackend

    sample = {}
    with spi.Device("spi0.0", board=KernelBackend()) as device:
        blocking = device.blocking
        sample["block"] = called(lambda: blocking.transfer(DATA), count)
        sample["await"] = awaited(loop, lambda: device.transfer(DATA), count)
    if importlib.util.find_spec("spidev") is not None:
        import spidev

        package = spidev.SpiDev()
        package.open(0, 0)
        words = list(DATA)
        sample["package"] = called(lambda: package.xfer2(words), count)
        package.close()
    return sample


@case(2_000, kernel=True)
def i2c_message(loop: Loop, count: int) -> Sample:
    from pyasync_hw import i2c
    from pyasync_hw.hardware.kernel import KernelBackend

    with i2c.Device(1, 0x50, board=KernelBackend()) as device:
        blocking = device.blocking
        return {
            "block": called(lambda: blocking.write(b"\x10"), count),
            "await": awaited(loop, lambda: device.write(b"\x10"), count),
        }
