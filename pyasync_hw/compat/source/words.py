"""Words by which a source may need rewriting: a search that costs next to nothing.

It may find too much (words in comments and texts), and the code or the syntax tree is then
looked at.  Patterns that begin with a word are searched for as fast as that word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = [
    "changed_lines",
    "has_yield_from",
    "imports_beside",
    "imports_coroutine",
    "imports_uasyncio",
    "may_be_refused",
    "means_else",
]

_YIELD_FROM = re.compile(rb"yield[\s\\]+from\b")
_MEANS_ELSE = (
    re.compile(rb"async\s+def\s+__aiter__\b"),
    re.compile(rb"coroutine\s+def\s+__aiter__\b"),
    re.compile(rb"raise\s+StopIteration\b"),
)
_KEYWORDS = b"async", b"await", b"global", b"nonlocal"
_REFUSED = (
    re.compile(rb"async\b(?!\s+(?:def|for|with)\b)"),
    re.compile(rb"await\b(?!\s*[\w\"'(\[{~+\-])"),
    re.compile(rb"await\b(?:(?<=[.]await)|(?<=(?:import|.class|...def|....as) await))"),
    re.compile(rb"global\s"),
    re.compile(rb"nonlocal\s"),
)
_IMPORTS_UASYNCIO = re.compile(rb"\b(?:import|from)\s[^#\n]*\buasyncio\b")
_IMPORTS_BESIDE = re.compile(rb"\b__import__\(.*,\s*None\b.*,\s*1\s*\)")
_IMPORTS_COROUTINE = re.compile(rb"from\s+(?:asyncio|types)\s+import\b")


def may_be_refused(data: bytes) -> bool:
    """Whether Python may refuse what was right once."""
    return any(word in data for word in _KEYWORDS) and any(words.search(data) for words in _REFUSED)


def means_else(data: bytes) -> bool:
    """Whether it has something, other than `yield from`, that meant something else."""
    return any(words.search(data) for words in _MEANS_ELSE)


def has_yield_from(data: bytes) -> bool:
    """Whether it delegates to other generators."""
    return _YIELD_FROM.search(data) is not None


def changed_lines(data: bytes) -> set[int] | None:
    """The lines of what the last two found; None: they cannot be counted."""
    if b"\r" in data.replace(b"\r\n", b""):
        return None
    return {data.count(b"\n", 0, place) + 1 for place in _places(data)}


def _places(data: bytes) -> Iterator[int]:
    for words in (_YIELD_FROM, *_MEANS_ELSE):
        yield from (found.start() for found in words.finditer(data))


def imports_uasyncio(data: bytes) -> bool:
    """Whether it seems to import MicroPython's asyncio."""
    return b"uasyncio" in data and _IMPORTS_UASYNCIO.search(data) is not None


def imports_beside(data: bytes) -> bool:
    """Whether an `__import__()` is relative to what it is not told, as on MicroPython only."""
    return b"__import__" in data and _IMPORTS_BESIDE.search(data) is not None


def imports_coroutine(data: bytes) -> bool:
    """Whether a bare @coroutine may be asyncio's or that of types."""
    return _IMPORTS_COROUTINE.search(data) is not None
