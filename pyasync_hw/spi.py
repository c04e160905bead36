"""SPI devices.

    with spi.Device("spi0.0", speed_hz=1_000_000) as device:
        answer = device.transfer(bytes([0x37 << 1 | 0x80, 0]))

A transfer blocks the thread while it lasts, with the GIL let go; it is not awaitable
yet.  A message is sent by the kernel's spidev driver, by the simulated board, or, when
asked for by via="spidev" or PYASYNC_HW_SPI=spidev, by the `spidev` package of PyPI.
"""

from __future__ import annotations

import errno
import importlib.util
import os
from collections.abc import Iterable
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, Literal, NamedTuple

from . import _core, hardware
from .hardware.device import DeviceLife
from .hardware.pins import parse_spi

__all__ = ["Device", "SpidevPackageBus", "Stats", "Transfer"]


_REMEDIES = {
    errno.ENOENT: "; switch SPI on (raspi-config, or dtparam=spi=on)",
    errno.EACCES: "; add the user to group spi, and log in again",
}


def check_speed(speed_hz: int, limit: int) -> None:
    """Raises ValueError for what is no clock rate up to `limit`."""
    if not isinstance(speed_hz, int) or not 0 < speed_hz <= limit:
        raise ValueError(f"speed_hz must be a whole number, 1 to {limit} Hz, not {speed_hz!r}")


class Transfer(NamedTuple):
    """One transfer of a message (struct spi_ioc_transfer of linux/spi/spidev.h).

    Zero is the device's own setting; `cs_change`: chip select goes up between this
    transfer and the next, which takes 10 us.
    """

    data: bytes
    speed_hz: int = 0
    delay_us: int = 0
    cs_change: bool = False
    bits_per_word: int = 0


class Stats(NamedTuple):
    """What has been sent so far."""

    messages: int
    transfers: int


class Device(DeviceLife):
    """An SPI device: "spi0.0" is chip select 0 of bus 0.

    speed_hz: clock rate in Hz; mode: 0 to 3, and the flags of linux/spi/spi.h.  via:
    "board" or "spidev" (the package).  Raises OSError with a remedy, ValueError.
    """

    def __init__(
        self,
        spec: str = "spi0.0",
        *,
        speed_hz: int = 4_000_000,
        mode: int = 0,
        board: hardware.Backend | None = None,
        via: Literal["board", "spidev"] | None = None,
    ) -> None:
        bus, cs = parse_spi(spec)
        check_speed(speed_hz, 2**32 - 1)
        if not isinstance(mode, int) or not 0 <= mode < 2**32:
            raise ValueError(f"mode must be 0 to 3 and flags of linux/spi/spi.h, not {mode!r}")
        chosen = via or os.environ.get("PYASYNC_HW_SPI") or "board"
        if chosen not in ("board", "spidev"):
            raise ValueError(f"via (or PYASYNC_HW_SPI) must be board or spidev, not {chosen!r}")
        self.spec = spec
        self._package: SpidevPackageBus | None = None
        if chosen == "spidev":
            self._package = SpidevPackageBus(bus, cs, speed_hz, mode)
            self.core = _core.adapt_spi(self._package, f"spi{bus}.{cs}", speed_hz, mode)
        else:
            backend = hardware.chosen(board)
            self.core = backend.open_spi(bus, cs, speed_hz, mode)
        try:
            hardware.use_running_loop(self.core)
        except BaseException:
            self.close()
            raise

    def transfer(self, data: bytes) -> bytes:
        """Send bytes in one message, with chip select held; as many bytes that came back."""
        return self.core.transfer(data)

    def message(self, transfers: Iterable[bytes | Transfer]) -> list[bytes]:
        """1 to 511 transfers in one message; what came back in each.

        Raises OSError (EMSGSIZE) when they are longer than the driver's buffer
        (spidev.bufsiz, 4096 bytes by default).
        """
        return self.core.message(transfers)

    @property
    def speed_hz(self) -> int:
        """Clock rate, in Hz.  Raises ValueError when closed."""
        return self.core.speed_hz

    @speed_hz.setter
    def speed_hz(self, value: int) -> None:
        self.core.speed_hz = value

    @property
    def mode(self) -> int:
        """SPI mode.  Raises ValueError when closed."""
        return self.core.mode

    @property
    def stats(self) -> Stats:
        """How many messages and transfers were sent."""
        return Stats(self.core.messages, self.core.transfers)

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self.core.closed

    def close(self) -> None:
        """Give the device back; idempotent."""
        self.core.close()
        if self._package is not None:
            self._package.close()

    def _begin(self) -> None:
        _ = self.core.mode

    def __repr__(self) -> str:
        return f"<Device {self.spec!r} {'closed' if self.closed else 'open'}>"


class SpidevPackageBus:
    """Messages by the `spidev` package, whose calls are one chip select frame each.

    A message is therefore one ioctl per frame, not one in all.
    """

    def __init__(self, bus: int, cs: int, speed_hz: int, mode: int) -> None:
        self._speed_hz = speed_hz
        self._spi = _spidev_package().SpiDev()
        try:
            self._spi.open(bus, cs)
            self._spi.max_speed_hz = speed_hz
            self._spi.mode = mode
        except OSError as error:
            self._spi.close()
            remedy = _REMEDIES.get(error.errno or 0, "")
            raise OSError(
                error.errno, f"{error.strerror}{remedy}", f"/dev/spidev{bus}.{cs}"
            ) from error

    def transfer(self, transfers: list[tuple[bytes, int, int, bool, int]]) -> list[bytes]:
        """The transfers of one message; what came back in each.  Raises OSError."""
        answers: list[bytes] = []
        frame: list[bytes] = []
        for data, speed_hz, delay_us, cs_change, bits_per_word in transfers:
            frame.append(data)
            if not cs_change and len(answers) + len(frame) < len(transfers):
                continue  # chip select stays: the next one is of this frame
            answer = bytes(
                self._spi.xfer2(
                    list(b"".join(frame)), speed_hz or self._speed_hz, delay_us, bits_per_word or 8
                )
            )
            for part in frame:
                answers.append(answer[: len(part)])
                answer = answer[len(part) :]
            frame.clear()
        return answers

    def close(self) -> None:
        """Close the package's device; idempotent."""
        self._spi.close()


def _spidev_package() -> Any:
    """The package itself, also where our compat module stands in its place."""
    spec = PathFinder.find_spec("spidev")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(
            'the spidev package is not installed: pip install "pyasync_hw[spidev]"',
            name="spidev",
        )
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
