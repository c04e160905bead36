"""`uasyncio.udp`: datagrams, as functions of a socket."""

from __future__ import annotations

import types
from collections.abc import Generator
from typing import Any

from .. import usocket
from .polling import readable, writable

__all__ = ["close", "recv", "recvfrom", "sendto", "socket"]


def socket(af: int = 2) -> usocket.socket:
    """A datagram socket that does not block; the default family is IPv4."""
    sock = usocket.socket(af, usocket.SOCK_DGRAM)
    sock.setblocking(False)
    return sock


@types.coroutine
def recv(s: Any, n: int) -> Generator[Any, Any, bytes]:
    """The next datagram, or the first `n` bytes of it."""
    yield from readable(s)
    data: bytes = s.recv(n)
    return data


@types.coroutine
def recvfrom(s: Any, n: int) -> Generator[Any, Any, Any]:
    """The same, and its sender's address."""
    yield from readable(s)
    return s.recvfrom(n)


@types.coroutine
def sendto(s: Any, buf: Any, addr: Any = None) -> Generator[Any, Any, int]:
    """Send `buf`; returns how many bytes."""
    while True:
        try:
            sent: int = s.sendto(buf, addr)
        except BlockingIOError:
            yield from writable(s)
        else:
            return sent


def close(s: Any) -> None:
    """Close it."""
    s.close()
