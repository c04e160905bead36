"""board.toml: which model this is, and what is wired to its header.

    model = "pi-zero-w"
    [[rc522]]
    name = "door"
    bus = "spi0.0"
    irq = "GPIO24"
    reset = "GPIO25"
    [[part]]              # see part_wiring.py; the simulator's only
    kind = "button"
    pin = "GPIO17"
    [hw]
    loopback = ["GPIO5", "GPIO6"]
    [pins]                # see names.py
    X1 = "GPIO17"

The same file is valid on real hardware and on the simulator.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from .names import BoardNames, load_names
from .part_wiring import PartWiring, load_part
from .pins import i2c_address, parse_i2c, parse_pin, parse_spi
from .tomlfile import ConfigError, TomlTable, check_name, read_toml

__all__ = ["MODELS", "ConfigError", "Loops", "PartWiring", "ReaderWiring", "Wiring", "load_board"]

MODELS = ("pi-zero", "pi-zero-w", "pi-zero-2-w", "pi-1", "pi-2", "pi-3", "pi-4", "pi-5")
MAX_SPI_HZ = 10_000_000  # MFRC522 datasheet, 8.1.2


@dataclass(frozen=True)
class ReaderWiring:
    """One [[rc522]] table: an MFRC522 and its lines.

    `bus` is "spi<bus>.<chip select>", `irq` and `reset` are header pins (`reset`
    may be None: not wired), `speed_hz` is the SPI clock (datasheet: up to 10 MHz).
    """

    name: str
    bus: str = "spi0.0"
    irq: str | int = "GPIO24"
    reset: str | int | None = "GPIO25"
    speed_hz: int = 4_000_000
    file: str = field(default="", compare=False)  # where it stands
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Loops:
    """Table [hw], what tests find on the board: what is connected to itself, and a card.

    `loopback`: two header pins that are connected; `spi_loop`: the SPI device whose MOSI is
    its MISO; `card`: UID of the card that lies on the first reader; `i2c`: bus and address of
    a device that may be read and written.
    """

    loopback: tuple[str | int, str | int] | None = None
    spi_loop: str | None = None
    card: str | None = None
    i2c: tuple[int | str, int] | None = None


@dataclass(frozen=True)
class Wiring:
    """A board: its model, its readers in the order of the file, and what tests find on it."""

    model: str = "pi-zero-w"
    readers: tuple[ReaderWiring, ...] = ()
    loops: Loops = Loops()
    parts: tuple[PartWiring, ...] = ()  # of the simulator
    names: BoardNames | None = None  # None: no file says

    def reader(self, name: str) -> ReaderWiring:
        """The reader of that name.  Raises KeyError, which lists the names."""
        for reader in self.readers:
            if reader.name == name:
                return reader
        known = ", ".join(reader.name for reader in self.readers) or "none"
        raise KeyError(f"no reader is called {name!r}; readers of this board: {known}")


def _speed(value: int) -> None:
    if not 1 <= value <= MAX_SPI_HZ:
        raise ValueError(f"{value} Hz is out of range; allowed: 1 to {MAX_SPI_HZ}")


def _load_reader(table: TomlTable) -> ReaderWiring:
    table.allow("name", "bus", "irq", "reset", "speed_hz")
    bus = table.get("bus", str, check=parse_spi)
    at = table.error("")
    return ReaderWiring(
        name=table.get("name", str, bus, check=check_name),
        bus=bus,
        irq=table.get("irq", (str, int), check=parse_pin),
        reset=table.get("reset", (str, int), None, check=parse_pin),
        speed_hz=table.get("speed_hz", int, ReaderWiring.speed_hz, check=_speed),
        file=at.path,
        line=at.line,
    )


def _pair(pins: list[str | int]) -> None:
    if len(pins) != 2 or len({parse_pin(pin) for pin in pins}) != 2:
        raise ValueError("must be two pins")


def _i2c(place: list[Any]) -> None:
    if len(place) != 2:
        raise ValueError('must be a bus and an address, as ["i2c-1", 0x50]')
    parse_i2c(place[0])
    i2c_address(place[1])


def _uid(text: str) -> None:
    if len(bytes.fromhex(text)) not in (4, 7, 10):
        raise ValueError("must be a UID of 4, 7 or 10 bytes, in hexadecimal")


def _load_loops(table: TomlTable) -> Loops:
    table.allow("loopback", "spi_loop", "card", "i2c")
    place = table.get("i2c", list, None, check=_i2c)
    pins = table.get("loopback", list, None, check=_pair)
    return Loops(
        loopback=None if pins is None else (pins[0], pins[1]),
        spi_loop=table.get("spi_loop", str, None, check=parse_spi),
        card=table.get("card", str, None, check=_uid),
        i2c=None if place is None else (place[0], place[1]),
    )


def _pin_name(spec: str | int) -> str:
    return f"GPIO{parse_pin(spec)}"


def _spi_name(spec: str) -> str:
    return "spi{}.{}".format(*parse_spi(spec))


def _claim(taken: dict[str, str], table: TomlTable, key: str, what: str) -> None:
    if what in taken:
        raise table.error(f"{what} is already used by {taken[what]}", key)
    taken[what] = str(table.error("", key).key)


def _claim_loops(taken: dict[str, str], table: TomlTable, loops: Loops) -> None:
    for pin in loops.loopback or ():
        _claim(taken, table, "loopback", _pin_name(pin))
    if loops.spi_loop is not None:
        _claim(taken, table, "spi_loop", _spi_name(loops.spi_loop))


def load_board(path: str | os.PathLike[str]) -> Wiring:
    """Read a board.toml.

    Raises OSError when the file cannot be read, and ConfigError, which names
    file, line and key, for an unknown key, a wrong type, a pin that does not
    exist, or a pin, chip select or name that is used twice.
    """
    root = read_toml(path)
    root.allow("model", "rc522", "part", "hw", "pins", "micropython")
    model = root.get("model", str, Wiring.model, one_of=MODELS)
    taken: dict[str, str] = {}
    readers = []
    for table in root.tables("rc522"):
        reader = _load_reader(table)
        _claim(taken, table, "name", f"the name {reader.name!r}")
        _claim(taken, table, "bus", _spi_name(reader.bus))
        for key in ("irq", "reset"):
            pin = getattr(reader, key)
            if pin is not None:
                _claim(taken, table, key, _pin_name(pin))
        readers.append(reader)
    parts = []
    for number, table in enumerate(root.tables("part"), 1):
        part, claims = load_part(table, number)
        _claim(taken, table, "name", f"the name {part.name!r}")
        for key, what in claims.items():
            _claim(taken, table, key.partition("[")[0], what)  # "rows" of "rows[1]"
        parts.append(part)
    loops = _load_loops(root.table("hw")) if "hw" in root else Loops()
    if "hw" in root:
        _claim_loops(taken, root.table("hw"), loops)
    return Wiring(model, tuple(readers), loops, tuple(parts), load_names(root))
