"""Classes for a switch and a push button, which poll their pin, and a delay between them.

A contact bounces for some milliseconds; who looks every 50 ms sees none of it.
"""

import uasyncio as asyncio
from utime import ticks_add, ticks_diff, ticks_ms


class Delay:
    """Runs a coroutine some time after it was last triggered."""

    def __init__(self, coro):
        self.coro = coro
        self.until = None

    def trigger(self, ms):
        idle = self.until is None
        self.until = ticks_add(ticks_ms(), ms)
        if idle:
            asyncio.get_event_loop().create_task(self.run())

    def stop(self):
        self.until = None

    def running(self):
        return self.until is not None

    async def run(self):
        while self.until is not None:
            left = ticks_diff(self.until, ticks_ms())
            if left <= 0:
                self.until = None
                await self.coro()
            else:
                await asyncio.sleep_ms(min(left, 20))


class Switch:
    """Runs a coroutine when it is closed, to ground, and one when it is opened."""

    def __init__(self, pin, closed=None, opened=None):
        self.pin = pin
        self.coros = {0: closed, 1: opened}
        asyncio.get_event_loop().create_task(self.poll())

    async def poll(self):
        before = self.pin.value()
        while True:
            now = self.pin.value()
            if now != before:
                before = now
                self.changed(now)
            await asyncio.sleep_ms(50)

    def changed(self, level):
        if self.coros[level] is not None:
            asyncio.get_event_loop().create_task(self.coros[level]())


class Pushbutton(Switch):
    """Also tells a long press, and two presses in short order."""

    LONG_MS = 800
    DOUBLE_MS = 400

    def __init__(self, pin, pressed=None, double=None, long=None):
        self.double = double
        self.held = Delay(long)
        self.last = None
        super().__init__(pin, pressed)

    def changed(self, level):
        super().changed(level)
        if level:
            self.held.stop()
            return
        self.held.trigger(self.LONG_MS)
        now = ticks_ms()
        if self.last is not None and ticks_diff(now, self.last) < self.DOUBLE_MS:
            self.last = None
            asyncio.get_event_loop().create_task(self.double())
        else:
            self.last = now
