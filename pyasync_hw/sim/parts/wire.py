"""Lines that are joined: a wire, and a key matrix, in which keys join them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .part import Part, PartLine

__all__ = ["Joint", "KeyMatrix", "Wire"]


class Joint(Part):
    """Joins lines by its contacts: each has the level that another of them is driven to.

    What somebody drives goes through it, low before high; a pull does not.
    """

    def __init__(self, *, name: str = "", **pins: object) -> None:
        super().__init__(name=name, **pins)
        self.contacts: set[tuple[str, str]] = set()

    def on_attach(self) -> None:
        self.settle()

    def on_driven(self, line: PartLine, level: int | None, time: float) -> None:
        self.settle()

    def settle(self) -> None:
        """Drive each line to what those that it is joined with are driven to."""
        driven = {pin: line.others for pin, line in self.lines.items()}
        for group in self._groups():
            for pin in group:
                levels = [driven[other] for other in group if other != pin]
                given = [level for level in levels if level is not None]
                if given:
                    self.lines[pin].drive(min(given))
                else:
                    self.lines[pin].release()

    def _groups(self) -> Iterable[set[str]]:
        groups = {pin: {pin} for pin in self.lines}
        for one, other in self.contacts:
            if groups[one] is not groups[other]:
                groups[one] |= groups[other]
                for pin in groups[one]:
                    groups[pin] = groups[one]
        return {id(group): group for group in groups.values()}.values()


class Wire(Joint):
    """A wire between two lines, which other parts may be on."""

    pins = ("one", "other")
    shares_lines = True

    def __init__(self, one: int | str, other: int | str, *, name: str = "") -> None:
        super().__init__(one=one, other=other, name=name)
        self.contacts.add(("one", "other"))


class KeyMatrix(Joint):
    """Keys at the crossings of rows and columns, without diodes.

    `keys`: what is written on them, row by row ("123A456B789C*0#D" of 4 times 4); without,
    a key is (row, column), from 0.
    """

    pin_lists = ("rows", "columns")
    options = {"keys": str}  # noqa: RUF012
    actions = ("press", "release")

    def __init__(
        self,
        rows: Sequence[int | str],
        columns: Sequence[int | str],
        *,
        keys: str | Sequence[str] = "",
        name: str = "",
    ) -> None:
        super().__init__(rows=rows, columns=columns, name=name)
        if keys and len(keys) != len(rows) * len(columns):
            raise ValueError(f"keys must be {len(rows) * len(columns)}, not {len(keys)}")
        self.keys = list(keys)
        self._size = len(rows), len(columns)

    def press(self, key: str | tuple[int, int]) -> None:
        """Press a key now, until release()."""
        self.run(self._set, self._contact(key), True)

    def release(self, key: str | tuple[int, int]) -> None:
        """Let a key go."""
        self.run(self._set, self._contact(key), False)

    def _set(self, contact: tuple[str, str], closed: bool) -> None:
        (self.contacts.add if closed else self.contacts.discard)(contact)
        self.settle()

    def _contact(self, key: str | tuple[int, int]) -> tuple[str, str]:
        if isinstance(key, str):
            if key not in self.keys:
                there_are = " ".join(self.keys) or "none; keys= says what is written on them"
                raise ValueError(f"no key {key!r}; there are: {there_are}")
            row, column = divmod(self.keys.index(key), self._size[1])
        else:
            row, column = key
        if not (0 <= row < self._size[0] and 0 <= column < self._size[1]):
            raise ValueError(f"no key in row {row}, column {column}")
        return f"rows[{row}]", f"columns[{column}]"
