"""Operations that do one thing wrong when a call fails; they are to be found."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable

import pyasync_hw

from .operations import Act

PLANTED: dict[str, Callable[[], Act]] = {}


def _planted(wrong: Callable[[OSError], object]) -> Callable[[OSError], object]:
    def operation() -> Act:
        errors = []

        def act() -> None:
            try:
                pyasync_hw.new_event_loop().close()
            except OSError as error:
                errors.append(error)
                wrong(error)

        right = yield act
        assert right or wrong is not lost, "the callback is lost"

    PLANTED[f"planted_{wrong.__name__}"] = operation
    return wrong


@_planted
def another_error(error: OSError) -> None:
    raise KeyError from None


@_planted
def says_nothing(error: OSError) -> None:
    raise OSError(error.errno, "") from None


@_planted
def left_open(error: OSError) -> None:
    if error.errno == errno.EPERM:
        os.open("/dev/null", os.O_RDONLY)
    raise error


@_planted
def crash(error: OSError) -> None:
    ctypes.string_at(0)


@_planted
def lost(error: OSError) -> None:
    raise error
