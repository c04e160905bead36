"""MicroPython's modules on CPython, our loop and our devices.

They are a fallback: MicroPython's names are also users' own file names, so whatever
else can be imported by such a name is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from . import interpreter, missing
from .finder import FallbackFinder

__all__ = ["install"]

# Import name -> the module that stands for it: ours, or where MicroPython's is a part of
# Python's, that.
_MODULES = {
    # The hardware.
    "dht": f"{__name__}.dht",
    "esp": f"{__name__}.esp",
    "esp32": f"{__name__}.esp32",
    "framebuf": f"{__name__}.framebuf",
    "machine": f"{__name__}.machine",
    "micropython": f"{__name__}.micropython",
    "network": f"{__name__}.network",
    "ntptime": f"{__name__}.ntptime",
    "pyb": f"{__name__}.pyb",
    "ssd1306": f"{__name__}.ssd1306",
    "umachine": f"{__name__}.machine",
    "webrepl": f"{__name__}.webrepl",
    # Time, sockets and the loop.
    "uasyncio": f"{__name__}.uasyncio",
    "ubinascii": "binascii",
    "ucollections": f"{__name__}.ucollections",
    "uerrno": "errno",
    "uhashlib": "hashlib",
    "uheapq": "heapq",
    "uio": "io",
    "ujson": "json",
    "uos": f"{__name__}.uos",
    "urandom": "random",
    "ure": "re",
    "uselect": f"{__name__}.uselect",
    "usocket": f"{__name__}.usocket",
    "ussl": f"{__name__}.ussl",
    "ustruct": "struct",
    "usys": "sys",
    "utime": f"{__name__}.utime",
    "uzlib": f"{__name__}.uzlib",
}


def install() -> Callable[[], None]:
    """Make MicroPython's import names ours where there is no other; returns what undoes it.

    Standard modules get the names that they have only there.
    """
    finder = FallbackFinder(_MODULES)
    sys.meta_path.append(finder)
    undo = [interpreter.install(), missing.install()]

    def uninstall() -> None:
        sys.meta_path.remove(finder)
        finder.forget()
        for each in undo:
            each()

    return uninstall
