"""Whole numbers with leading zeros, which MicroPython reads as decimal: (2023, 05, 01).

Python names the place of the first one, so there is nothing to search for.
"""

from __future__ import annotations

import re

__all__ = ["without_zeros"]

_ZEROS = re.compile(r"(?<![\w.])0+(?=[1-9])")
_COMPLAINT = "leading zeros in decimal integer literals"


def without_zeros(text: str, refused: SyntaxError) -> str | None:
    """The text with spaces instead of the zeros that were `refused`; None: it was not for them.

    `text` has "\\n" at the end of its lines.
    """
    if _COMPLAINT not in (refused.msg or "") or refused.lineno is None or refused.offset is None:
        return None
    lines = text.split("\n")
    line = lines[refused.lineno - 1]
    # The place is in characters or in bytes, by the version of Python.
    places = {refused.offset - 1, len(line.encode()[: refused.offset - 1].decode(errors="ignore"))}
    found = min(
        _ZEROS.finditer(line),
        key=lambda zeros: min(abs(zeros.start() - place) for place in places),
        default=None,
    )
    if found is None:
        return None
    spaces = " " * len(found[0])
    lines[refused.lineno - 1] = line[: found.start()] + spaces + line[found.end() :]
    return "\n".join(lines)
