"""MicroPython's `uos`: Python's, and what it calls otherwise."""

from __future__ import annotations

import os as _os
from collections.abc import Iterator
from typing import Any

from . import forward

__all__ = ["dupterm", "ilistdir", "sync", "uname", "urandom"]

_S_IFMT = 0o170000
sync = _os.sync
urandom = _os.urandom


def ilistdir(path: str = ".") -> Iterator[tuple[str, int, int, int]]:
    """(name, type, inode, size) of what is in a folder; types are those of stat()."""
    for name in _os.listdir(path):
        stat = _os.lstat(_os.path.join(path, name))
        yield name, stat.st_mode & _S_IFMT, stat.st_ino, stat.st_size


def dupterm(stream: Any, index: int = 0) -> None:
    """Python's terminal is not a REPL of a board: OSError for a stream, nothing for None."""
    if stream is not None:
        raise OSError("there is no REPL to duplicate")


def uname() -> Any:
    """As on an ESP8266, which most drivers know; the machine is this one."""
    ours = _os.uname()
    version = f"pyasync_hw on {ours.sysname} {ours.release}"
    return _os.uname_result(("esp8266", "esp8266", "1.24.0", version, ours.machine))


__getattr__ = forward.to(_os)
