"""An object that can be awaited: its `__await__` is a generator, and each yield a look."""

import pyb
import uasyncio as asyncio
from utime import ticks_diff, ticks_ms


class Lit:
    """An LED, awaited until it goes out."""

    def __init__(self, number, ms):
        self.led = pyb.LED(number)
        self.ms = ms

    def __await__(self):
        start = ticks_ms()
        self.led.on()
        while ticks_diff(ticks_ms(), start) < self.ms:
            yield
        self.led.off()
        return ticks_diff(ticks_ms(), start) >= self.ms

    __iter__ = __await__  # MicroPython asks for this one


async def main():
    for number in (1, 2):
        print("long enough:", await Lit(number, 100))


asyncio.get_event_loop().run_until_complete(main())
