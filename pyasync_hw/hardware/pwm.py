"""Which pins have the kernel's PWM: those that the device tree gives to a PWM chip.

The overlays `pwm` and `pwm-2chan` set a pin's function and name it in the chip's pinctrl.
"""

from __future__ import annotations

import glob
import os
import re

__all__ = ["CLASS", "find_channel", "how_to_enable"]

CLASS = "/sys/class/pwm"

# Which channel of its chip a pin of the header is, by the chip's "compatible" (raspberrypi/linux,
# pwm-overlay.dts; for RP1 what `pinctrl` says: PWM0_CHAN0 to 3).
_CHANNELS = {
    "brcm,bcm2835-pwm": {12: 0, 18: 0, 13: 1, 19: 1},
    "raspberrypi,rp1-pwm": {12: 0, 13: 1, 14: 2, 15: 3, 18: 2, 19: 3},
}


def find_channel(gpio: int, folder: str = CLASS) -> tuple[str, int] | None:
    """(chip's path, channel) of a pin that an overlay has given to PWM; None: it is a GPIO."""
    for chip in sorted(glob.glob(f"{folder}/pwmchip*")):
        node = os.path.realpath(f"{chip}/device/of_node")
        compatible = _read(f"{node}/compatible").split(b"\0")
        for name, channels in _CHANNELS.items():
            if name.encode() in compatible and gpio in channels and gpio in _pins(node):
                return chip, channels[gpio]
    return None


# "func" of the overlays pwm and pwm-2chan, by pin (their README).
_FUNCTIONS = {12: 4, 13: 4, 18: 2, 19: 2}


def how_to_enable(gpio: int) -> str:
    """What makes a pin one of the kernel's PWM."""
    if gpio in _FUNCTIONS:
        return (
            f"add dtoverlay=pwm,pin={gpio},func={_FUNCTIONS[gpio]} to /boot/firmware/config.txt, "
            "and restart"
        )
    return "GPIO 12, 13, 18 and 19 can have it, by dtoverlay=pwm in /boot/firmware/config.txt"


def _pins(node: str) -> set[int]:
    """The pins of a device tree node, which its neighbour, the GPIO controller, has."""
    wanted = _cells(_read(f"{node}/pinctrl-0"))
    pins: set[int] = set()
    for path in glob.glob(f"{os.path.dirname(node)}/gpio@*/*/phandle"):
        if _cells(_read(path)) & wanted:
            group = os.path.dirname(path)
            pins |= _cells(_read(f"{group}/brcm,pins"))
            names = _read(f"{group}/pins").split(b"\0")
            pins |= {int(m[1]) for name in names if (m := re.fullmatch(rb"gpio(\d+)", name))}
    return pins


def _cells(data: bytes) -> set[int]:
    return {int.from_bytes(data[i : i + 4], "big") for i in range(0, len(data), 4)}


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:  # a property that the node does not have
        return b""
