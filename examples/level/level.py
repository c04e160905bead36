"""A spirit level: a bubble on a display, a lamp that is lit when it is level, a button to stop."""

import asyncio
import struct

from pyasync_hw import gpio, i2c, run

ACCELEROMETER, DISPLAY = 0x53, 0x3C
BUTTON, LAMP = "GPIO17", "GPIO27"

# SSD1306: horizontal addressing, upright, charge pump and display on.
START = bytes.fromhex("00 20 00 a1 c8 8d 14 af")
WHOLE = bytes.fromhex("00 21 00 7f 22 00 07")


def picture(x: float) -> bytes:
    """A line through the middle, and a bubble of 8 by 8 pixels on it; x is -1 to 1."""
    pixels = bytearray(1024)
    pixels[128 * 4 : 128 * 5] = b"\x01" * 128
    left = round((1 - x) / 2 * 120)
    pixels[128 * 3 + left : 128 * 3 + left + 8] = b"\x3c\x7e\xff\xff\xff\xff\x7e\x3c"
    return bytes(pixels)


async def measure(sensor: i2c.Device) -> float:
    (x,) = struct.unpack("<h", await sensor.write_read(b"\x32", 2))
    return max(-1.0, min(1.0, x / 256))


async def show(bus: i2c.Bus, lamp: gpio.LED) -> None:
    sensor, display = bus.device(ACCELEROMETER), bus.device(DISPLAY)
    await sensor.write(b"\x2d\x08")  # POWER_CTL: measure
    await display.write(START)
    while True:
        x = await measure(sensor)
        lamp.value = abs(x) < 0.02
        await display.write(WHOLE)
        await display.write(b"\x40" + picture(x))
        await asyncio.sleep(0.05)


async def main() -> None:
    async with i2c.Bus("i2c-1") as bus:
        with gpio.LED(LAMP, safe=0) as lamp, gpio.Button(BUTTON, bounce_time=0.01) as button:
            showing = asyncio.create_task(show(bus, lamp))
            pressed = asyncio.create_task(button.wait_for_press())
            await asyncio.wait([showing, pressed], return_when=asyncio.FIRST_COMPLETED)
            showing.cancel()
            pressed.cancel()
            print("level" if lamp.is_lit else "not level")
            if showing.done():
                await showing  # what went wrong


run(main())
