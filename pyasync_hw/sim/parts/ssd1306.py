"""An OLED display with an SSD1306 (Solomon Systech, rev. 1.1) on I2C, and its picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from ...hardware.pins import i2c_address, parse_i2c
from .part import Part

__all__ = ["SSD1306"]

# Commands with arguments (table 9-1): how many follow.
ARGUMENTS = {
    0x20: 1,
    0x21: 2,
    0x22: 2,
    0x23: 1,
    0x26: 6,
    0x27: 6,
    0x29: 5,
    0x2A: 5,
    0x81: 1,
    0x8D: 1,
    0xA3: 2,
    0xA8: 1,
    0xD3: 1,
    0xD5: 1,
    0xD6: 1,
    0xD9: 1,
    0xDA: 1,
    0xDB: 1,
}
WIDTH = 128


class SSD1306(Part):
    """A display of 128 by `height` pixels; png(), svg() and text() show what is on it."""

    options = {"bus": (int, str), "address": int, "height": int}  # noqa: RUF012
    actions = ("save",)

    def __init__(
        self, *, height: int = 64, bus: int | str = 1, address: int = 0x3C, name: str = ""
    ) -> None:
        super().__init__(name=name)
        if height not in (32, 64):
            raise ValueError(f"height must be 32 or 64, not {height!r}")
        if i2c_address(address) not in (0x3C, 0x3D):
            raise ValueError(f"address must be 0x3c or 0x3d, not {address:#x}")
        self.where = parse_i2c(bus), address
        self.height = height
        self.memory = bytearray(WIDTH * 8)  # 8 pages; a byte is 8 pixels, the lowest bit on top
        self.is_on = self.inverted = self.all_lit = False
        self._mode = 2  # page addressing
        self._columns, self._pages = (0, WIDTH - 1), (0, 7)
        self._column = self._page = 0
        self._start_line = self._offset = 0
        self._mirrored = self._flipped = False
        self._command: list[int] = []

    def claims(self) -> Mapping[str, str]:
        """See Part.claims()."""
        return {"address": "address {1:#04x} of i2c-{0}".format(*self.where)}

    def on_attach(self) -> None:
        self.board.attach_i2c(*self.where, self)

    def read(self, n: int) -> bytes:
        """The status: bit 6 says that it is off."""
        return bytes([0 if self.is_on else 0x40]) * n

    def write(self, data: bytes) -> bool | None:
        """Control bytes, and what they announce: bit 7 one byte, bit 6 pixels (8.1.5.2)."""
        at = 0
        while at < len(data):
            control = data[at]
            rest = data[at + 1 : at + 2] if control & 0x80 else data[at + 1 :]
            at += 1 + len(rest)
            for byte in rest:
                (self._pixels if control & 0x40 else self._byte)(byte)
        return None

    def _byte(self, byte: int) -> None:
        self._command.append(byte)
        if len(self._command) > ARGUMENTS.get(self._command[0], 0):
            command, *arguments = self._command
            self._command = []
            self._obey(command, arguments)

    def _obey(self, command: int, arguments: list[int]) -> None:
        if command == 0x20:
            self._mode = arguments[0] & 3
        elif command == 0x21:
            self._columns = arguments[0] & 0x7F, arguments[1] & 0x7F
            self._column = self._columns[0]
        elif command == 0x22:
            self._pages = arguments[0] & 7, arguments[1] & 7
            self._page = self._pages[0]
        elif command == 0xD3:
            self._offset = arguments[0] & 0x3F
        elif command <= 0x0F:
            self._column = self._column & 0x70 | command
        elif command <= 0x1F:
            self._column = (command & 7) << 4 | self._column & 0x0F
        elif 0x40 <= command <= 0x7F:
            self._start_line = command & 0x3F
        elif 0xB0 <= command <= 0xB7:
            self._page = command & 7
        elif command in (0xA0, 0xA1):
            self._mirrored = command == 0xA1
        elif command in (0xC0, 0xC8):
            self._flipped = command == 0xC8
        elif command in (0xA4, 0xA5):
            self.all_lit = command == 0xA5
        elif command in (0xA6, 0xA7):
            self.inverted = command == 0xA7
        elif command in (0xAE, 0xAF):
            self.is_on = command == 0xAF

    def _pixels(self, byte: int) -> None:
        # What is written after segment re-map is on the other side; modules are built so.
        self.memory[WIDTH * self._page + self._column] = byte
        if self._mode == 2:
            self._column = (self._column + 1) % WIDTH
        elif self._mode == 0:
            if self._next_column():
                self._next_page()
        elif self._next_page():
            self._next_column()

    def _next_column(self) -> bool:
        """Was it the last one?"""
        first, last = self._columns
        over = self._column == last
        self._column = first if over else (self._column + 1) % WIDTH
        return over

    def _next_page(self) -> bool:
        first, last = self._pages
        over = self._page == last
        self._page = first if over else (self._page + 1) % 8
        return over

    def pixel(self, x: int, y: int) -> bool:
        """Whether it is lit, from the upper left of a module mounted as usual (A1, C8)."""
        if not self.is_on:
            return False
        if self.all_lit:
            return True
        column = x if self._mirrored else WIDTH - 1 - x
        row = y if self._flipped else self.height - 1 - y
        row = (row + self._start_line + self._offset) % 64
        return bool(self.memory[WIDTH * (row // 8) + column] >> row % 8 & 1) != self.inverted

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return WIDTH, self.height

    def text(self) -> str:
        """A line of "#" and "." for each row."""
        rows = range(self.height)
        return "\n".join(
            "".join("#" if self.pixel(x, y) else "." for x in range(WIDTH)) for y in rows
        )

    def png(self, path: str | Path | None = None) -> bytes:
        """The picture as a PNG of 1 bit; written to `path`, too."""
        rows = b""
        for y in range(self.height):
            bits = "".join("1" if self.pixel(x, y) else "0" for x in range(WIDTH))
            rows += b"\x00" + int(bits, 2).to_bytes(WIDTH // 8, "big")
        header = struct.pack(">IIBBBBB", WIDTH, self.height, 1, 0, 0, 0, 0)
        picture = b"\x89PNG\r\n\x1a\n"
        for kind, data in (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""):
            picture += struct.pack(">I", len(data)) + kind + data
            picture += struct.pack(">I", zlib.crc32(kind + data))
        if path is not None:
            Path(path).write_bytes(picture)
        return picture

    def svg(self) -> str:
        """The picture as an SVG."""
        lit = "".join(
            f'<rect x="{x}" y="{y}" width="1" height="1"/>'
            for y in range(self.height)
            for x in range(WIDTH)
            if self.pixel(x, y)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}">'
            f'<rect width="{WIDTH}" height="{self.height}"/><g fill="#9cf">{lit}</g></svg>'
        )

    def save(self, path: str | Path) -> None:
        """Write the picture to a file: .png, .svg, or .txt."""
        kind = Path(path).suffix
        if kind == ".png":
            self.png(path)
        elif kind in (".svg", ".txt"):
            Path(path).write_text(self.svg() if kind == ".svg" else self.text() + "\n")
        else:
            raise ValueError(f"a picture is a file .png, .svg or .txt, not {str(path)!r}")
