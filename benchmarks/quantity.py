"""Numbers as they are read."""

from __future__ import annotations


def quantity(value: float, unit: str) -> str:
    if unit != "ns":
        return f"{value:,.0f} {unit}"
    for name, size in (("ms", 1e6), ("µs", 1e3)):
        if abs(value) >= size:
            digits = 0 if abs(value) >= 100 * size else 1
            return f"{value / size:.{digits}f} {name}"
    return f"{value:.0f} ns"
