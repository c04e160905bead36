"""A simulated Raspberry Pi: GPIO lines, SPI buses, and RC522 readers with cards.

    with sim.Board("pi-zero-w") as board:
        reader = board.attach_rc522("spi0.0", irq="GPIO24", reset="GPIO25", name="door")
        reader.present(sim.MifareClassic1K(uid="a61d227e"))
        board.line("GPIO17").drive(0)

Inside the block, devices of this package open on this board.  What is done to
the board is what hands and wires do: cards come and go, lines are driven.
Everything may be called from any thread; nothing here needs a running loop.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from .. import hardware
from .._core import SimWorld, VirtualClock
from ..hardware.names import BoardNames
from ..hardware.pins import i2c_address, parse_i2c, parse_pin, parse_spi
from .cards import Card, parse_uid, seconds_up_to_1
from .models import BCM_I2C, MODELS, line_names
from .parts.part import Part
from .parts.teller import Teller

if TYPE_CHECKING:
    from .._core import GPIOChip, I2CBus, LineRequest, SPIDevice

__all__ = ["Board", "OnI2c", "OnSpi", "SimLine", "SimReader"]

_Part = TypeVar("_Part", bound=Part)

VERSION_MFRC522_2 = 0x92  # MFRC522 datasheet, 9.3.4.8: VersionReg
DEFAULT_SPI_HZ = 4_000_000


class OnSpi(Protocol):
    """What can be on a chip select: see Board.attach_spi()."""

    def transfer(self, data: bytes, /) -> bytes:
        """What comes back (MISO) while `data` goes out, chip select asserted: as many bytes."""


@runtime_checkable
class OnI2c(Protocol):
    """What can be at an address of an I2C bus: see Board.attach_i2c().

    Called at a message's end, in the thread of whoever sends it.  An exception goes to
    sys.unraisablehook, and the message is not acknowledged.
    """

    def write(self, data: bytes, /) -> bool | None:
        """A message's bytes; none: is it there?  False: they are not acknowledged."""

    def read(self, n: int, /) -> bytes:
        """At most n bytes; the bus reads 0xff for those that are missing."""


class SimLine:
    """One line of a simulated board, from outside: what a wire can do to it."""

    def __init__(self, board: Board, offset: int, name: str) -> None:
        self.board = board
        self.offset = offset
        self.name = name

    def drive(self, level: bool | int, *, at: float | None = None) -> None:
        """Force the line low (0) or high (1); stronger than anything else on it.

        `at`: seconds after the line was first requested; without, now.
        """
        if level not in (0, 1):
            raise ValueError(f"level must be 0 or 1, not {level!r}; release() lets go")
        self.board._world.drive(self.offset, level, at)

    def release(self, *, at: float | None = None) -> None:
        """Let go: what else drives the line, or its pull, decides its level."""
        self.board._world.drive(self.offset, None, at)

    @property
    def value(self) -> int:
        """The physical level, 0 or 1; active_low does not matter here."""
        return self.board._world.level(self.offset)

    @property
    def pwm(self) -> tuple[float, float]:
        """What a servo or LED on it sees: (frequency in Hz, duty 0 to 1), of its last wave.

        (0.0, 0.0) and (0.0, 1.0): it has stayed low or high for two periods.
        """
        wave = self.board._world.wave(self.offset)
        if wave is None:
            return 0.0, float(self.value)
        period, high = wave
        return 1e9 / period, high / period

    @property
    def driven(self) -> int | None:
        """What drive() holds it at; None when it is released."""
        return self.board._world.driven(self.offset)

    @property
    def consumer(self) -> str | None:
        """Who has requested the line, or None."""
        return self.board._world.consumer(self.offset)

    def __repr__(self) -> str:
        return f"<SimLine {self.name} of {self.board.name}>"


class SimReader:
    """One simulated RC522 module: its field, where cards come and go.

    `name`, `bus` ("spi0.0"), `irq` and `reset` ("GPIO24" or None) and `speed_hz` are
    its wiring, as in hardware.ReaderWiring.
    """

    def __init__(
        self,
        board: Board,
        spi: tuple[int, int],
        irq: int | None,
        reset: int | None,
        name: str,
        power_up: float | None,
    ) -> None:
        # The board has its readers: one that had the board would keep it alive in a cycle.
        self._board = weakref.ref(board)
        self._world = board._world
        self._board_name = board.name
        self.name = name
        self.bus = f"spi{spi[0]}.{spi[1]}"
        self.irq = None if irq is None else f"GPIO{irq}"
        self.reset = None if reset is None else f"GPIO{reset}"
        self.speed_hz = DEFAULT_SPI_HZ
        self.power_up = power_up
        self._where = spi

    @property
    def board(self) -> Board:
        """The board it is wired to.  Raises ReferenceError when nobody has that any more."""
        board = self._board()
        if board is None:
            raise ReferenceError(f"{self._board_name} is gone")
        return board

    def present(self, card: Card, *, at: float | None = None) -> None:
        """Lay `card` into the field.

        `at`: seconds after this reader's field first goes on (a card that lies
        elsewhere then is moved, one that is there already stays); without, now.
        Raises ValueError when it is in a field already.
        """
        if not isinstance(card, Card):
            raise TypeError(f"card must be a sim.Card, not {type(card).__name__}")
        if self.power_up is not None:
            card.power_up = self.power_up
        self._world.present(*self._where, card, at)

    def remove(self, card: Card | str | bytes | None = None, *, at: float | None = None) -> None:
        """Take a card out of the field: `card`, the one with that UID, or every one.

        `at` as in present(); a card that is not there then is no error.  Without
        `at`, raises ValueError when it is not in this field.
        """
        for one in self._which(card, at):
            self._world.remove(*self._where, one, at)

    def _which(self, card: Card | str | bytes | None, at: float | None) -> list[Card]:
        if isinstance(card, Card):
            return [card]
        known = self.cards if at is None else self._all_cards()
        if card is None:
            return known
        uid = parse_uid(card)
        found = [one for one in known if one.uid == uid]
        if not found:
            raise ValueError(f"no card with UID {uid.hex()} is in the field of {self.name!r}")
        return found

    def _all_cards(self) -> list[Card]:
        """Those in the field, and those that are going to be."""
        return self._world.cards(*self._where, True)

    @property
    def cards(self) -> list[Card]:
        """The cards in the field now."""
        return self._world.cards(*self._where)

    @property
    def field_on(self) -> bool:
        """Whether the reader transmits (TxControlReg, Tx1RFEn and Tx2RFEn)."""
        return self._world.field_on(*self._where)

    @property
    def registers(self) -> bytes:
        """The chip's 64 registers, read without side effects."""
        return bytes(self._world.peek(*self._where, addr) for addr in range(64))

    def __repr__(self) -> str:
        return f"<SimReader {self.name} on {self.bus} of {self._board_name}>"


class Board(AbstractContextManager["Board"]):
    """A simulated board, and a hardware backend (see pyasync_hw.hardware).

    `model`: a key of `MODELS`.  `clock`: a VirtualClock; without, the one of the
    loop on which devices are opened or used, else real time.  `name`: for messages.
    """

    def __init__(
        self,
        model: str = "pi-zero-w",
        *,
        clock: VirtualClock | None = None,
        name: str | None = None,
    ) -> None:
        if not isinstance(model, str) or model not in MODELS:
            raise ValueError(f"no model {model!r}; choose one of {', '.join(MODELS)}")
        self.model = model
        self.name = name or f"simulated {model}"
        self.chip_label = MODELS[model].chip_label
        self.line_names = line_names(model)
        own = MODELS[model]
        self._world = SimWorld(own.chip_label, own.num_lines, clock, own.spi_message)
        if clock is None:
            self._join_loop()
        for offset, line_name in enumerate(self.line_names):
            self._world.name_line(offset, line_name)
        for offset in range(9):
            self._world.pull(offset, True)  # BCM2835 ARM Peripherals, 6.2: GPIO0-8
        # What a board.toml says; None: MicroPython's names and parts are the built-in ones.
        self.names: BoardNames | None = None
        self._readers: dict[tuple[int, int], SimReader] = {}
        # Called once for each SPI device that is opened, and each I2C address that is spoken
        # to, and has nothing on it: with its name, and what board.toml would say of it.
        self.on_silence: Callable[[str, str], None] | None = None
        self._silent: set[str] = set()
        self._uses: list[hardware.Use] = []
        self._parts: dict[str, Part] = {}
        self._on_spi: dict[tuple[int, int], OnSpi] = {}
        self._on_i2c: set[int] = set()  # buses that have had something on them
        self._teller: Teller | None = None  # once there is a part

    # Wiring.

    def attach_rc522(
        self,
        spi: str = "spi0.0",
        *,
        irq: int | str | None = "GPIO24",
        reset: int | str | None = "GPIO25",
        name: str | None = None,
        version: int = VERSION_MFRC522_2,
        power_up: float | None = None,
    ) -> SimReader:
        """Wire an RC522 module to an SPI device and two lines (None: not wired).

        `version`: what VersionReg reads.  `power_up`: seconds that every card
        takes in this field, instead of its own.  OSError (EBUSY): that chip
        select, or ValueError: that name, is taken.
        """
        where = self._spi(spi)
        label = name or f"spi{where[0]}.{where[1]}"
        if any(reader.name == label for reader in self._readers.values()):
            raise ValueError(f"a reader of this board is called {label!r} already")
        if power_up is not None:
            power_up = seconds_up_to_1("power_up", power_up)
        if not isinstance(version, int) or not 0 <= version <= 0xFF:
            raise ValueError(f"version must be 0 to 0xff, not {version!r}")
        irq_line = None if irq is None else self.find_line(irq)[1]
        reset_line = None if reset is None else self.find_line(reset)[1]
        if irq_line is not None and irq_line == reset_line:
            raise ValueError(f"irq and reset are the same line, GPIO{irq_line}")
        self._world.attach(
            *where,
            -1 if irq_line is None else irq_line,
            -1 if reset_line is None else reset_line,
            version,
        )
        reader = SimReader(self, where, irq_line, reset_line, label, power_up)
        self._readers[where] = reader
        return reader

    def attach_spi(self, bus: int, cs: int, part: OnSpi) -> None:
        """Wire an object of yours to a chip select: its transfer() answers each frame.

        A frame is all that goes out while chip select is asserted, however it was cut into
        transfers.  What transfer() raises, the program's message raises.  A part may have
        `modes`, the SPI modes that it understands (all), and `max_speed_hz` (any): at others
        it does not answer, which a RuntimeWarning says once.  OSError (EBUSY): that chip
        select is taken.  ValueError: the model has none such.
        """
        where = self._spi(f"spi{bus}.{cs}")
        if not callable(getattr(part, "transfer", None)):
            raise TypeError(f"a part has transfer(bytes) -> bytes, which {part!r} has not")
        modes = 0
        for mode in getattr(part, "modes", range(4)):
            if mode not in range(4):
                raise ValueError(f"modes of {part!r} must be of 0 to 3, not {mode!r}")
            modes |= 1 << mode
        max_hz = getattr(part, "max_speed_hz", None)
        if max_hz is not None and (not isinstance(max_hz, int) or not 0 < max_hz < 2**32):
            raise ValueError(
                f"max_speed_hz of {part!r} must be a whole number of Hz, not {max_hz!r}"
            )
        self._world.attach_part(*where, part, modes, max_hz or 0)
        self._on_spi[where] = part

    @property
    def on_spi(self) -> Mapping[tuple[int, int], OnSpi]:
        """What attach_spi() has put on (bus, chip select)."""
        return MappingProxyType(self._on_spi)

    def attach_i2c(
        self, bus: int | str, address: int, part: OnI2c, *, ten_bit: bool = False
    ) -> None:
        """Put `part` at an address of an I2C bus (1 or "i2c-1").

        OSError (EBUSY): that address is taken.
        """
        number, address = self._i2c(bus), i2c_address(address, ten_bit)
        if not isinstance(part, OnI2c):
            raise TypeError(f"part must have write(data) and read(n), not be {part!r}")
        self._world.attach_i2c(number, address, ten_bit, part)
        self._on_i2c.add(number)

    @property
    def on_i2c(self) -> frozenset[int]:
        """The numbers of the buses that have had something on them."""
        return frozenset(self._on_i2c)

    def detach_i2c(self, bus: int | str, address: int, *, ten_bit: bool = False) -> None:
        """Take away the part at an address.  LookupError: there is none."""
        self._world.detach_i2c(self._i2c(bus), i2c_address(address, ten_bit), ten_bit)

    def _i2c(self, spec: int | str) -> int:
        number = parse_i2c(spec)
        if number not in MODELS[self.model].i2c:
            known = ", ".join(f"i2c-{bus}" for bus in MODELS[self.model].i2c)
            raise ValueError(f"{self.model} has no i2c-{number}; it has {known}")
        return number

    def attach(self, part: _Part) -> _Part:
        """Wire a part (sim.Button, sim.LED, one of yours) to its pins; the part.

        ValueError: a part of that name is there, or it is wired already.  OSError
        (EBUSY): its chip select or address is taken.  It then is on no board, as before.
        """
        if not isinstance(part, Part):
            raise TypeError(f"a part is a sim.Part, not {part!r}")
        if not hasattr(part, "_specs"):
            raise TypeError(f"{type(part).__name__}.__init__() must call super().__init__()")
        if not part.name:
            part.name = self._free_name(type(part).__name__.lower())
        if part.name in self._parts:
            raise ValueError(f"a part of this board is called {part.name!r} already")
        if self._teller is None:
            self._teller = Teller(self)
        lines = part.attached(self, self._teller)
        self._parts[part.name] = part
        for line in lines:
            self._teller.watch(self, part, line)
        try:
            part.on_attach()
        except BaseException:
            self._teller.forget(part)
            del self._parts[part.name]
            part.detached()
            raise
        return part

    def _free_name(self, kind: str) -> str:
        names = (f"{kind}{number}" for number in range(1, len(self._parts) + 2))
        return next(name for name in names if name not in self._parts)

    @property
    def parts(self) -> list[Part]:
        """The attached parts, in order."""
        return list(self._parts.values())

    def part(self, name: str) -> Part:
        """The part of that name.  Raises LookupError, which lists the names."""
        if name not in self._parts:
            names = ", ".join(self._parts) or "none"
            raise LookupError(f"no part is called {name!r}; this board has: {names}")
        return self._parts[name]

    @property
    def readers(self) -> list[SimReader]:
        """The attached readers, in order."""
        return list(self._readers.values())

    def reader(self, name: str) -> SimReader:
        """The reader of that name.  Raises LookupError, which lists the names."""
        for reader in self._readers.values():
            if reader.name == name:
                return reader
        names = ", ".join(reader.name for reader in self._readers.values()) or "none"
        raise LookupError(f"no reader is called {name!r}; this board has: {names}")

    def line(self, spec: int | str, *, chip: str | None = None) -> SimLine:
        """A line by pin (17, "GPIO17", "BOARD11"), or with `chip` by offset or name."""
        offset = self.find_line(spec, chip)[1]
        return SimLine(self, offset, f"GPIO{offset}")

    def _join_loop(self) -> None:
        """Be on the virtual clock of the running loop, from now on, if it has one."""
        try:
            clock = getattr(asyncio.get_running_loop(), "clock", None)
        except RuntimeError:  # no loop runs here
            return
        if isinstance(clock, VirtualClock):
            self._world.use_clock(clock)

    @property
    def clock(self) -> VirtualClock | None:
        """The board's clock when no device is used on another; None: real time."""
        return self._world.clock

    def time(self) -> float:
        """Seconds since the board was made, on whatever clock it is now."""
        return self._world.time()

    # The backend.

    def find_line(self, spec: int | str, chip: str | None = None) -> tuple[str, int]:
        """(chip label, offset) of a line; see hardware.Backend.find_line.

        There is one chip; `chip` is its label or "gpiochip0".  Raises ValueError or
        TypeError, or FileNotFoundError for another chip.
        """
        if chip is None:
            return self.chip_label, parse_pin(spec)
        if chip not in (self.chip_label, "gpiochip0", "/dev/gpiochip0"):
            raise FileNotFoundError(
                errno.ENOENT, f"{self.name} has one GPIO chip, {self.chip_label}", chip
            )
        if isinstance(spec, int):
            if not 0 <= spec < len(self.line_names):
                raise ValueError(f"line must be 0 to {len(self.line_names) - 1}, not {spec}")
            return self.chip_label, spec
        if not spec or spec not in self.line_names:
            raise ValueError(f"{self.chip_label} has no line called {spec!r}")
        return self.chip_label, self.line_names.index(spec)

    def _spi(self, spec: str) -> tuple[int, int]:
        where = parse_spi(spec)
        if where not in MODELS[self.model].spi:
            known = ", ".join(f"spi{bus}.{cs}" for bus, cs in MODELS[self.model].spi)
            raise ValueError(f"{self.model} has no {spec}; it has {known}")
        return where

    def request_lines(
        self,
        lines: Mapping[int | str, hardware.LineSettings],
        consumer: str = "pyasync_hw",
        *,
        chip: str | None = None,
        event_buffer_size: int = 0,
    ) -> LineRequest:
        """Request lines, with their LineSettings; as the kernel's GPIO_V2_GET_LINE_IOCTL.

        OSError: EBUSY (names the holder), EINVAL, EOPNOTSUPP.
        """
        self._join_loop()
        offsets = tuple(self.find_line(spec, chip)[1] for spec in lines)
        return self._world.request_lines(
            offsets, tuple(lines.values()), consumer, event_buffer_size
        )

    def open_chip(self, chip: str) -> GPIOChip:
        """The one chip, by its label or "gpiochip0"; FileNotFoundError for another."""
        self._join_loop()
        self.find_line(0, chip)
        return self._world.open_gpiochip()

    def open_spi(
        self, bus: int, cs: int, speed_hz: int = DEFAULT_SPI_HZ, mode: int = 0
    ) -> SPIDevice:
        """Open /dev/spidev<bus>.<cs>.  FileNotFoundError when the model has none."""
        if (bus, cs) not in MODELS[self.model].spi:
            raise FileNotFoundError(
                errno.ENOENT, f"{self.model} has no such SPI device", f"spi{bus}.{cs}"
            )
        self._join_loop()
        device = self._world.open_spi(bus, cs, speed_hz, mode)
        if (bus, cs) not in self._readers and (bus, cs) not in self._on_spi:
            self._tell_silence(f"spi{bus}.{cs}", f'spi = "spi{bus}.{cs}"')
        return device

    def _tell_silence(self, name: str, wiring: str) -> None:
        if self.on_silence is not None and name not in self._silent:
            self._silent.add(name)
            self.on_silence(name, wiring)

    def _no_answer(self, bus: int, address: int, asked_only: bool) -> None:
        if not asked_only:
            at = f"0x{address:02x}"
            self._tell_silence(f"{at} of i2c-{bus}", f"bus = {bus}, address = {at}")
        elif bus not in self._on_i2c:  # of who scans a bus that has something, no more
            self._tell_silence(f"i2c-{bus}", f"bus = {bus}")

    def open_i2c(self, bus: int) -> I2CBus:
        """Open /dev/i2c-<bus>.  FileNotFoundError when the model has none."""
        if bus not in MODELS[self.model].i2c:
            raise FileNotFoundError(errno.ENOENT, f"{self.model} has no such I2C bus", f"i2c-{bus}")
        self._join_loop()
        funcs = MODELS[self.model].i2c_funcs
        opened = self._world.open_i2c(bus, funcs, funcs == BCM_I2C)
        if self.on_silence is not None:
            opened.on_silence = functools.partial(self._no_answer, bus)
        return opened

    # Life.

    @property
    def closed(self) -> bool:
        """Whether the board was closed."""
        return self._world.closed

    def close(self) -> None:
        """Unplug everything.  Devices that are open fail from now on.  Idempotent."""
        self._world.close()
        if self._teller is not None:
            self._teller.join()
        self._on_spi.clear()

    def __enter__(self) -> Board:
        if self.closed:
            raise ValueError("this simulated board is closed")
        self._uses.append(hardware.use(self))
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._uses:
            self._uses.pop().close()
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self._readers)} readers"
        return f"<Board {self.name}: {state}>"
