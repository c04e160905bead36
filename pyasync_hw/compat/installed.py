"""Which files are installed packages', and not the program's."""

from __future__ import annotations

import os

__all__ = ["is_installed"]

_FOLDERS = {"site-packages", "dist-packages"}


def is_installed(path: str) -> bool:
    """Whether it lies in a folder that packages are installed into."""
    return not _FOLDERS.isdisjoint(path.split(os.sep))
