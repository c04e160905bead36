"""machine.ADC and machine.PWM."""

from __future__ import annotations

import errno
from typing import Any

from .... import hardware, sim, spi
from .default_parts import wire_default_parts
from .pin_names import find_gpio
from .pins import Pin

__all__ = ["ADC", "PWM", "read_volts"]

_MCP3008_BITS = 10
_ESP32_ADC = range(32, 40)  # its pins, which no ESP8266 or Pico has
_PICO_ADC = range(26, 30)  # GPIOs of ADC 0 to 3


def _converter(board: hardware.Backend) -> sim.ADC | None:
    parts = board.parts if isinstance(board, sim.Board) else []
    return next((part for part in parts if isinstance(part, sim.ADC)), None)


def read_volts(channel: int) -> tuple[float, float]:
    """(volts, volts at the converter's end) of a channel: the board's ADC, or its MCP3008.

    Raises OSError (ENODEV) where there is none.
    """
    board = hardware.current()
    wire_default_parts(board)
    part = _converter(board)
    if part is not None:
        return part.volts(channel), part.vref
    own = getattr(board, "names", None)
    if own is None or own.adc is None:
        raise OSError(
            errno.ENODEV,
            f"{board.name} has no analog input; in board.toml, of run --board: [micropython] "
            'adc = "spi0.0" for an MCP3008, or, simulated, [[part]] kind = "adc"',
        )
    with spi.Device("spi{}.{}".format(*own.adc), speed_hz=1_000_000) as device:
        answer = device.blocking.transfer(bytes([1, (8 + channel % 8) << 4, 0]))
    return (answer[1] & 3) << 8 | answer[2], 1 << _MCP3008_BITS  # in steps of it


class ADC:
    """ADC(id): an analog input, by its number, its pin, or a name such as "A0".

    read() is 10 bits as an ESP8266's, or, after width() or atten() or for an ESP32's pin, 12.
    """

    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = range(4)
    WIDTH_9BIT, WIDTH_10BIT, WIDTH_11BIT, WIDTH_12BIT = 9, 10, 11, 12
    CORE_VREF, CORE_VBAT, CORE_TEMP = 17, 18, 4
    _ESP32_VOLTS = (1.1, 1.5, 2.2, 3.3)  # about, by attenuation

    def __init__(self, id: int | str | Pin = 0, *, atten: int | None = None, **_: object) -> None:
        wire_default_parts(hardware.current())
        if isinstance(id, Pin):
            channel = id.gpio
        elif isinstance(id, str) and id[:1] == "A" and id[1:].isdigit():
            channel = int(id[1:])
        else:
            channel = id if isinstance(id, int) else find_gpio(id)
        self.channel = channel
        self._bits = 12 if channel in _ESP32_ADC else 10
        self._atten: int | None = None
        if atten is not None:
            self.atten(atten)

    def init(self, *, atten: int | None = None, **_: object) -> None:
        """Change what is given."""
        if atten is not None:
            self.atten(atten)

    def atten(self, atten: int) -> None:
        """An ESP32's attenuation, which says what voltage is the converter's end."""
        if atten not in range(4):
            raise ValueError(f"atten must be ADC.ATTN_0DB to ADC.ATTN_11DB, not {atten!r}")
        self._atten = atten
        self._bits = max(self._bits, 12)

    def width(self, bits: int) -> None:
        """An ESP32's number of bits: 9 to 12, or as ADC.WIDTH_9BIT and so on were once, 0 to 3."""
        self._bits = bits + 9 if bits in range(4) else bits
        if self._bits not in range(9, 14):
            raise ValueError(f"width must be ADC.WIDTH_9BIT to ADC.WIDTH_12BIT, not {bits!r}")

    def _part(self) -> float:
        """Of the converter's range, 0 to 1."""
        volts, end = read_volts(self.channel)
        if self._atten is not None and end == 3.3:
            end = self._ESP32_VOLTS[self._atten]
        return min(1.0, max(0.0, volts / end))

    def read(self) -> int:
        """0 to 1023; of 12 bits, 0 to 4095."""
        return min((1 << self._bits) - 1, int(self._part() * (1 << self._bits)))

    def read_u16(self) -> int:
        """0 to 65535."""
        return min(0xFFFF, int(self._part() * 0x10000))

    def read_uv(self) -> int:
        """In microvolts."""
        volts, end = read_volts(self.channel)
        return round(volts * 1e6 * (3.3 / end if end > 100 else 1))

    def deinit(self) -> None:
        """Nothing has to be given back."""

    def __repr__(self) -> str:
        return f"ADC({self.channel})"


class PWM:
    """PWM(dest, *, freq, duty, duty_u16, duty_ns): a square wave on a pin, from then on."""

    def __init__(
        self,
        dest: Any,
        freq: int | None = None,
        duty: int | None = None,
        *,
        duty_u16: int | None = None,
        duty_ns: int | None = None,
        **_: object,
    ) -> None:
        self.pin = dest if isinstance(dest, Pin) else Pin(dest)
        line = self.pin.line
        before = line.wave
        if line.mode != Pin.OUT or not line.is_output:
            line.set_mode(Pin.OUT, None)
        # Another PWM of the pin is this one, as on a board.
        self._freq: float = 5000 if before is None else before._freq
        self._duty: float = 0.5 if before is None else before._duty
        line.wave = self
        self.init(freq, duty, duty_u16=duty_u16, duty_ns=duty_ns)

    def init(
        self,
        freq: int | None = None,
        duty: int | None = None,
        *,
        duty_u16: int | None = None,
        duty_ns: int | None = None,
        **_: object,
    ) -> None:
        """Change what is given."""
        if freq is not None:
            if not 0 < freq <= 1_000_000:
                raise ValueError(f"freq must be 1 to 1000000 Hz, not {freq!r}")
            self._freq = freq
        if duty is not None:
            self._duty = _part_of(duty, 1023)
        if duty_u16 is not None:
            self._duty = _part_of(duty_u16, 0xFFFF)
        if duty_ns is not None:
            self._duty = min(1.0, duty_ns * self._freq / 1e9)
        self.pin.line.wave = self
        self.pin.line.make_wave(self._freq, self._duty)

    def freq(self, value: int | None = None) -> int | None:
        """In Hz."""
        if value is None:
            return round(self._freq)
        self.init(value)
        return None

    def duty(self, value: int | None = None) -> int | None:
        """0 to 1023."""
        if value is None:
            return round(self._duty * 1023)
        self.init(duty=value)
        return None

    def duty_u16(self, value: int | None = None) -> int | None:
        """0 to 65535."""
        if value is None:
            return round(self._duty * 0xFFFF)
        self.init(duty_u16=value)
        return None

    def duty_ns(self, value: int | None = None) -> int | None:
        """The pulse's length in nanoseconds."""
        if value is None:
            return round(self._duty / self._freq * 1e9)
        self.init(duty_ns=value)
        return None

    def deinit(self) -> None:
        """End it; the pin is low."""
        line = self.pin.line
        if line.wave is self:
            line.wave = None
            line.end_wave()
            line.put(False)

    def __repr__(self) -> str:
        return f"PWM({self.pin!r}, freq={round(self._freq)}, duty_u16={self.duty_u16()})"


def _part_of(value: int, most: int) -> float:
    """A duty; an ESP takes 1024 of 1023, too."""
    if not 0 <= value <= most + 1:
        raise ValueError(f"duty must be 0 to {most}, not {value!r}")
    return min(1.0, value / most)
