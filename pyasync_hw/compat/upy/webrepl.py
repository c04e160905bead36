"""MicroPython's module webrepl, which boot.py files start: here there is no such server."""

from __future__ import annotations

import sys

__all__ = ["start", "start_foreground", "stop"]


def start(port: int = 8266, password: str | None = None) -> None:
    """Says that there is none."""
    print("pyasync_hw: WebREPL is not served here; python -i is", file=sys.stderr)


start_foreground = start


def stop() -> None:
    """There is nothing to stop."""
