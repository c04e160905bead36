"""Under `run`, gpiozero takes our pin factory: where the program or its user names none, and
where they name one whose library is not installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from .alias import AliasFinder
from .patches import Patches
from .shims import when_imported

__all__ = ["install"]


_LIBRARIES = {"gpiozero.pins.lgpio": "lgpio", "gpiozero.pins.pigpio": "pigpio"}


class _FactoryFinder(AliasFinder):
    """Finds our factories as those of gpiozero that could not be imported."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(_LIBRARIES, f"{__package__}.gpiozero_factories"))

    def _stands_in(self, fullname: str) -> bool:
        return find_spec(_LIBRARIES[fullname]) is None


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
    finder = _FactoryFinder()
    sys.meta_path.insert(0, finder)
    forget = when_imported("gpiozero.devices", lambda devices: _prefer_ours(devices, patches))

    def uninstall() -> None:
        forget()
        sys.meta_path.remove(finder)
        finder.forget()
        patches.undo()

    return uninstall
