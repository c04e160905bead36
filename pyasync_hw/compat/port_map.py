"""Ports that a program may not bind, as 80: another one in its place, or what helps.

PYASYNC_HW_PORT_MAP, or `run --port-map`, is "80:8080", or several with commas.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from .patches import Patches

__all__ = ["VARIABLE", "install", "parse"]

VARIABLE = "PYASYNC_HW_PORT_MAP"
_PRIVILEGED = range(1, 1024)


def parse(text: str) -> dict[int, int]:
    """The port in the place of each.  Raises ValueError."""
    ports: dict[int, int] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        port, _, other = pair.partition(":")
        if not (port.isdigit() and other.isdigit() and 0 < int(port) < 65536 > int(other) > 0):
            raise ValueError(f"a port map is 80:8080, or several with commas; not {text!r}")
        ports[int(port)] = int(other)
    return ports


def _port_of(family: int, address: Any) -> int | None:
    """Of an Internet address; numbers of other families, as Bluetooth's, are no ports."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    if isinstance(address, tuple) and len(address) >= 2 and isinstance(address[1], int):
        return address[1]
    return None


def install() -> Callable[[], None]:
    """Have every socket bound so, those of asyncio's servers too; returns what undoes it.

    Raises ValueError if PYASYNC_HW_PORT_MAP is no map.
    """
    ports = parse(os.environ.get(VARIABLE, ""))
    patches = Patches()
    bind_as_asked: Any = socket.socket.bind

    def bind(self: socket.socket, address: Any, /) -> None:
        port = _port_of(self.family, address)
        if port is not None and port in ports:
            # As on a board, a server may begin anew at once.
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bind_as_asked(self, (address[0], ports[port], *address[2:]))
            print(
                f"pyasync_hw: port {port} of the program is served on {ports[port]}",
                file=sys.stderr,
                flush=True,
            )
            return
        try:
            bind_as_asked(self, address)
        except PermissionError as exc:
            if port is None or port not in _PRIVILEGED:
                raise
            other = 8000 + port if port < 1000 else 8000
            remedy = f"{exc.strerror}; run --port-map {port}:{other} has port {other} in its place"
            raise PermissionError(exc.errno, remedy) from None

    patches.set(socket.socket, "bind", bind)
    return patches.undo
