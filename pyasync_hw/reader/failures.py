"""What goes wrong with a reader: the exception, and what to do about it.

That is something about wires and tags, or on a simulated board about how the program has
set it up; the words that the chip's steps give are in csrc/hw/mfrc522_outcome.c.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from ..errors import (
    AuthenticationError,
    ChipNotFoundError,
    CollisionError,
    CRCError,
    NakError,
    RC522Error,
    TagLostError,
    TagTimeoutError,
    WiringError,
)

if TYPE_CHECKING:
    from ..hardware import Backend

__all__ = ["Failures", "Outcome", "SimulatedFailures"]

Outcome = tuple[str | int | None, Any]
Pin = int | str | None

_TYPES: dict[str, type[RC522Error]] = {
    "timeout": TagTimeoutError,
    "collision": CollisionError,
    "frame": CRCError,
    "nak": NakError,
    "authentication": AuthenticationError,
    "no-chip": ChipNotFoundError,
    "readback": WiringError,
    "lost-registers": RC522Error,
    "field-off": RC522Error,
}

_TEXTS = {
    "timeout": "no tag answers; hold one within 3 cm of the antenna",
    "tag-lost": "does not answer any more; hold it still and wait_for_tag() again",
    "collision": "several tags answer at once; present one at a time",
    "frame": "an answer with a wrong CRC, parity or length; hold the tag still, or change the gain",
    "nak": "the command was refused (NAK); authenticate the block's sector first",
    "authentication": "authentication failed: wrong key or key type for this block",
    "no-chip": "no MFRC522 answers (VersionReg reads 00 or FF); check power, MISO, MOSI, SCK, SDA "
    "and RST, and that spi= is where it is wired",
    "readback": "the chip does not keep what is written to its registers; shorten the SPI wires "
    "or lower speed_hz",
    "lost-registers": "the chip was reset while in use; check its 3.3 V supply, and who else "
    "drives its reset line",
    "field-off": "the field is off; switch it on by configure(field=True)",
    "gone": "it was unplugged; open it anew when it is back",
}


class Failures:
    """Those of one reader; `name` for messages, `bus`, `irq` and `reset` its wiring."""

    def __init__(self, name: str, bus: str, irq: Pin, reset: Pin) -> None:
        self.name = name
        self.bus = bus
        self.irq = irq
        self.reset = reset

    def text(self, error: str) -> str:
        """What `error` means, and what to do."""
        return _TEXTS[error]

    def exception(self, error: str | int, tag: bytes | None) -> OSError:
        """For an error of the bus (errno) or of chip and radio (a word)."""
        if isinstance(error, int):
            gone = error in (errno.ENODEV, errno.ESHUTDOWN)
            text = os.strerror(error) + (f"; {self.text('gone')}" if gone else "")
            return OSError(error, text, self.name)
        if error == "cancelled":
            return OSError(errno.ECANCELED, "the operation was cancelled", self.name)
        who = self.name if tag is None else f"{self.name}: tag {tag.hex()}"
        if error == "timeout" and tag is not None:
            return TagLostError(f"{who} {self.text('tag-lost')}")
        return _TYPES[error](f"{who}: {self.text(error)}")

    def dead_irq(self) -> WiringError:
        """No edge comes although the chip has raised its interrupt."""
        return WiringError(
            f"{self.name}: the interrupt line {self.irq} does not fall when the chip raises its "
            f"interrupt; {self._connect('IRQ', 'irq', self.irq)} (the chip is polled, which costs "
            "more)"
        )

    def dead_reset(self) -> WiringError:
        """The reset line has no effect."""
        return WiringError(
            f"{self.name}: the reset line {self.reset} does not reset the chip; "
            f"{self._connect('RST', 'reset', self.reset)}"
        )

    def _connect(self, module_pin: str, argument: str, pin: Pin) -> str:
        return f"connect the module's {module_pin} pin to it, or pass {argument}=None"


class SimulatedFailures(Failures):
    """The same on a simulated board, whose program does what else hands and wires do."""

    def __init__(self, name: str, bus: str, irq: Pin, reset: Pin, board: Backend) -> None:
        super().__init__(name, bus, irq, reset)
        self._board = board

    def text(self, error: str) -> str:
        """What `error` means, and what to do."""
        if error == "no-chip":
            return self._no_chip()
        return _SIMULATED.get(error) or super().text(error)

    def _no_chip(self) -> str:
        if any(reader.bus == self.bus for reader in self._board.readers):
            return (
                f"the simulated chip on {self.bus} does not answer (VersionReg reads 00 or FF); "
                "release its reset line, or give attach_rc522() another version"
            )
        where = "" if self.bus == "spi0.0" else repr(self.bus)
        return f"nothing is attached to {self.bus} of this simulated board; attach_rc522({where})"

    def _connect(self, module_pin: str, argument: str, pin: Pin) -> str:
        return (
            f"attach the simulated reader by attach_rc522({argument}={pin!r}), or pass "
            f"{argument}=None"
        )


_SIMULATED = {
    "timeout": "no card answers in this simulated field; present() one",
    "tag-lost": "does not answer any more in this simulated field; present() it and "
    "wait_for_tag() again",
    "frame": "an answer with a wrong CRC, parity or length; the simulated card has sent it so",
    "readback": "the simulated chip does not keep what is written to its registers; see who else "
    "writes to them",
    "lost-registers": "the simulated chip was reset while in use; see who else drives its reset "
    "line, or resets it by command",
}
