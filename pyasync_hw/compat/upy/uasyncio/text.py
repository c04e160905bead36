"""Text files as MicroPython's streams: sys.stdin and sys.stdout above all."""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Any

__all__ = ["as_stream"]


class _Text:
    """Reads sys.stdin without Python's buffer, which a poll would not see; writes bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> str:
        """What is there, up to `size` characters of one byte."""
        if self._file is not sys.stdin:
            return str(self._file.read(size))
        while True:
            data = os.read(self._file.fileno(), 65536 if size < 0 else size)
            text = self._decode(data, not data)
            if text or not data:
                return text

    def readline(self) -> bytes:
        """A line with its end; without it at the end."""
        if self._file is not sys.stdin:
            return str(self._file.readline()).encode()
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._file.fileno(), 1)
            if not byte:
                break
            line += byte
        return line

    def write(self, buf: bytes) -> int:
        """Write and flush; returns how many bytes."""
        self._file.write(bytes(buf).decode(errors="replace"))
        self._file.flush()
        return len(buf)


def as_stream(file: Any) -> Any:
    """`file` itself, or what reads and writes it if it is a text file."""
    return _Text(file) if isinstance(file, io.TextIOBase) else file
