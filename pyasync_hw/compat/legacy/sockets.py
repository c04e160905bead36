"""Sockets as they were: of transports, of datagram endpoints, of Unix servers.

A transport's socket is a wrapper since Python 3.8, without send() and its like since
3.11, where create_datagram_endpoint() also lost reuse_address=.  A Unix server removes
its socket's file since 3.13: a program that does so itself fails.
"""

from __future__ import annotations

import functools
import inspect
import socket
from asyncio import base_events, trsock, unix_events
from typing import Any

from ..patches import Patches
from .generators import mark

__all__ = ["install"]

_standard_endpoint: Any = base_events.BaseEventLoop.create_datagram_endpoint


def _of_the_socket(self: Any, name: str) -> Any:
    return getattr(self._sock, name)


async def _bound(loop: Any, address: Any, family: int, proto: int, flags: int) -> socket.socket:
    """A datagram socket with SO_REUSEADDR, bound to `address`."""
    infos = await loop.getaddrinfo(
        *address, family=family, type=socket.SOCK_DGRAM, proto=proto, flags=flags
    )
    family, kind, proto, _, resolved = infos[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(resolved)
    except BaseException:
        sock.close()
        raise
    return sock


@functools.wraps(_standard_endpoint)
async def create_datagram_endpoint(
    self: Any,
    protocol_factory: Any,
    local_addr: Any = None,
    remote_addr: Any = None,
    *,
    family: int = 0,
    proto: int = 0,
    flags: int = 0,
    reuse_address: bool | None = None,
    **options: Any,
) -> Any:
    in_our_hands = reuse_address and isinstance(local_addr, tuple) and not options.get("sock")
    if not in_our_hands:
        return await _standard_endpoint(
            self, protocol_factory, local_addr, remote_addr,
            family=family, proto=proto, flags=flags, **options,
        )  # fmt: skip
    sock = await _bound(self, local_addr, family, proto, flags)
    try:
        if options.pop("allow_broadcast", None):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if options.pop("reuse_port", None):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if remote_addr is not None:
            await self.sock_connect(sock, remote_addr)
        return await _standard_endpoint(self, protocol_factory, sock=sock, **options)
    except BaseException:
        sock.close()
        raise


def _keeps_the_file(original: Any) -> Any:
    @functools.wraps(original)
    def create_unix_server(
        self: Any, *args: Any, cleanup_socket: bool = False, **options: Any
    ) -> Any:
        return original(self, *args, cleanup_socket=cleanup_socket, **options)

    return mark(create_unix_server)


def install(patches: Patches) -> None:
    """For loops that make asyncio's own endpoints and transports."""
    patches.add(trsock.TransportSocket, "__getattr__", _of_the_socket)
    patches.set(base_events.BaseEventLoop, "create_datagram_endpoint", create_datagram_endpoint)
    unix_loop: Any = unix_events._UnixSelectorEventLoop
    original = unix_loop.create_unix_server
    if "cleanup_socket" in inspect.signature(original).parameters:
        patches.set(unix_loop, "create_unix_server", _keeps_the_file(original))
