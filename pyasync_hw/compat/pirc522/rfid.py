"""pirc522.RFID: pi-rc522's verbs and return values over the native reader.

Quietly different: request() sleeps on the chip's interrupt instead of reading a
register 2,000 times, the field stays on between polls, halt() sends its CRC,
and each reader has an `irq` of its own.  Added: wait_for_tag() says True for a
tag and False for a timeout or a wake-up by `irq.set()`, close(), `with`.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from typing import Any

from ... import rc522
from ...errors import CollisionError, RC522Error
from ...pins import BOARD_TO_BCM, parse_pin
from ..RPi import GPIO
from ..spidev import SpiDev
from .util import RFIDUtil
from .wake import SharedWake, Wake

__all__ = ["RFID"]

MIFARE_ACK = 0xA


def _spread(data: Any) -> list[int]:
    return list(bytes(data))
