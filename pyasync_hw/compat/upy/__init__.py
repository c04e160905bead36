"""MicroPython's modules on CPython, our loop and our devices.

They are a fallback: MicroPython's names are also users' own file names, so whatever
else can be imported by such a name is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..alias import AliasFinder

__all__ = ["install"]

# Import name -> the module that stands for it: ours, or where MicroPython's is a part of
# Python's, that.
_MODULES = {
    "uasyncio": f"{__name__}.uasyncio",
    "usocket": f"{__name__}.usocket",
    "ussl": f"{__name__}.ussl",
    "utime": f"{__name__}.utime",
}


def install() -> Callable[[], None]:
    """Make MicroPython's import names ours where there is no other; returns what undoes it."""
    finder = AliasFinder(_MODULES)
    sys.meta_path.append(finder)

    def uninstall() -> None:
        sys.meta_path.remove(finder)
        finder.forget()

    return uninstall
