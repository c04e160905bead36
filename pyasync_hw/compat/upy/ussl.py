"""MicroPython's `ussl`: TLS over a socket, with stream methods."""

from __future__ import annotations

import ssl as _ssl
from typing import Any

from . import forward
from .usocket import FileMethods, to_bytes

__all__ = ["CERT_NONE", "CERT_OPTIONAL", "CERT_REQUIRED", "SSLContext", "SSLSocket", "wrap_socket"]

WANT_READ = _ssl.SSLWantReadError
WANT_WRITE = _ssl.SSLWantWriteError
PROTOCOL_TLS_CLIENT = _ssl.PROTOCOL_TLS_CLIENT
PROTOCOL_TLS_SERVER = _ssl.PROTOCOL_TLS_SERVER
CERT_NONE = _ssl.CERT_NONE
CERT_OPTIONAL = _ssl.CERT_OPTIONAL
CERT_REQUIRED = _ssl.CERT_REQUIRED


class SSLSocket(FileMethods, _ssl.SSLSocket):  # type: ignore[misc]
    """Python's, whose read(), readline() and write() are MicroPython's."""

    _later = (BlockingIOError, _ssl.SSLWantReadError, _ssl.SSLWantWriteError)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        # Python's calls read().
        try:
            return _ssl.SSLSocket.read(self, buflen)
        except _ssl.SSLEOFError:
            return b""

    def send(self, data: Any, flags: int = 0) -> int:
        return super().send(to_bytes(data), flags)


class SSLContext(_ssl.SSLContext):
    """Python's, which checks no certificate unless it is told to, as MicroPython's."""

    sslsocket_class = SSLSocket

    def __init__(self, protocol: int | None = None) -> None:
        self.check_hostname = False
        self.verify_mode = _ssl.CERT_NONE


def wrap_socket(
    sock: Any,
    server_side: bool = False,
    key: Any = None,
    cert: Any = None,
    cert_reqs: int = CERT_NONE,
    cadata: Any = None,
    server_hostname: str | None = None,
    do_handshake: bool = True,
    keyfile: Any = None,
    certfile: Any = None,
) -> SSLSocket:
    """TLS over `sock`, whose certificate is not checked unless `cert_reqs` says so.

    `cert` and `key` are names of files.
    """
    context = SSLContext(PROTOCOL_TLS_SERVER if server_side else PROTOCOL_TLS_CLIENT)
    context.check_hostname = cert_reqs == CERT_REQUIRED and server_hostname is not None
    context.verify_mode = _ssl.VerifyMode(cert_reqs)
    if cadata is not None:
        context.load_verify_locations(cadata=cadata)
    if cert or certfile:
        context.load_cert_chain(cert or certfile, key or keyfile)
    wrapped = context.wrap_socket(
        sock,
        server_side=server_side,
        server_hostname=server_hostname,
        do_handshake_on_connect=do_handshake,
    )
    assert isinstance(wrapped, SSLSocket)
    return wrapped


__getattr__ = forward.to(_ssl)
