"""The leak counter itself sees a leak of each kind."""

from __future__ import annotations

import ctypes
import os

import pytest

from pyasync_hw import CancelToken

from .growth import assert_no_growth, heap_bytes


def test_nothing_leaks_nothing() -> None:
    assert_no_growth(lambda: [object()])


def test_a_kept_object_of_ours_is_seen() -> None:
    kept = []
    with pytest.raises(AssertionError):
        assert_no_growth(lambda: kept.append(CancelToken()))


def test_a_kept_descriptor_is_seen() -> None:
    kept: list[int] = []
    try:
        with pytest.raises(AssertionError):
            assert_no_growth(lambda: kept.append(os.dup(0)))
    finally:
        for fd in kept:
            os.close(fd)


def test_a_lost_reference_is_seen() -> None:
    if os.environ.get("PYASYNC_HW_SANITIZE"):
        pytest.skip("with PYTHONMALLOC=malloc there are no blocks to count")
    lost = ctypes.pythonapi.Py_IncRef
    with pytest.raises(AssertionError, match="blocks"):
        assert_no_growth(lambda: lost(ctypes.py_object(object())))


def test_lost_c_memory_is_seen() -> None:
    if not heap_bytes():
        pytest.skip("this C library doesn't tell how much of its heap is in use")
    malloc = ctypes.CDLL(None).malloc
    malloc.restype = ctypes.c_void_p
    with pytest.raises(AssertionError, match="heap"):
        assert_no_growth(lambda: malloc(100))
