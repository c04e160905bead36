"""asyncio in the scheduler's place: `await asyncio.sleep(0)` lets the next task run.

All that never wait share the processor in turn; timers and signals have their turn, too.
"""

import asyncio
import signal

counts = [0, 0, 0]


async def count(number):
    while True:
        counts[number] += 1
        await asyncio.sleep(0)


async def report():
    while True:
        await asyncio.sleep(0.2)
        even = max(counts) - min(counts) <= 1
        print("all had their turns" if even else "somebody was left out", flush=True)


loop = asyncio.get_event_loop()
tasks = [loop.create_task(count(number)) for number in range(len(counts))]
tasks.append(loop.create_task(report()))
loop.add_signal_handler(signal.SIGINT, loop.stop)
loop.run_forever()
for task in tasks:
    task.cancel()
loop.run_until_complete(asyncio.wait(tasks))
loop.close()
print("ended")
