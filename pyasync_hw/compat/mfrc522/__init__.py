"""mfrc522 0.0.7's names over pyasync_hw.rc522, and those that mfrc522-python 0.0.9 adds."""

from __future__ import annotations

from typing import Any

from ..hints import no_such_name
from .BasicMFRC522 import BasicMFRC522
from .MFRC522 import MFRC522
from .SimpleMFRC522 import SimpleMFRC522

__all__ = ["MFRC522", "BasicMFRC522", "SimpleMFRC522", "name"]

name = "mfrc522"


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
