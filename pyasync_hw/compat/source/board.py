"""Whether a program is one for a board, whose `socket` is MicroPython's `usocket`, and so on.

Such a program imports, not only if it can, a module that Python has not, and that stands
here for MicroPython's.  MicroPython has many modules by two names: that of Python's, and
one with a u.  Under the first, its modules mean what Python's mean, but for what programs
for boards do: send str, call what is in milliseconds, wait for what has no descriptor.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from ..alias import stands_for

__all__ = ["BOARD_NAMES", "is_for_a_board", "rename"]

# Python's name -> that which means MicroPython's in any case.
BOARD_NAMES = {
    "asyncio": "uasyncio",
    "collections": "ucollections",
    "os": "uos",
    "select": "uselect",
    "socket": "usocket",
    "ssl": "ussl",
    "time": "utime",
}

_IMPORTS = re.compile(rb"^(?:import|from)[ \t]+([\w., \t]+)", re.MULTILINE)
_WORDS = re.compile(r"\w+")
_OURS = "pyasync_hw.compat.upy."
_ONLY_THERE = frozenset(
    ("esp", "esp32", "machine", "micropython", "network", "pyb", "rp2", "umachine", "webrepl")
)


def _imported(data: bytes) -> Iterator[str]:
    """Names in the module's own import statements, those in a `try` not among them."""
    for match in _IMPORTS.finditer(data):
        text = match[1].decode()
        if match[0].startswith(b"from"):
            text = text.partition(" ")[0]
        yield from _WORDS.findall(text)


def is_for_a_board(data: bytes) -> bool:
    """By the module's source."""
    for name in set(_imported(data)):
        if name in _ONLY_THERE or name in BOARD_NAMES.values():
            target = stands_for(name)
            if target is not None and target.startswith(_OURS):
                return True
    return False


def rename(node: ast.Import | ast.ImportFrom, renamed: Mapping[str, str]) -> bool:
    """Have a statement import `renamed[name]` for `name`; whether it did."""
    if isinstance(node, ast.ImportFrom):
        ours = None if node.level else renamed.get(node.module or "")
        if ours is not None:
            node.module = ours
        return ours is not None
    found = False
    for alias in node.names:
        if alias.name in renamed:
            alias.asname = alias.asname or alias.name
            alias.name = renamed[alias.name]
            found = True
    return found
