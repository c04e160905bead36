"""Attribute changes that can be undone."""

from __future__ import annotations

from typing import Any

_MISSING: Any = object()


class Patches:
    """A list of changes, of attributes and of items of dicts, undone in reverse order."""

    def __init__(self) -> None:
        self._saved: list[tuple[Any, Any, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Like setattr(), and remember what was there."""
        self._saved.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)

    def add(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute only where the owner lacks it."""
        if name not in vars(owner):
            self.set(owner, name, value)

    def set_item(self, owner: dict[Any, Any], key: Any, value: Any) -> None:
        """Like owner[key] = value, and remember what was there."""
        self._saved.append((owner, key, owner.get(key, _MISSING)))
        owner[key] = value

    def undo(self) -> None:
        """Put everything back; a second call does nothing."""
        while self._saved:
            owner, name, old = self._saved.pop()
            if isinstance(owner, dict):
                if old is _MISSING:
                    owner.pop(name, None)
                else:
                    owner[name] = old
            elif old is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, old)
