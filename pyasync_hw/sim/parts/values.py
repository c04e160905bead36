"""What a part's settings may be, and what is said of others."""

from __future__ import annotations

__all__ = ["in_range", "pin_list"]


def in_range(name: str, value: object, low: float, high: float, unit: str) -> float:
    """A setting as a float.  Raises TypeError or ValueError, which name it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low:g} to {high:g} {unit}, not {value!r}")
    return float(value)


def pin_list(name: str, value: object) -> list[int | str]:
    """The pins of one of `pin_lists`.  Raises TypeError or ValueError, which name it."""
    if isinstance(value, str) or not isinstance(value, (list, tuple, range)):
        raise TypeError(f"{name} must be a list of pins, not {value!r}")
    if not value:
        raise ValueError(f"{name} must name at least one pin")
    return list(value)
