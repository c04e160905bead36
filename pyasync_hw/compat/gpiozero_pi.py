"""gpiozero on a simulated board: which Pi it is, and that it is to use RPi.GPIO's names.

gpiozero reads the first from /proc, and would take a real GPIO chip of this machine
before it takes RPi.GPIO.
"""

from __future__ import annotations

import os
from types import ModuleType

from .rpi_info import revision
from .shims import when_imported

__all__ = ["install"]


def _tell_revision(local: ModuleType) -> None:
    local.get_pi_revision = revision  # type: ignore[attr-defined]


def _choose_names(_: ModuleType) -> None:
    os.environ.setdefault("GPIOZERO_PIN_FACTORY", "rpigpio")


def install() -> None:
    """As soon as the program imports gpiozero."""
    when_imported("gpiozero", _choose_names)
    when_imported("gpiozero.pins.local", _tell_revision)
