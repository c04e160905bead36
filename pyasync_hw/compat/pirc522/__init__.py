"""pi-rc522 2.3's names over pyasync_hw.rc522."""

from __future__ import annotations

from typing import Any

from ..hints import no_such_name
from .rfid import RFID
from .util import RFIDUtil

__all__ = ["RFID", "RFIDUtil"]


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
