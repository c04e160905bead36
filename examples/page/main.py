"""A weather station with a web page: Alice's slow measurement does not keep Bob waiting."""

import uasyncio
from airquality import AirQuality
from barometer import Barometer
from blinker import Blinker
from machine import ADC, I2C, Pin
from page import render_page, render_values
from settings import BLINK_DURATION, WARM_UP

sensors = [
    Blinker("Blinker", led, BLINK_DURATION),  # boot.py has made it
    Barometer("Barometer", I2C(scl=Pin(5), sda=Pin(4), freq=100000)),
    AirQuality("Air quality", ADC(0), WARM_UP),
]


async def serve(reader, writer):
    request = (await reader.read(1024)).decode()
    if request:
        path = request.split(" ")[1]
        print("asked for", path)
        if path == "/?measure=on":
            await uasyncio.gather(*[sensor.measure() for sensor in sensors])
        html = render_values(sensors) if path == "/values" else render_page(sensors)
        writer.write("HTTP/1.1 200 OK\r\n")
        writer.write("Content-Type: text/html; charset=utf-8\r\n")
        writer.write("Cache-Control: no-store\r\n")
        writer.write("Connection: close\r\n\r\n")
        writer.write(html)
        await writer.drain()
    await writer.wait_closed()


async def start():
    await uasyncio.start_server(serve, "0.0.0.0", 80)
    print("serving")


loop = uasyncio.get_event_loop()
loop.create_task(start())
try:
    loop.run_forever()
except KeyboardInterrupt:
    print("closing")
    loop.close()
