import uasyncio
from sensor import Sensor


class Blinker(Sensor):
    """An LED that is on for a while after each measurement."""

    def __init__(self, name, led, blink_duration):
        super().__init__(name)
        self.led = led
        self.blink_duration = blink_duration
        self.count = 0

    async def measure(self):
        self.led.value(0)
        self.count += 1
        # Not awaited: it goes out in the background.
        uasyncio.get_event_loop().create_task(self.reset(self.count))

    async def reset(self, number):
        await uasyncio.sleep(self.blink_duration)
        if number == self.count:  # else it was lit anew
            self.led.value(1)

    def values(self):
        return [("LED", "off" if self.led.value() else "on")]
