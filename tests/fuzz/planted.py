"""Faults to be found: each adds a verb that does one thing wrong."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

from .world import Fault, World, verb

_kept: list[Any] = []


def crash() -> None:
    @verb(3)
    def planted(world: World) -> None:
        ctypes.string_at(0)


def hang() -> None:
    @verb(3)
    def planted(world: World) -> None:
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(1)


def system_error() -> None:
    @verb(3)
    def planted(world: World) -> None:
        raise SystemError("returned NULL without setting an exception")


def wrong() -> None:
    @verb(3)
    def planted(world: World) -> None:
        raise Fault("planted")


def descriptor() -> None:
    @verb(3)
    def planted(world: World) -> None:
        os.pipe()


def live_object() -> None:
    @verb(3)
    def planted(world: World) -> None:
        _kept.append(world.pick("handle"))


PLANTED: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (crash, hang, system_error, wrong, descriptor, live_object)
}
