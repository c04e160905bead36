"""pi-rc522 2.3's names over pyasync_hw.rc522."""

from .rfid import RFID
from .util import RFIDUtil

__all__ = ["RFID", "RFIDUtil"]
