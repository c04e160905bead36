"""MicroPython's module ssd1306: an OLED display (data sheet rev. 1.1) as a FrameBuffer."""

from __future__ import annotations

from typing import Any, NoReturn

from ..hints import no_such_name
from .framebuf import MONO_VLSB, FrameBuffer

__all__ = ["SSD1306", "SSD1306_I2C", "SSD1306_SPI"]

_COMMANDS, _PIXELS = b"\x80", b"\x40"  # control bytes, 8.1.5.2


class SSD1306(FrameBuffer):
    """SSD1306(width, height, external_vcc): what is drawn is shown by show()."""

    def __init__(self, width: int, height: int, external_vcc: bool = False) -> None:
        self.width = width
        self.height = height
        self.external_vcc = external_vcc
        self.pages = height // 8
        self.buffer = bytearray(self.pages * width)
        super().__init__(self.buffer, width, height, MONO_VLSB)
        self.init_display()

    def write_cmd(self, cmd: int) -> None:
        """Send a command, or an argument of one."""
        raise NotImplementedError

    def write_data(self, buf: Any) -> None:
        """Send pixels."""
        raise NotImplementedError

    def init_display(self) -> None:
        """Set it up, and clear it."""
        # From table 9-1; segments and rows run as the usual module is mounted.
        tall = self.width > 2 * self.height
        setup = (
            *(0xAE, 0x20, 0x00, 0x40, 0xA1, 0xA8, self.height - 1, 0xC8, 0xD3, 0x00),
            *(0xDA, 0x02 if tall else 0x12, 0xD5, 0x80),
            *(0xD9, 0x22 if self.external_vcc else 0xF1, 0xDB, 0x30, 0x81, 0xFF),
            *(0xA4, 0xA6, 0x8D, 0x10 if self.external_vcc else 0x14, 0xAF),
        )
        for byte in setup:
            self.write_cmd(byte)
        self.fill(0)
        self.show()

    def poweroff(self) -> None:
        """Switch the panel off."""
        self.write_cmd(0xAE)

    def poweron(self) -> None:
        """Switch the panel on."""
        self.write_cmd(0xAF)

    def contrast(self, contrast: int) -> None:
        """0 to 255."""
        self.write_cmd(0x81)
        self.write_cmd(contrast & 0xFF)

    def invert(self, invert: Any) -> None:
        """Dark on light, or not."""
        self.write_cmd(0xA7 if int(invert) & 1 else 0xA6)

    def rotate(self, rotate: Any) -> None:
        """By 180 degrees (False), or as at first (True)."""
        self.write_cmd(0xC8 if rotate else 0xC0)
        self.write_cmd(0xA1 if rotate else 0xA0)

    def show(self) -> None:
        """Show what was drawn."""
        first = (128 - self.width) // 2  # a narrower panel is on the middle segments
        window = (0x21, first, first + self.width - 1, 0x22, 0, self.pages - 1)
        for byte in window:
            self.write_cmd(byte)
        self.write_data(self.buffer)


class SSD1306_I2C(SSD1306):
    """SSD1306_I2C(width, height, i2c, addr=0x3c, external_vcc=False)."""

    def __init__(
        self, width: int, height: int, i2c: Any, addr: int = 0x3C, external_vcc: bool = False
    ) -> None:
        self.i2c = i2c
        self.addr = addr
        super().__init__(width, height, external_vcc)

    def write_cmd(self, cmd: int) -> None:
        """As SSD1306.write_cmd()."""
        self.i2c.writeto(self.addr, _COMMANDS + bytes([cmd]))

    def write_data(self, buf: Any) -> None:
        """As SSD1306.write_data()."""
        self.i2c.writeto(self.addr, _PIXELS + bytes(buf))


class SSD1306_SPI(SSD1306):
    """SSD1306_SPI(width, height, spi, dc, res, cs, external_vcc=False)."""

    def __init__(
        self,
        width: int,
        height: int,
        spi: Any,
        dc: Any,
        res: Any,
        cs: Any,
        external_vcc: Any = False,
    ) -> None:
        import time

        for pin, value in ((dc, 0), (res, 1), (cs, 1)):
            pin.init(pin.OUT, value=value)
        self.spi, self.dc, self.res, self.cs = spi, dc, res, cs
        for value in (1, 0, 1):  # 8.9: low for 3 us at least
            res(value)
            time.sleep(0.001)
        super().__init__(width, height, external_vcc)

    def _write(self, data: bytes, is_pixels: int) -> None:
        self.cs(1)
        self.dc(is_pixels)
        self.cs(0)
        self.spi.write(data)
        self.cs(1)

    def write_cmd(self, cmd: int) -> None:
        """As SSD1306.write_cmd()."""
        self._write(bytes([cmd]), 0)

    def write_data(self, buf: Any) -> None:
        """As SSD1306.write_data()."""
        self._write(bytes(buf), 1)


def __getattr__(name: str) -> NoReturn:
    raise no_such_name(__name__, name)
