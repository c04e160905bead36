"""The embedded default: a simulated board, RC522 readers and cards.

`Board` is the board; `MifareClassic1K` a card, `Card` what to build others on.
It runs in real time, or on a VirtualClock, where nothing takes any time.
"""

from __future__ import annotations

from .board import Board, OnI2c, OnSpi, SimLine, SimReader
from .cards import Card, CardState
from .classic import MifareClassic1K
from .models import MODELS
from .parts import (
    ADC,
    ADXL345,
    BMP180,
    DHT,
    HCSR04,
    LED,
    MCP3002,
    MCP3004,
    MCP3008,
    MMA7660,
    MPU6050,
    SSD1306,
    Button,
    I2CPart,
    Joint,
    KeyMatrix,
    LightSensor,
    Part,
    PartLine,
    Wire,
    kinds,
    register,
)
from .wired import wired_board

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
    "MODELS",
    "MPU6050",
    "SSD1306",
    "Board",
    "Button",
    "Card",
    "CardState",
    "I2CPart",
    "Joint",
    "KeyMatrix",
    "LightSensor",
    "MifareClassic1K",
    "OnI2c",
    "OnSpi",
    "Part",
    "PartLine",
    "SimLine",
    "SimReader",
    "Wire",
    "kinds",
    "register",
    "wired_board",
]
