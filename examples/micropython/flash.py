"""Four LEDs, each in its own rhythm: a coroutine for each, and no clock to look at."""

import pyb
import uasyncio as asyncio


async def flash(led, ms):
    while True:
        led.toggle()
        await asyncio.sleep_ms(ms)


leds = [pyb.LED(number) for number in range(1, 5)]
loop = asyncio.get_event_loop()
for led, ms in zip(leds, (100, 150, 200, 250)):
    loop.create_task(flash(led, ms))
try:
    loop.run_forever()
except KeyboardInterrupt:
    for led in leds:
        led.off()
