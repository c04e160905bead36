"""Under `run`, gpiozero takes our pin factory where the program or its user names none."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .patches import Patches
from .shims import when_imported

__all__ = ["install"]


def _prefer_ours(devices: ModuleType, patches: Patches) -> None:
    device = devices.Device
    original = device._default_pin_factory

    def default_pin_factory() -> Any:
        if "GPIOZERO_PIN_FACTORY" in os.environ:
            return original()
        from .gpiozero import Factory

        return Factory()

    patches.set(device, "_default_pin_factory", staticmethod(default_pin_factory))


def install() -> Callable[[], None]:
    """As soon as the program imports gpiozero; returns what undoes it."""
    patches = Patches()
    forget = when_imported("gpiozero.devices", lambda devices: _prefer_ours(devices, patches))

    def uninstall() -> None:
        forget()
        patches.undo()

    return uninstall
