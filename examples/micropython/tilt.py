"""A driver that polls: the accelerometer is asked every 20 ms, and tells what counts as a move."""

import pyb
import uasyncio as asyncio
from utime import ticks_diff, ticks_ms


class Tilt:
    def __init__(self, accel, threshold=5):
        self.accel = accel
        self.threshold = threshold  # of 32; what is less is noise
        self.position = self.read()

    def read(self):
        return self.accel.x(), self.accel.y(), self.accel.z()

    async def moved(self, timeout_ms):
        """Where it was moved to, or None when it lay still for so long."""
        start = ticks_ms()
        while ticks_diff(ticks_ms(), start) < timeout_ms:
            now = self.read()
            if max(abs(a - b) for a, b in zip(now, self.position)) > self.threshold:
                self.position = now
                return now
            await asyncio.sleep_ms(20)
        return None


async def report():
    tilt = Tilt(pyb.Accel())
    while True:
        position = await tilt.moved(500)
        if position is None:
            print("lies still")
        else:
            print("moved to x {} y {} z {}".format(*position))


loop = asyncio.get_event_loop()
loop.create_task(report())
loop.run_forever()
