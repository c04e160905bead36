"""Under `run`, gpiozero takes our pin factory where the program or its user names none."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from .shims import when_imported

__all__ = ["install"]


def _prefer_ours(devices: ModuleType) -> None:
    device = devices.Device
    original = device._default_pin_factory

    def default_pin_factory() -> Any:
        if "GPIOZERO_PIN_FACTORY" in os.environ:
            return original()
        from .gpiozero import Factory

        return Factory()

    device._default_pin_factory = staticmethod(default_pin_factory)


def install() -> None:
    """As soon as the program imports gpiozero."""
    when_imported("gpiozero.devices", _prefer_ours)
