"""MicroPython's `uzlib`: Python's, and a stream that decompresses."""

from __future__ import annotations

import zlib as _zlib
from typing import Any

from . import forward

__all__ = ["DecompIO", "decompress"]

decompress = _zlib.decompress


class DecompIO:
    """Reads `stream` decompressed; `wbits`: 8 to 15 zlib, 24 to 31 gzip, negative without header.

    0: zlib with the window that its header says.
    """

    def __init__(self, stream: Any, wbits: int = 0) -> None:
        self._stream = stream
        self._zlib = _zlib.decompressobj(wbits)
        self._ready = b""

    def read(self, nbytes: int = -1) -> bytes:
        """`nbytes` bytes; fewer at the end; -1: all."""
        while not self._zlib.eof and (nbytes < 0 or len(self._ready) < nbytes):
            block = self._stream.read(256)
            if not block:
                break
            self._ready += self._zlib.decompress(block)
        size = len(self._ready) if nbytes < 0 else nbytes
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def readinto(self, buf: Any) -> int:
        """Read into `buf`; returns how many bytes."""
        data = self.read(len(buf))
        buf[: len(data)] = data
        return len(data)

    def readline(self) -> bytes:
        """A line with its end; without it at the end."""
        line = b""
        while not line.endswith(b"\n"):
            byte = self.read(1)
            if not byte:
                break
            line += byte
        return line


__getattr__ = forward.to(_zlib)
