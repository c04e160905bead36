"""Finds MicroPython's modules for a program, last of all.

Installed packages that are for both kinds of Python ask for one of these modules in a `try`
to know which it is that runs them.  They are told that it is Python's.
"""

from __future__ import annotations

import sys
from types import FrameType

from ..alias import AliasFinder
from ..installed import is_installed

__all__ = ["FallbackFinder"]

_FINDERS = (__name__, AliasFinder.__module__)
_IMPORT_SYSTEM = ("importlib", "_frozen_importlib")


def _importer() -> FrameType | None:
    """Whose import it is."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""  # code that was given to exec() may have none
        if name not in _FINDERS and name.partition(".")[0] not in _IMPORT_SYSTEM:
            return frame
        frame = frame.f_back
    return None


def _only_asks(frame: FrameType | None) -> bool:
    if frame is None or not is_installed(frame.f_code.co_filename):
        return False
    import dis

    parse = dis._parse_exception_table  # type: ignore[attr-defined]
    return any(entry.start <= frame.f_lasti < entry.end for entry in parse(frame.f_code))


class FallbackFinder(AliasFinder):
    """AliasFinder, but for packages that only ask."""

    def _stands_in(self, fullname: str) -> bool:
        return not _only_asks(_importer())
