"""Finds MicroPython's modules for a program, last of all.

Installed packages that are for both kinds of Python ask for one of these modules in a `try`
to know which it is that runs them.  They are told that it is Python's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType

from ..alias import AliasFinder

__all__ = ["FallbackFinder"]

_INSTALLED = {"site-packages", "dist-packages"}


def _importer() -> FrameType | None:
    """Whose import it is."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""  # code that was given to exec() may have none
        if name != __name__ and name.partition(".")[0] not in ("importlib", "_frozen_importlib"):
            return frame
        frame = frame.f_back
    return None


def _only_asks(frame: FrameType | None) -> bool:
    if frame is None or _INSTALLED.isdisjoint(frame.f_code.co_filename.split(os.sep)):
        return False
    import dis

    parse = dis._parse_exception_table  # type: ignore[attr-defined]
    return any(entry.start <= frame.f_lasti < entry.end for entry in parse(frame.f_code))


class FallbackFinder(AliasFinder):
    """AliasFinder, but for packages that only ask."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        spec = super().find_spec(fullname, path, target)
        return None if spec is not None and _only_asks(_importer()) else spec
