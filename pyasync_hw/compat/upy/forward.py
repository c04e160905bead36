"""Names that a module of MicroPython has not, and Python's module of that name has."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["to"]


def to(standard: ModuleType) -> Callable[[str], Any]:
    """A module's `__getattr__()`, which looks in `standard`."""

    def __getattr__(name: str) -> Any:
        try:
            return getattr(standard, name)
        except AttributeError:
            pass
        python = standard.__name__
        raise AttributeError(
            f"neither MicroPython's u{python} nor Python's {python} has here a {name!r}",
            name=name,
            obj=sys.modules.get(f"{__package__}.u{python}"),  # Python looks there for a likely one
        )

    return __getattr__
