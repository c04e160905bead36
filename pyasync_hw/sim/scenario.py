"""scenario.toml: what happens to a simulated board, and when.

[[event]]
at = 0.5              # s after that reader's field first goes on
reader = "door"       # may be left out where there is only one
present = { kind = "mifare-classic-1k", uid = "a61d227e" }
[[event]]
at = 1.5
reader = "door"
remove = "a61d227e"
[[event]]
at = 2.0              # s after that line's first request
line = "GPIO17"
drive = 0
[[event]]
at = 2.0              # s after the first request of a line of that part
part = "button1"
do = "click"
with = { hold = 0.2 }
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..hardware.pins import parse_pin
from ..hardware.tomlfile import ConfigError, TomlTable, read_toml
from .cards import parse_uid
from .classic import MifareClassic1K

if TYPE_CHECKING:
    from ..hardware.wiring import Wiring
    from .board import Board

__all__ = ["CARD_KINDS", "CardSpec", "ConfigError", "Event", "Scenario", "load_scenario"]

CARD_KINDS: dict[str, Callable[..., Any]] = {"mifare-classic-1k": MifareClassic1K}
MAX_POWER_UP = 1.0


@dataclass(frozen=True)
class CardSpec:
    """A card to present: its kind, UID, and the seconds it needs to start in the field."""

    kind: str
    uid: bytes
    options: dict[str, Any] = field(default_factory=dict)

    def make(self) -> Any:
        """A new card of this kind."""
        return CARD_KINDS[self.kind](uid=self.uid.hex(), **self.options)


@dataclass(frozen=True)
class Event:
    """One [[event]] table: at `at` seconds, one thing happens to one reader, line or part."""

    at: float
    reader: str | None = None
    present: CardSpec | None = None
    remove: bytes | None = None
    line: str | int | None = None
    drive: int | None = None
    part: str | None = None
    do: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """The events of a file, by time."""

    events: tuple[Event, ...] = ()

    def apply(self, board: Board) -> None:
        """Hand all events to `board`, which carries them out when they are due.

        A card that comes back is the same object: it keeps what was written.
        Raises LookupError if the board has no reader or part of a name.
        """
        cards: dict[bytes, Any] = {}
        for event in self.events:
            if event.line is not None and event.drive is not None:
                board.line(event.line).drive(event.drive, at=event.at)
                continue
            if event.part is not None:
                board.part(event.part).act(event.do, event.arguments, at=event.at)
                continue
            assert event.reader is not None
            reader = board.reader(event.reader)
            if event.present is not None:
                uid = event.present.uid
                if uid not in cards:
                    cards[uid] = event.present.make()
                reader.present(cards[uid], at=event.at)
            else:
                reader.remove(event.remove, at=event.at)


def _not_negative(value: float) -> None:
    if not 0 <= value < 1e9:
        raise ValueError(f"{value} is no time; allowed: 0 to 1e9 seconds")


def _power_up(value: float) -> None:
    if not 0 <= value <= MAX_POWER_UP:
        raise ValueError(f"{value} s is out of range; allowed: 0 to {MAX_POWER_UP}")


def _load_card(table: TomlTable) -> CardSpec:
    table.allow("kind", "uid", "power_up")
    options: dict[str, Any] = {}
    if "power_up" in table:
        options["power_up"] = float(table.get("power_up", float, check=_power_up))
    card = CardSpec(
        kind=table.get("kind", str, one_of=CARD_KINDS),
        uid=parse_uid(table.get("uid", str, check=parse_uid)),
        options=options,
    )
    try:
        card.make()
    except ValueError as exc:  # not every kind has UIDs of every length
        raise table.error(str(exc), "uid") from exc
    return card


def _load_deed(table: TomlTable, at: float, wiring: Wiring | None) -> Event:
    """An event of a part."""
    table.allow("at", "part", "do", "with")
    parts = None if wiring is None else {part.name: part for part in wiring.parts}
    name = table.get("part", str, one_of=parts)
    do = table.get("do", str)
    arguments = table.get("with", dict, {})
    if parts is not None:
        part = parts[name].make()
        table.get("do", str, one_of=part.actions)
        try:
            inspect.signature(getattr(part, do)).bind(**arguments)
        except TypeError as exc:
            raise table.error(f"{do}: {exc}", "with" if "with" in table else "do") from exc
    return Event(at, part=name, do=do, arguments=arguments)


def _load_event(table: TomlTable, wiring: Wiring | None) -> Event:
    readers = None if wiring is None else [reader.name for reader in wiring.readers]
    if "part" in table:
        return _load_deed(table, float(table.get("at", float, check=_not_negative)), wiring)
    table.allow("at", "reader", "present", "remove", "line", "drive", "part")
    at = float(table.get("at", float, check=_not_negative))
    only = None
    if readers is not None and len(readers) == 1 and "line" not in table:
        only = readers[0] if "present" in table or "remove" in table else None
    if ("reader" in table or only is not None) == ("line" in table):
        raise table.error("needs either 'reader' (with present or remove) or 'line' (with drive)")
    if "line" in table:
        for key in ("present", "remove"):
            if key in table:
                raise table.error("belongs to a reader, not to a line", key)
        line = table.get("line", (str, int), check=parse_pin)
        return Event(at, line=line, drive=table.get("drive", int, one_of=(0, 1)))
    if "drive" in table:
        raise table.error("belongs to a line, not to a reader", "drive")
    if ("present" in table) == ("remove" in table):
        raise table.error("needs either 'present' or 'remove'")
    reader = table.get("reader", str, only, one_of=readers)
    if "present" in table:
        return Event(at, reader=reader, present=_load_card(table.table("present")))
    return Event(at, reader=reader, remove=parse_uid(table.get("remove", str, check=parse_uid)))


def load_scenario(path: str | os.PathLike[str], wiring: Wiring | None = None) -> Scenario:
    """Read a scenario.toml; with `wiring`, readers that it does not have are errors.

    Raises OSError when the file cannot be read, and ConfigError, which names
    file, line and key.
    """
    root = read_toml(path)
    root.allow("event")
    loaded = [(_load_event(table, wiring), table) for table in root.tables("event")]
    loaded.sort(key=lambda pair: pair[0].at)
    presented = set()
    for event, table in loaded:
        if event.present is not None:
            presented.add((event.reader, event.present.uid))
        elif event.remove is not None and (event.reader, event.remove) not in presented:
            raise table.error(f"no earlier event presents that card to {event.reader!r}", "remove")
    return Scenario(tuple(event for event, _ in loaded))
