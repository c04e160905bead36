"""What `run` puts in place before a program, and before it in each of its children.

Children that multiprocessing spawns, and those of its fork server, import the program
anew.  What multiprocessing tells a child first is pickled; here that brings along a call
of put_in_place(), which the child makes as it reads it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..compat import process, shims, source
from .machine import set_up

__all__ = ["put_in_place"]


class _Place(NamedTuple):
    """The arguments of put_in_place()."""

    hw: str
    board: str | None
    scenario: str | None
    names: tuple[str, ...]
    folder: str | None

    def __reduce__(self) -> Any:
        return put_in_place, tuple(self)


def _absolute(path: str | None) -> str | None:
    return None if path is None else os.path.abspath(path)


def put_in_place(
    hw: str, board: str | None, scenario: str | None, names: Iterable[str], folder: str | None
) -> None:
    """Hardware, import names and asyncio's old names, for this process and its children.

    `folder`: where sources are rewritten; None: nowhere.  Raises ConfigError, OSError or
    MachineError.
    """
    hw = set_up(hw, board, scenario)
    # Not by the package's own name: what sys.meta_path reaches lives to the very end, and
    # the package has RPi.GPIO, with the program's callbacks.
    process.install(names)
    if folder is not None:
        source.install(folder)
    place = _Place(hw, _absolute(board), _absolute(scenario), tuple(names), _absolute(folder))

    def tell_children(spawn: Any) -> None:
        original = spawn.get_preparation_data

        def get_preparation_data(name: str) -> dict[str, Any]:
            return {"pyasync_hw": place, **original(name)}

        spawn.get_preparation_data = get_preparation_data

    shims.when_imported("multiprocessing.spawn", tell_children)
    shims.when_imported("multiprocessing.forkserver", _keep_main_out)


def _keep_main_out(forkserver: Any) -> None:
    """The server itself imports us, for its children, and not the program.

    It cannot: it is told nothing first.  And a device that is opened there is of no use in
    its children.
    """
    original = forkserver.set_forkserver_preload

    def set_forkserver_preload(modules_names: Sequence[str], **options: Any) -> None:
        names = [name for name in modules_names if name != "__main__"]
        original([__name__, *names], **options)

    forkserver.set_forkserver_preload = set_forkserver_preload
    set_forkserver_preload([])
