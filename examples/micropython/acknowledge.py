"""One event for several who wait: it is cleared when each of them has said that it saw it."""

import uasyncio as asyncio


class Event:
    """As small as can be: who waits looks again each time it is its turn."""

    def __init__(self):
        self.clear()

    def set(self):
        self.flag = True

    def clear(self):
        self.flag = False

    def is_set(self):
        return self.flag

    async def wait(self):
        while not self.flag:
            yield  # MicroPython's: let the others run


async def runner(name, start, ready):
    for race in range(2):
        await start.wait()
        print(name, "runs")
        ready.set()
        while start.is_set():
            yield


async def starter(start, readies):
    for race in range(2):
        print("go")
        start.set()
        for ready in readies:
            await ready.wait()
            ready.clear()
        start.clear()
        await asyncio.sleep_ms(10)


start = Event()
readies = [Event(), Event(), Event()]
loop = asyncio.get_event_loop()
for name, ready in zip(("Ada", "Grace", "Mary"), readies):
    loop.create_task(runner(name, start, ready))
loop.run_until_complete(starter(start, readies))
loop.close()
