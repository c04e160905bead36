"""Names that older programs expect, for a program that asks for them.

    from pyasync_hw import compat
    compat.install()

first thing in a program does what `python -m pyasync_hw run` does before it, but for the
hardware, which is chosen as ever (PYASYNC_HW, sim.Board).  Nothing here is active by
importing it.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["install", "uninstall"]


def install(shims: str | Iterable[str] | None = None) -> None:
    """Put asyncio's old names, our event loop and the import names `shims` in place.

    shims: as for `run --shims`: names, or "RPi.GPIO,spidev", or "none"; by default all.
    It holds for the process, not for those that multiprocessing spawns, and for what is
    imported from now on.  A second call changes nothing.  Raises ValueError for an unknown name.
    docs/legacy-asyncio.md lists what becomes of asyncio, docs/run.md the import names.
    """
    from . import process

    process.install(shims)


def uninstall() -> None:
    """Undo install(), for tests: asyncio and the import names are what they were.

    What was imported meanwhile keeps what it has.  A second call does nothing.
    """
    from . import process

    process.uninstall()
