"""A device that the scheduler polls: who reads it waits in the loop, with no coroutine that asks.

A stream is what has `ioctl()`; the loop asks it whether it can be read, request 3 with the
flags 1 (read) and 4 (write), and goes on with who waits for it when it says so.
"""

import uasyncio as asyncio
from machine import Pin

POLL, READ = 3, 1


class Key:
    """A push button as a stream: it can be read once each time it was pressed."""

    def __init__(self, pin):
        self.pin = pin
        self.was = 1

    def ioctl(self, request, flags):
        if request != POLL or not flags & READ:
            return 0
        level = self.pin.value()
        pressed = self.was and not level
        self.was = level
        return READ if pressed else 0

    async def read(self):
        yield asyncio.IORead(self)
        return "pressed"


async def main():
    key = Key(Pin("X2", Pin.IN, Pin.PULL_UP))
    while True:
        print("the key was", await key.read())


loop = asyncio.get_event_loop()
loop.create_task(main())
try:
    loop.run_forever()
except KeyboardInterrupt:
    print("over")
