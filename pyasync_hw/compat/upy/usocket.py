"""MicroPython's `usocket`: Python's sockets, which also take str and are streams.

`socket` is Python's class with MicroPython's `read readinto readline write`, whose data is
not buffered; `send`, `sendall`, `sendto` and `write` encode a str as UTF-8.
"""

from __future__ import annotations

import errno
import socket as _socket
import sys
from typing import Any

from . import forward

# Without getaddrinfo and socket, which are here, what Python's module has.
__all__ = ["FileMethods", "as_stream", "getaddrinfo", "socket", "to_bytes"]
__all__ += [name for name in _socket.__all__ if name not in __all__]

_WAIT = (BlockingIOError, InterruptedError)


def to_bytes(data: Any) -> Any:
    """What is sent for `data`: a str is encoded as UTF-8."""
    return data.encode() if isinstance(data, str) else data


class FileMethods:
    """MicroPython's stream methods, made of recv() and send().

    On a socket that does not block they return None where they would have to.
    """

    # What says "later": TLS has exceptions of its own.
    _later: tuple[type[BaseException], ...] = _WAIT

    def _receive(self: Any, size: int) -> bytes | None:
        try:
            received: bytes = self.recv(size)
        except self._later:
            return None
        return received

    def read(self: Any, size: int = -1) -> bytes | None:
        """`size` bytes, or all up to the end; fewer at the end or where it would block."""
        parts: list[bytes] = []
        left = size
        while left:
            part = self._receive(65536 if left < 0 else left)
            if not part:
                return b"".join(parts) if parts or part is not None else None
            parts.append(part)
            if left > 0:
                left -= len(part)
                if self.gettimeout() == 0:
                    break  # what is there
        return b"".join(parts)

    def readinto(self: Any, buf: Any, nbytes: int = -1) -> int | None:
        """Read into `buf`; returns how many bytes."""
        view = memoryview(buf).cast("B")
        data = self.read(len(view) if nbytes < 0 else nbytes)
        if data is None:
            return None
        view[: len(data)] = data
        return len(data)

    def readline(self: Any) -> bytes | None:
        """A line with its end; less at the end or where it would block."""
        line = b""
        while not line.endswith(b"\n"):
            part = self._receive_line()
            if not part:
                return line if line or part is not None else None
            line += part
        return line

    def _receive_line(self: Any) -> bytes | None:
        return self._receive(1)  # type: ignore[no-any-return]

    def write(self: Any, buf: Any, off: int = 0, size: int = -1) -> int | None:
        """Write all of `buf`, or as much as does not block; returns how many bytes."""
        view = memoryview(to_bytes(buf)).cast("B")[off:]
        if size >= 0:
            view = view[:size]
        done = 0
        while done < len(view):
            try:
                done += self.send(view[done:])
            except self._later:
                return done or None
            except OSError:
                if done and self.gettimeout() == 0:
                    return done  # the next call tells
                raise
        return done


class socket(FileMethods, _socket.socket):
    """Python's socket with MicroPython's stream methods, which takes str for bytes."""

    def bind(self, address: Any, /) -> None:
        """Python's; an address that a board would have and this machine has not: any of its."""
        try:
            super().bind(address)
        except OSError as exc:
            if exc.errno != errno.EADDRNOTAVAIL or self.family != _socket.AF_INET:
                raise
            super().bind(("", address[1]))
            print(
                f"pyasync_hw: {address[0]} is no address of this machine; port "
                f"{self.getsockname()[1]} is served on all of its",
                file=sys.stderr,
                flush=True,
            )

    def send(self, data: Any, flags: int = 0) -> int:
        return super().send(to_bytes(data), flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        super().sendall(to_bytes(data), flags)

    def sendto(self, data: Any, *rest: Any) -> int:
        return super().sendto(to_bytes(data), *rest)

    def accept(self) -> tuple[socket, Any]:
        fd, address = self._accept()  # type: ignore[attr-defined]
        connection = socket(self.family, self.type, self.proto, fileno=fd)
        if _socket.getdefaulttimeout() is None and self.gettimeout():
            connection.setblocking(True)
        return connection, address

    def makefile(  # type: ignore[override]
        self, mode: str = "rwb", buffering: int = 0, **options: Any
    ) -> Any:
        """Python's, by default unbuffered and for both directions."""
        return super().makefile(mode, buffering, **options)  # type: ignore[call-overload]

    def _receive_line(self) -> bytes | None:
        ahead = self._peek()
        if not ahead:
            return ahead
        return self._receive(ahead.find(b"\n") + 1 or len(ahead))

    def _peek(self) -> bytes | None:
        try:
            return self.recv(4096, _socket.MSG_PEEK)
        except self._later:
            return None


class _Wrapped(FileMethods):
    """MicroPython's stream methods over a socket of another class."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def as_stream(sock: Any) -> Any:
    """`sock` itself if it has stream methods, else what has them over it."""
    if isinstance(sock, _socket.socket) and not hasattr(sock, "read"):
        return _Wrapped(sock)
    return sock


def getaddrinfo(
    host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[Any]:
    """Python's, for IPv4 and TCP where neither is asked for: what socket() makes."""
    kind = type or _socket.SOCK_STREAM
    try:
        return _socket.getaddrinfo(host, port, family or _socket.AF_INET, kind, proto, flags)
    except _socket.gaierror:
        if family:
            raise
        return _socket.getaddrinfo(host, port, family, kind, proto, flags)


__getattr__ = forward.to(_socket)
