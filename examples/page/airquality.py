import uasyncio
from sensor import Sensor


class AirQuality(Sensor):
    """A gas sensor: slow, since its heater has to be warm."""

    def __init__(self, name, adc, warm_up):
        super().__init__(name)
        self.adc = adc
        self.warm_up = warm_up
        self.percent = None

    async def measure(self):
        await uasyncio.sleep(self.warm_up)
        self.percent = 100 - self.adc.read() * 100 / 1023

    def values(self):
        if self.percent is None:
            return None
        return [("Clean air", "{:.0f} %".format(self.percent))]
