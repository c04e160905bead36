"""Waiting for streams: descriptors by epoll, devices by asking them.

A device is what has `ioctl(request, flags)`, as MicroPython's streams have; it is asked
MP_STREAM_POLL at once and then every POLL_MS, all devices in the same turn of the loop.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Generator
from typing import Any

__all__ = ["POLL_MS", "device_is_ready", "readable", "writable"]

POLL_MS = 5

MP_STREAM_POLL = 3
MP_STREAM_POLL_RD = 0x01
MP_STREAM_POLL_WR = 0x04
MP_STREAM_POLL_ERR = 0x08
MP_STREAM_POLL_HUP = 0x10


def device_is_ready(device: Any, flags: int) -> int:
    """Which of `flags` the device has, and errors; 0 while it has to be waited for."""
    ready: int = device.ioctl(MP_STREAM_POLL, flags)
    return ready & (flags | MP_STREAM_POLL_ERR | MP_STREAM_POLL_HUP)


def _device(device: Any, flag: int) -> Generator[Any, Any, None]:
    while not device_is_ready(device, flag):
        loop = asyncio.get_running_loop()
        # Not POLL_MS from now: at the next multiple, where all devices are asked.
        turn = int(loop.time() * 1000 / POLL_MS) + 1
        again = loop.create_future()
        timer = loop.call_at(turn * POLL_MS / 1000, _wake, again)
        try:
            yield from again
        finally:
            timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _descriptor(stream: Any, flag: int) -> Generator[Any, Any, None]:
    loop = asyncio.get_running_loop()
    add, remove = (
        (loop.add_reader, loop.remove_reader)
        if flag == MP_STREAM_POLL_RD
        else (loop.add_writer, loop.remove_writer)
    )
    ready = loop.create_future()
    try:
        add(stream, _wake, ready)
    except PermissionError:  # epoll refuses files on disk, which are always ready
        yield
        return
    try:
        yield from ready
    finally:
        remove(stream)


def _ready(stream: Any, flag: int) -> Generator[Any, Any, None]:
    if hasattr(stream, "ioctl"):
        yield  # a device that is always ready leaves time to others
        yield from _device(stream, flag)
    else:
        # What TLS has decrypted is no longer in the descriptor.
        pending = getattr(stream, "pending", None)
        if flag == MP_STREAM_POLL_RD and pending is not None and pending():
            yield
        elif not isinstance(stream, int) and not hasattr(stream, "fileno"):
            yield  # nothing to wait for
        else:
            yield from _descriptor(stream, flag)


@types.coroutine
def readable(stream: Any) -> Generator[Any, Any, None]:
    """Pause until `stream` can be read, or has an error."""
    yield from _ready(stream, MP_STREAM_POLL_RD)


@types.coroutine
def writable(stream: Any) -> Generator[Any, Any, None]:
    """Pause until `stream` can be written, or has an error."""
    yield from _ready(stream, MP_STREAM_POLL_WR)
