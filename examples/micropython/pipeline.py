"""A queue of two places between one who is quick and one who is slow: `put` waits for `get`."""

import uasyncio as asyncio
from uasyncio.queues import Queue


async def bake(queue):
    for number in range(1, 6):
        await queue.put(number)
        print("baked", number)
    await queue.put(None)


async def eat(queue):
    while True:
        number = await queue.get()
        if number is None:
            break
        print("ate", number)
        await asyncio.sleep_ms(50)


queue = Queue(2)
loop = asyncio.get_event_loop()
loop.create_task(bake(queue))
loop.run_until_complete(eat(queue))
