"""A chip of the kernel's gpio-sim (Linux 5.17, Documentation/admin-guide/gpio/gpio-sim.rst)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..hardware.device import ClosedOnError

__all__ = ["GpioSim", "Missing"]

CONFIGFS = Path("/sys/kernel/config/gpio-sim")
DEVICES = Path("/sys/devices/platform")


class Missing(Exception):
    """What a test needs and this machine has not; the text says how to get it."""


class GpioSim:
    """One chip, from outside: its lines are pulled by pull().  Raises Missing, OSError.

    `path` is its character device, /dev/gpiochip<N>.
    """

    def __init__(self, num_lines: int) -> None:
        if not CONFIGFS.is_dir():
            raise Missing(
                "no gpio-sim: modprobe gpio-sim (Linux 5.17, CONFIG_GPIO_SIM), and "
                "mount -t configfs configfs /sys/kernel/config"
            )
        self._folder = CONFIGFS / f"pyasync_hw-{os.getpid()}"
        self._bank = self._folder / "bank0"
        try:
            if self._folder.exists():  # of a process of this number that was killed
                self.close()
            self._folder.mkdir()
        except OSError as exc:
            if exc.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise Missing(f"gpio-sim needs root: {CONFIGFS} is not writable") from exc
        with ClosedOnError(self):
            self._bank.mkdir()
            (self._bank / "num_lines").write_text(str(num_lines))
            (self._bank / "label").write_text("pyasync_hw")
            (self._folder / "live").write_text("1")
            name = (self._bank / "chip_name").read_text().strip()
            device = (self._folder / "dev_name").read_text().strip()
        self.path = f"/dev/{name}"
        self._lines = DEVICES / device / name

    def pull(self, line: int, level: int) -> None:
        """What is outside pulls an input to this level."""
        pull = "pull-up" if level else "pull-down"
        (self._lines / f"sim_gpio{line}" / "pull").write_text(pull)

    def close(self) -> None:
        """Take the chip away."""
        live = self._folder / "live"
        if live.exists():
            live.write_text("0")
        for folder in (self._bank, self._folder):
            if folder.exists():
                folder.rmdir()
