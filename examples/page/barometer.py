import uasyncio
import ustruct
from sensor import Sensor

ADDRESS = 0x77


class Barometer(Sensor):
    """A BMP180, by its data sheet; while it converts, others run."""

    def __init__(self, name, i2c):
        super().__init__(name)
        self.i2c = i2c
        self.calibration = ustruct.unpack(">hhhHHHhhhhh", i2c.readfrom_mem(ADDRESS, 0xAA, 22))
        self.celsius = self.hectopascal = None

    async def convert(self, command, ms, size):
        self.i2c.writeto_mem(ADDRESS, 0xF4, bytes([command]))
        await uasyncio.sleep_ms(ms)
        return self.i2c.readfrom_mem(ADDRESS, 0xF6, size)

    async def measure(self):
        ac1, ac2, ac3, ac4, ac5, ac6, b1, b2, mb, mc, md = self.calibration
        (ut,) = ustruct.unpack(">H", await self.convert(0x2E, 5, 2))
        x1 = (ut - ac6) * ac5 >> 15
        b5 = x1 + (mc << 11) // (x1 + md)
        (up,) = ustruct.unpack(">H", await self.convert(0x34, 5, 2))
        b6 = b5 - 4000
        x3 = (b2 * (b6 * b6 >> 12) >> 11) + (ac2 * b6 >> 11)
        b3 = (ac1 * 4 + x3 + 2) >> 2
        x3 = ((ac3 * b6 >> 13) + (b1 * (b6 * b6 >> 12) >> 16) + 2) >> 2
        b4 = ac4 * (x3 + 32768) >> 15
        p = (up - b3) * 50000 * 2 // b4
        x1 = (p >> 8) * (p >> 8) * 3038 >> 16
        self.celsius = (b5 + 8 >> 4) / 10
        self.hectopascal = (p + (x1 + (-7357 * p >> 16) + 3791 >> 4)) / 100

    def values(self):
        if self.celsius is None:
            return None
        return [
            ("Temperature", "{:.1f} &deg;C".format(self.celsius)),
            ("Pressure", "{:.0f} hPa".format(self.hectopascal)),
        ]
