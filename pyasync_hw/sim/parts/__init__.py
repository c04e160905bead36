"""Parts to wire to a simulated board: Board.attach(), or [[part]] in a board.toml."""

from __future__ import annotations

from .accelerometer import ADXL345, MMA7660, MPU6050
from .adc import ADC
from .bmp180 import BMP180
from .button import Button
from .dht import DHT
from .hc_sr04 import HCSR04
from .i2c import I2CPart
from .led import LED
from .light_sensor import LightSensor
from .mcp3xxx import MCP3002, MCP3004, MCP3008
from .part import Part, PartLine
from .registry import find_kind, kinds, register
from .ssd1306 import SSD1306
from .wire import Joint, KeyMatrix, Wire

__all__ = [
    "ADC",
    "ADXL345",
    "BMP180",
    "DHT",
    "HCSR04",
    "LED",
    "MCP3002",
    "MCP3004",
    "MCP3008",
    "MMA7660",
    "MPU6050",
    "SSD1306",
    "Button",
    "I2CPart",
    "Joint",
    "KeyMatrix",
    "LightSensor",
    "Part",
    "PartLine",
    "Wire",
    "find_kind",
    "kinds",
    "register",
]
