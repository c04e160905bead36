"""RPi.GPIO: see GPIO.py; nothing else is in this package."""

from __future__ import annotations

from typing import Any

from ..hints import no_such_name

__all__ = ["GPIO"]  # imported by name


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
