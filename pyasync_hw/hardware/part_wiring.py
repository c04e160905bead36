"""[[part]] of a board.toml: what a simulated board has besides readers.

[[part]]
kind = "button"       # pyasync_hw.sim.kinds() lists them; or "module:Class"
name = "button1"
pin = "GPIO17"        # the kind's pins, and its options
bounce = 0.005
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .pins import parse_pin
from .tomlfile import TomlTable, check_name, problem_of

if TYPE_CHECKING:
    from ..sim.parts import Part

__all__ = ["PartWiring", "load_part"]


@dataclass(frozen=True)
class PartWiring:
    """One [[part]] table, and where it stands."""

    kind: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def make(self) -> Part:
        """A new part, on no board.  Raises what its class raises."""
        from ..sim.parts import find_kind

        return find_kind(self.kind)(name=self.name, **self.values)


def _pins(specs: list[Any]) -> None:
    if not specs:
        raise ValueError("must name at least one pin")
    for spec in specs:
        parse_pin(spec)


def load_part(table: TomlTable, number: int) -> tuple[PartWiring, Mapping[str, str]]:
    """It, and what it wants for itself, by the key that says so (see sim.Part.claims()).

    `number`: the how manieth of the file, for one without a name.
    """
    from ..sim.parts import find_kind, kinds

    kind = table.get("kind", str)
    if ":" not in kind:
        table.get("kind", str, one_of=[*kinds(), "module:Class"])
    try:
        of_kind = find_kind(kind, os.path.dirname(os.path.abspath(table.file)))
    except Exception as exc:  # of whoever wrote it
        raise table.error(f"{kind!r} cannot be imported: {problem_of(exc)}", "kind") from exc
    table.allow("kind", "name", *of_kind.pins, *of_kind.pin_lists, *of_kind.options)
    values: dict[str, Any] = {}
    for pin in of_kind.pins:
        values[pin] = table.get(pin, (str, int), check=parse_pin)
    for pin in of_kind.pin_lists:
        values[pin] = table.get(pin, list, check=_pins)
    for option, types in of_kind.options.items():
        if option in table:
            values[option] = table.get(option, types)
    own_name = kind.rpartition(":")[2].lower()
    name = table.get("name", str, f"{own_name}{number}", check=check_name)
    at = table.error("")
    part = PartWiring(kind, name, values, at.path, at.line)
    try:
        claims = part.make().claims()
    except Exception as exc:  # of whoever wrote the part
        raise table.error(problem_of(exc)) from exc
    return part, claims
