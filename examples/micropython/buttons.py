"""A switch for the green LED; a button for the red one: again, twice quickly, and for long."""

import pyb
import uasyncio as asyncio
from inputs import Pushbutton, Switch
from machine import Pin

red, green, yellow, blue = [pyb.LED(number) for number in range(1, 5)]


async def light(led):
    led.on()


async def dark(led):
    led.off()


async def toggle(led):
    led.toggle()


async def pulse(led):
    led.on()
    await asyncio.sleep_ms(100)
    led.off()


Switch(Pin("X1", Pin.IN, Pin.PULL_UP), lambda: light(green), lambda: dark(green))
Pushbutton(
    Pin("X2", Pin.IN, Pin.PULL_UP),
    pressed=lambda: toggle(red),
    double=lambda: pulse(yellow),
    long=lambda: pulse(blue),
)
asyncio.get_event_loop().run_forever()
