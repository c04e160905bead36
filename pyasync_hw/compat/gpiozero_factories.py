"""gpiozero's pin factories by name, for programs that make one themselves: ours.

They stand in for gpiozero's where the library that it needs for them is not installed.
"""

from __future__ import annotations

from .gpiozero import Factory, Pin

__all__ = ["LGPIOFactory", "LGPIOPin", "PiGPIOFactory", "PiGPIOPin"]

_LOCAL = (None, "", "localhost", "127.0.0.1", "::1")


class LGPIOFactory(Factory):
    """As gpiozero.pins.lgpio's; `chip` is found by its label, whatever number it has."""

    def __init__(self, chip: int | None = None) -> None:
        super().__init__()


class PiGPIOFactory(Factory):
    """As gpiozero.pins.pigpio's, for this machine's pins; another host is an OSError."""

    def __init__(self, host: str | None = None, port: int | str | None = None) -> None:
        if host not in _LOCAL:
            raise OSError(
                f"the pins of {host!r} are reached by pigpio, which is not installed: "
                "pip install pigpio"
            )
        super().__init__()


LGPIOPin = PiGPIOPin = Pin
