"""All that `install()` puts into a process: import names, asyncio's old names, our loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .. import new_event_loop
from . import gpiozero_default, legacy, port_map, shims, upy

__all__ = ["install", "uninstall"]

_undo: list[Callable[[], None]] = []  # empty: nothing is installed


def install(shims_: str | Iterable[str] | None = None) -> None:
    """See pyasync_hw.compat.install()."""
    if _undo:
        return
    names = _checked(shims_)
    _undo.append(port_map.install())
    _undo.append(shims.install(names))
    if "gpiozero" in names:
        _undo.append(gpiozero_default.install())
    if "micropython" in names:
        _undo.append(upy.install())
    _undo.append(legacy.install(new_event_loop))


def _checked(names: str | Iterable[str] | None) -> tuple[str, ...]:
    if names is None:
        return shims.NAMES
    return shims.parse_list(names if isinstance(names, str) else ",".join(names) or "none")


def uninstall() -> None:
    """See pyasync_hw.compat.uninstall()."""
    while _undo:
        _undo.pop()()
