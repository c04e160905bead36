"""MicroPython's module framebuf: pictures in memory, in the formats that displays take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..hints import no_such_name
from .board.font import GLYPHS

__all__ = [
    "GS2_HMSB",
    "GS4_HMSB",
    "GS8",
    "MONO_HLSB",
    "MONO_HMSB",
    "MONO_VLSB",
    "MVLSB",
    "RGB565",
    "FrameBuffer",
    "FrameBuffer1",
]

# As in extmod/modframebuf.c.
MONO_VLSB, RGB565, GS4_HMSB, MONO_HLSB, MONO_HMSB, GS2_HMSB, GS8 = range(7)
MVLSB = MONO_VLSB

# (byte, bit, bits) of pixel (x, y), by format; the byte's number counts those of a pixel.
_Place = Callable[[int, int, int], tuple[int, int]]
_FORMATS: dict[int, tuple[int, _Place]] = {
    MONO_VLSB: (1, lambda x, y, stride: ((y >> 3) * stride + x, y & 7)),
    MONO_HLSB: (1, lambda x, y, stride: ((x + y * stride) >> 3, 7 - (x & 7))),
    MONO_HMSB: (1, lambda x, y, stride: ((x + y * stride) >> 3, x & 7)),
    GS2_HMSB: (2, lambda x, y, stride: ((x + y * stride) >> 2, (x & 3) << 1)),
    GS4_HMSB: (4, lambda x, y, stride: ((x + y * stride) >> 1, 0 if x & 1 else 4)),
    GS8: (8, lambda x, y, stride: (x + y * stride, 0)),
    RGB565: (16, lambda x, y, stride: (2 * (x + y * stride), 0)),
}
_PIXELS_PER_BYTE = {MONO_HLSB: 8, MONO_HMSB: 8, GS2_HMSB: 4, GS4_HMSB: 2}


def _size_of(width: int, height: int, format: int, stride: int) -> int:
    if format == MONO_VLSB:
        return (height + 7) // 8 * stride
    return stride * height * _FORMATS[format][0] // 8


class FrameBuffer:
    """FrameBuffer(buffer, width, height, format, stride=width): draws into `buffer`.

    What is outside is not drawn.
    """

    def __init__(
        self, buffer: Any, width: int, height: int, format: int, stride: int | None = None
    ) -> None:
        if format not in _FORMATS:
            raise ValueError("invalid format")
        if width < 1 or height < 1 or (stride is not None and stride < width):
            raise ValueError("width, height or stride is too small")
        per_byte = _PIXELS_PER_BYTE.get(format, 1)
        self._stride = -(-(width if stride is None else stride) // per_byte) * per_byte
        self._memory = memoryview(buffer).cast("B")
        if len(self._memory) < _size_of(width, height, format, self._stride):
            raise ValueError("the buffer is too small")
        self._width, self._height, self._format = width, height, format
        self._bits, self._place = _FORMATS[format]

    def __buffer__(self, flags: int) -> memoryview:
        return self._memory

    def _put(self, x: int, y: int, color: int) -> None:
        if not (0 <= x < self._width and 0 <= y < self._height):
            return
        byte, bit = self._place(x, y, self._stride)
        if self._bits == 16:
            self._memory[byte : byte + 2] = (color & 0xFFFF).to_bytes(2, "little")
            return
        mask = (1 << self._bits) - 1
        if self._bits == 1:
            color = 1 if color else 0
        self._memory[byte] = self._memory[byte] & ~(mask << bit) | (color & mask) << bit

    def _get(self, x: int, y: int) -> int | None:
        if not (0 <= x < self._width and 0 <= y < self._height):
            return None
        byte, bit = self._place(x, y, self._stride)
        if self._bits == 16:
            return int.from_bytes(self._memory[byte : byte + 2], "little")
        return self._memory[byte] >> bit & (1 << self._bits) - 1

    def pixel(self, x: int, y: int, c: int | None = None) -> int | None:
        """Its color, or with `c`: set it."""
        if c is None:
            return self._get(x, y)
        self._put(x, y, c)
        return None

    def fill(self, c: int) -> None:
        """All of it."""
        self.fill_rect(0, 0, self._width, self._height, c)

    def fill_rect(self, x: int, y: int, w: int, h: int, c: int) -> None:
        """A rectangle, filled."""
        for row in range(max(y, 0), min(y + h, self._height)):
            for column in range(max(x, 0), min(x + w, self._width)):
                self._put(column, row, c)

    def hline(self, x: int, y: int, w: int, c: int) -> None:
        """A line to the right, of `w` pixels."""
        self.fill_rect(x, y, w, 1, c)

    def vline(self, x: int, y: int, h: int, c: int) -> None:
        """A line down, of `h` pixels."""
        self.fill_rect(x, y, 1, h, c)

    def rect(self, x: int, y: int, w: int, h: int, c: int, f: bool = False) -> None:
        """A rectangle, with `f` filled."""
        if f:
            self.fill_rect(x, y, w, h, c)
            return
        self.hline(x, y, w, c)
        self.hline(x, y + h - 1, w, c)
        self.vline(x, y, h, c)
        self.vline(x + w - 1, y, h, c)

    def line(self, x1: int, y1: int, x2: int, y2: int, c: int) -> None:
        """A line, both ends included."""
        for x, y in _line(x1, y1, x2, y2):
            self._put(x, y, c)

    def ellipse(
        self, x: int, y: int, xr: int, yr: int, c: int, f: bool = False, m: int = 15
    ) -> None:
        """One around (x, y), with `f` filled; `m`: quadrants, bit 0 the upper right one."""
        if xr < 0 or yr < 0:
            return
        for dx, dy in _ellipse(xr, yr):
            for quadrant, (sx, sy) in enumerate(((1, -1), (-1, -1), (-1, 1), (1, 1))):
                if not m & 1 << quadrant:
                    continue
                if f:
                    self.hline(min(x, x + sx * dx), y + sy * dy, dx + 1, c)
                else:
                    self._put(x + sx * dx, y + sy * dy, c)

    def poly(self, x: int, y: int, coords: Any, c: int, f: bool = False) -> None:
        """A polygon whose points, one after the other in `coords`, are seen from (x, y)."""
        points = [(x + coords[i], y + coords[i + 1]) for i in range(0, len(coords), 2)]
        sides = list(zip(points, points[1:] + points[:1], strict=True))
        for (x1, y1), (x2, y2) in sides:
            self.line(x1, y1, x2, y2, c)
        if not f:
            return
        for row in range(min(y for _, y in points), max(y for _, y in points) + 1):
            crossings = sorted(
                round(x1 + (row - y1) * (x2 - x1) / (y2 - y1))
                for (x1, y1), (x2, y2) in sides
                if min(y1, y2) <= row < max(y1, y2)
            )
            for left, right in zip(crossings[::2], crossings[1::2], strict=False):
                self.hline(left, row, right - left + 1, c)

    def text(self, s: str, x: int, y: int, c: int = 1) -> None:
        """Characters of 8 by 8 pixels; their background stays."""
        for number, character in enumerate(s):
            rows = GLYPHS.get(character, GLYPHS["\x7f"])
            for row, bits in enumerate(rows):
                for column in range(8):
                    if bits >> column & 1:
                        self._put(x + 8 * number + column, y + row, c)

    def scroll(self, xstep: int, ystep: int) -> None:
        """Move it; what comes in is what was there."""
        columns = range(self._width) if xstep < 0 else range(self._width - 1, -1, -1)
        rows = range(self._height) if ystep < 0 else range(self._height - 1, -1, -1)
        for y in rows:
            for x in columns:
                color = self._get(x - xstep, y - ystep)
                if color is not None:
                    self._put(x, y, color)

    def blit(self, fbuf: Any, x: int, y: int, key: int = -1, palette: Any = None) -> None:
        """Draw another one, but not its color `key`; `palette` has colors for its own."""
        source = FrameBuffer(*fbuf) if isinstance(fbuf, (tuple, list)) else fbuf
        colors = FrameBuffer(*palette) if isinstance(palette, (tuple, list)) else palette
        for row in range(max(0, -y), min(source._height, self._height - y)):
            for column in range(max(0, -x), min(source._width, self._width - x)):
                color = source._get(column, row)
                if color is not None and color != key:
                    drawn = color if colors is None else colors._get(color, 0)
                    self._put(x + column, y + row, drawn or 0)


def FrameBuffer1(buffer: Any, width: int, height: int, stride: int | None = None) -> FrameBuffer:
    """A FrameBuffer of MONO_VLSB, by its old name."""
    return FrameBuffer(buffer, width, height, MONO_VLSB, stride)


def _line(x1: int, y1: int, x2: int, y2: int) -> Iterator[tuple[int, int]]:
    """Bresenham's."""
    dx, dy = abs(x2 - x1), -abs(y2 - y1)
    sx, sy = (1 if x1 < x2 else -1), (1 if y1 < y2 else -1)
    error = dx + dy
    while True:
        yield x1, y1
        if (x1, y1) == (x2, y2):
            return
        twice = 2 * error
        if twice >= dy:
            error += dy
            x1 += sx
        if twice <= dx:
            error += dx
            y1 += sy


def _ellipse(xr: int, yr: int) -> set[tuple[int, int]]:
    """The points of a quarter."""
    points = {(0, yr), (xr, 0)}
    for dx in range(xr + 1):
        points.add((dx, round(yr * (1 - (dx / xr) ** 2) ** 0.5) if xr else yr))
    for dy in range(yr + 1):
        points.add((round(xr * (1 - (dy / yr) ** 2) ** 0.5) if yr else xr, dy))
    return points


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
