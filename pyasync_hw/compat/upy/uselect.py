"""MicroPython's `uselect`: polls sockets and descriptors, and devices with ioctl().

What is ready is given as the object that was registered, not as its descriptor.
"""

from __future__ import annotations

import select as _select
import time
from collections.abc import Iterator
from select import POLLERR, POLLHUP, POLLIN, POLLOUT
from typing import Any

from . import forward
from .uasyncio.polling import POLL_MS, device_is_ready

__all__ = ["POLLERR", "POLLHUP", "POLLIN", "POLLOUT", "poll", "select"]


class poll:
    """Objects and what is waited for on them."""

    def __init__(self) -> None:
        self._masks: dict[int, tuple[Any, int]] = {}  # by identity, as not all have a hash

    def register(self, obj: Any, eventmask: int = POLLIN | POLLOUT) -> bool | None:
        """Wait for `eventmask` on `obj`, anew if it was there: then None, else True."""
        known = id(obj) in self._masks
        self._masks[id(obj)] = obj, eventmask
        return None if known else True

    def unregister(self, obj: Any) -> None:
        """Wait for it no more."""
        self._masks.pop(id(obj), None)

    def modify(self, obj: Any, eventmask: int) -> None:
        """Wait for something else on it.  Raises OSError (ENOENT) if it is not there."""
        if id(obj) not in self._masks:
            raise FileNotFoundError(2, "not registered")
        self._masks[id(obj)] = obj, eventmask

    def poll(self, timeout: int = -1) -> list[tuple[Any, int]]:
        """[(object, events)] of what is ready within `timeout` ms; -1: whenever it is."""
        return list(self._ready(timeout))

    def ipoll(self, timeout: int = -1, flags: int = 0) -> Iterator[tuple[Any, int]]:
        """The same as an iterator; with bit 0 of `flags` what was ready waits no more."""
        for obj, events in self._ready(timeout):
            if flags & 1:
                self._masks[id(obj)] = obj, 0
            yield obj, events

    def _ready(self, timeout: float) -> list[tuple[Any, int]]:
        poller = _select.poll()
        devices, by_fd = [], {}
        for obj, mask in self._masks.values():
            if hasattr(obj, "ioctl"):
                devices.append((obj, mask))
            else:
                by_fd[obj if isinstance(obj, int) else obj.fileno()] = obj
                poller.register(obj, mask)
        end = time.monotonic() + timeout / 1000
        while True:
            # MP_STREAM_POLL's flags are poll()'s.
            found = [
                (obj, ready)
                for obj, mask in devices
                if mask and (ready := device_is_ready(obj, mask))
            ]
            left = max(0.0, (end - time.monotonic()) * 1000) if timeout >= 0 else None
            wait = left
            if found:
                wait = 0
            elif devices:
                wait = POLL_MS if left is None else min(left, POLL_MS)
            found += [(by_fd[fd], events) for fd, events in poller.poll(wait)]
            if found or left == 0:
                return found


def select(
    rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """Those of each list that are ready within `timeout` seconds; None: whenever they are."""
    masks: dict[int, tuple[Any, int]] = {}
    for objs, flag in ((rlist, POLLIN), (wlist, POLLOUT), (xlist, 0)):
        for obj in objs:
            masks[id(obj)] = obj, masks.get(id(obj), (obj, 0))[1] | flag
    poller = poll()
    poller._masks = masks
    events = {
        id(obj): ready for obj, ready in poller.poll(-1 if timeout is None else int(timeout * 1000))
    }

    def of(objs: Any, flags: int) -> list[Any]:
        return [obj for obj in objs if events.get(id(obj), 0) & flags]

    ended = POLLERR | POLLHUP
    return of(rlist, POLLIN | ended), of(wlist, POLLOUT | POLLERR), of(xlist, POLLERR)


__getattr__ = forward.to(_select)
