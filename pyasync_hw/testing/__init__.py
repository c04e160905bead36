"""Help for tests of programs that use this package.

`plugin` is a pytest plugin; in conftest.py:

    pytest_plugins = ["pyasync_hw.testing.plugin"]

`open_devices()`, `live_objects()` and `open_descriptors()` are what its checks compare.
"""

from __future__ import annotations

import gc
import os
from typing import get_args

from .. import _core

__all__ = ["live_objects", "open_descriptors", "open_devices"]

Device = _core.LineRequest | _core.GPIOChip | _core.PWM | _core.SPIDevice | _core.I2CBus


def open_devices() -> list[Device]:
    """Lines, chips, waves, SPI devices and I2C buses that are open; of a reader, all it has."""
    live = _core._live()
    kinds = get_args(Device)
    if not any(live[kind.__name__] for kind in kinds):
        return []  # without a look at every object of the process
    return [one for one in gc.get_objects() if isinstance(one, kinds) and not one.closed]


def live_objects() -> dict[str, int]:
    """How many objects of each C type of this package are alive, after a collection."""
    gc.collect()
    return _core._live()


def open_descriptors() -> dict[int, str]:
    """This process's descriptors and what they are, as /proc/self/fd says."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found
