"""MicroPython's streams: one class for both directions, over sockets and devices.

Both APIs: that of 2016 (`awrite`, `aclose`) and that of today (`write`, `drain`,
`wait_closed`).  They take str, which is encoded as UTF-8.
"""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import Callable, Generator, Iterable
from typing import Any

from .. import usocket
from . import text
from .calls import sleep_ms
from .core import Task, current_task_or_none
from .polling import readable, writable

__all__ = ["Server", "Stream", "StreamReader", "StreamWriter", "open_connection", "start_server"]


def _takes_a_slice(write: Any) -> bool:
    """Whether it is called as up to 2019: write(buf, off, sz)."""
    try:
        inspect.signature(write).bind(b"")
    except TypeError:
        return True
    except ValueError:  # it does not tell
        pass
    return False


def _is_of_2016() -> bool:
    """Whether the running task is a generator of the program."""
    coro = getattr(current_task_or_none(), "coro", None)
    return inspect.isgenerator(coro) and coro.gi_code.co_filename != __file__


class Stream:
    """Reads and writes `s`, which has MicroPython's stream methods, or is a socket.

    `extra` holds what get_extra_info() gives; or it is what is read and written, while `s` is
    what is waited for.
    """

    def __init__(self, s: Any, extra: Any = None) -> None:
        if extra is None or isinstance(extra, dict):
            ios, extra = s, extra or {}
        else:
            ios, extra = extra, {}
        self._polled = s
        self.s = text.as_stream(usocket.as_stream(ios))
        self.e = extra
        self.out_buf = b""
        self._write: Any = getattr(self.s, "write", None)
        if self._write is not None and _takes_a_slice(self._write):
            self._write = lambda buf: self.s.write(buf, 0, len(buf))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`"peername"` of a connection to a server."""
        return self.e.get(name, default)

    @types.coroutine
    def read(self, n: int = -1) -> Generator[Any, Any, Any]:
        """Up to `n` bytes, as soon as there are any; b"": the end.

        -1: all up to the end; in a generator, which is of 2016, all that is there.
        """
        whole = b""
        while True:
            yield from readable(self._polled)
            data = self.s.read(n)
            if data is not None:
                if n >= 0 or _is_of_2016():
                    return data
                if not data:
                    return whole
                whole += usocket.to_bytes(data)

    @types.coroutine
    def readinto(self, buf: Any) -> Generator[Any, Any, Any]:
        """Read into `buf` what there is; returns how many bytes."""
        while True:
            yield from readable(self._polled)
            count = self.s.readinto(buf)
            if count is not None:
                return count

    @types.coroutine
    def readexactly(self, n: int) -> Generator[Any, Any, bytes]:
        """`n` bytes.  Raises EOFError if the end comes before."""
        whole = b""
        while n:
            yield from readable(self._polled)
            data = self.s.read(n)
            if data is not None:
                if not data:
                    raise EOFError
                whole += usocket.to_bytes(data)
                n -= len(data)
        return whole

    @types.coroutine
    def readline(self) -> Generator[Any, Any, bytes]:
        """A line with its end; without it at the end."""
        line: bytes = b""
        while True:
            yield from readable(self._polled)
            part = self.s.readline()
            if part is not None:
                line += usocket.to_bytes(part)
                if not part or line.endswith(b"\n"):
                    return line

    def write(self, buf: Any) -> None:
        """Write what does not block; drain() writes the rest."""
        buf = usocket.to_bytes(buf)
        if not self.out_buf:
            done = self._write(buf)
            if done is not None:
                buf = bytes(buf[done:])
        self.out_buf += buf

    @types.coroutine
    def drain(self) -> Generator[Any, Any, None]:
        """Wait until all is written."""
        if not self.out_buf:
            yield from sleep_ms(0)
        while self.out_buf:
            yield from writable(self._polled)
            done = self._write(self.out_buf)
            if done is not None:
                self.out_buf = self.out_buf[done:]

    @types.coroutine
    def awrite(self, buf: Any, off: int = 0, sz: int = -1) -> Generator[Any, Any, None]:
        """Write `sz` bytes of `buf` from `off` on; -1: all."""
        buf = usocket.to_bytes(buf)
        self.write(buf[off:] if sz < 0 else buf[off : off + sz])
        yield from self.drain()

    awritestr = awrite

    @types.coroutine
    def awriteiter(self, iterable: Iterable[Any]) -> Generator[Any, Any, None]:
        """Write one after the other."""
        for buf in iterable:
            yield from self.awrite(buf)

    def close(self) -> Any:
        """Close it when what was written has gone out; wait_closed() does it, too.

        What it returns may be awaited, or not.
        """
        if self.out_buf:
            Task(self.wait_closed())
        else:
            self.s.close()
        return sleep_ms(0)

    @types.coroutine
    def wait_closed(self) -> Generator[Any, Any, None]:
        """Close it when what was written has gone out, also without close()."""
        try:
            while self.out_buf:
                yield from self.drain()
            yield
        except OSError:
            self.out_buf = b""  # nobody takes it any more
        finally:
            self.s.close()

    aclose = wait_closed

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.wait_closed()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.s!r}>"


StreamReader = StreamWriter = Stream


@types.coroutine
def open_connection(
    host: Any, port: int, ssl: Any = None, server_hostname: str | None = None
) -> Generator[Any, Any, tuple[Stream, Stream]]:
    """A TCP connection as (reader, writer), which are one.  `ssl` is True or an SSLContext."""
    family, kind, proto, _, address = usocket.getaddrinfo(host, port)[0]
    sock: Any = usocket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        yield from asyncio.get_running_loop().sock_connect(sock, address)
        if ssl:
            sock = yield from _with_tls(sock, ssl, server_hostname)
    except BaseException:
        sock.close()
        raise
    stream = Stream(sock, {"peername": address})
    return stream, stream


def _with_tls(
    sock: Any, ssl: Any, server_hostname: str | None = None, *, server_side: bool = False
) -> Generator[Any, Any, Any]:
    from .. import ussl  # of those who use it

    if ssl is True:
        sock = ussl.wrap_socket(sock, server_hostname=server_hostname, do_handshake=False)
    else:
        ssl.sslsocket_class = ussl.SSLSocket
        sock = ssl.wrap_socket(
            sock,
            server_side=server_side,
            server_hostname=server_hostname,
            do_handshake_on_connect=False,
        )
    while True:
        try:
            sock.do_handshake()
            return sock
        except ussl.WANT_READ:
            yield from readable(sock)
        except ussl.WANT_WRITE:
            yield from writable(sock)


class Server:
    """Takes connections until close()."""

    def __init__(self, sock: Any, callback: Callable[[Stream, Stream], Any], ssl: Any) -> None:
        self._sock = sock
        self._callback = callback
        self._ssl = ssl
        self.task = Task(self._serve())

    async def _serve(self) -> None:
        try:
            while True:
                await readable(self._sock)
                try:
                    sock, address = self._sock.accept()
                except OSError:  # it has gone again
                    continue
                sock.setblocking(False)
                if self._ssl is None:
                    self._call(sock, address)
                else:
                    Task(self._shake_hands(sock, address))
        finally:
            self._sock.close()

    def _call(self, sock: Any, address: Any) -> None:
        stream = Stream(sock, {"peername": address})
        Task(self._callback(stream, stream))

    def _shake_hands(self, sock: Any, address: Any) -> Generator[Any, Any, None]:
        try:
            sock = yield from _with_tls(sock, self._ssl, server_side=True)
        except OSError:  # a client that does not speak it
            sock.close()
        else:
            self._call(sock, address)

    def close(self) -> None:
        """Take no more; connections go on."""
        self.task.cancel()

    async def wait_closed(self) -> None:
        """Wait until it is closed."""
        await asyncio.wait([self.task])

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()
        await self.wait_closed()


@types.coroutine
def start_server(
    cb: Callable[[Stream, Stream], Any], host: Any, port: int, backlog: int = 5, ssl: Any = None
) -> Generator[Any, Any, Server]:
    """Run `cb(reader, writer)` for each connection.  The server goes on when this is done."""
    family, kind, proto, _, address = usocket.getaddrinfo(host, port)[0]
    sock = usocket.socket(family, kind, proto)
    try:
        sock.setsockopt(usocket.SOL_SOCKET, usocket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(address)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    yield
    return Server(sock, cb, ssl)
