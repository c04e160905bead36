"""TOML files whose errors name file, line, key, and what is allowed.

tomllib keeps no positions, so `locate()` scans the text a second time; it may
assume valid TOML, because tomllib has read it before.  tomllib is imported when there
is a file: it brings datetime, which takes time, and which several interpreters at once
do not survive in Python 3.13.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

_REQUIRED: Any = object()
_TOKEN = re.compile(
    r'(?P<string>"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\')'
    r"|(?P<comment>\#[^\n]*)|(?P<newline>\n)|(?P<mark>[\[\]{}=.,])|(?P<bare>[^\s\[\]{}=.,\#\"']+)",
    re.DOTALL,
)
_TYPE_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "an array",
}


class ConfigError(ValueError):
    """A board or scenario file is wrong.

    `path` names the file, `line` is 1-based (0: the file as a whole), `key` is
    the dotted key ("rc522[1].irq") or "".
    """

    def __init__(self, path: str, line: int, key: str, problem: str) -> None:
        where = f"{path}:{line}" if line else path
        super().__init__(f"{where}: {key}: {problem}" if key else f"{where}: {problem}")
        self.path = path
        self.line = line
        self.key = key


def problem_of(exc: Exception) -> str:
    """What an exception says, for a ConfigError; of what is not about values, its class too."""
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror if exc.filename is None else f"{exc.filename}: {exc.strerror}"
    if isinstance(exc, (ValueError, TypeError, ImportError, AttributeError)):
        return str(exc)
    return f"{type(exc).__name__}: {exc}"


def key_name(path: KeyPath) -> str:
    """("rc522", 1, "irq") -> "rc522[1].irq"."""
    name = ""
    for part in path:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            name += f".{part}" if name else part
    return name


def _key_part(text: str) -> str:
    """A bare or quoted key as tomllib reads it."""
    import tomllib

    return next(iter(tomllib.loads(f"{text} = 0")))


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, tokens) of every statement; a value may run over several lines."""
    line, first, depth, tokens = 1, 1, 0, list[str]()
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "newline" and depth == 0:
            if tokens:
                yield first, tokens
                tokens = []
        elif match.lastgroup not in ("newline", "comment"):
            if not tokens:
                first = line
            if match.lastgroup == "mark":
                depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token, 0)
            tokens.append(token)
        line += token.count("\n")
    if tokens:
        yield first, tokens


def locate(text: str) -> dict[KeyPath, int]:
    """The line of every table header and key of a valid TOML document.

    Keys inside an inline table are not listed: they stand on the line of the
    key that holds the table, or close below it.
    """
    lines: dict[KeyPath, int] = {}
    count: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, tokens in _statements(text):
        header = 2 if tokens[:2] == ["[", "["] else 1 if tokens[0] == "[" else 0
        key = tokens[header:-header] if header else tokens[: tokens.index("=")]
        path: KeyPath = () if header else table
        for number, part in enumerate(part for part in key if part != "."):
            path = (*path, _key_part(part))
            last = number == key.count(".")
            if header == 2 and last:
                count[path] = count.get(path, 0) + 1
                lines.setdefault(path, line)
            if header and path in count:
                path = (*path, count[path] - 1)
        if header:
            table = path
        lines.setdefault(path, line)
    return lines


def check_name(value: str) -> None:
    """For `check`: raises ValueError for an empty name."""
    if not value:
        raise ValueError("must not be empty")


class TomlTable:
    """One table of a file; takes keys out of it, and complains about the others."""

    def __init__(self, file: str, lines: dict[KeyPath, int], path: KeyPath, data: Any) -> None:
        self.file = file
        self.path = path
        self._lines = lines
        self._data = data

    def error(self, problem: str, key: str | None = None) -> ConfigError:
        """A ConfigError at `key` of this table, or at the table itself."""
        path = self.path if key is None else (*self.path, key)
        known = path
        while known and known not in self._lines:
            known = known[:-1]
        return ConfigError(self.file, self._lines.get(known, 0), key_name(path), problem)

    def allow(self, *names: str) -> None:
        """Refuse every key that is not in `names`."""
        for key in self._data:
            if key not in names:
                near = difflib.get_close_matches(key, names, 1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise self.error(f"unknown key{hint}; allowed: {', '.join(sorted(names))}", key)

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def get(
        self,
        key: str,
        kind: type | tuple[type, ...],
        default: Any = _REQUIRED,
        *,
        one_of: Iterable[Any] | None = None,
        check: Callable[[Any], object] | None = None,
    ) -> Any:
        """The value of `key`, of type `kind`.

        `check` may raise ValueError or TypeError, whose text becomes the error.
        Without a default the key must be there.
        """
        if key not in self._data:
            if default is _REQUIRED:
                raise self.error(f"the key {key!r} is missing")
            return default
        value = self._data[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        accepted = (*kinds, int) if float in kinds else kinds
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in kinds):
            expected = " or ".join(_TYPE_NAMES[kind] for kind in kinds)
            raise self.error(f"must be {expected}, not {value!r}", key)
        if one_of is not None and value not in (allowed := list(one_of)):
            raise self.error(
                f"{value!r} is not known; allowed: {', '.join(map(str, allowed)) or 'none'}", key
            )
        if check is not None:
            try:
                check(value)
            except (ValueError, TypeError) as exc:
                raise self.error(str(exc), key) from exc
        return value

    def table(self, key: str) -> TomlTable:
        """The table under `key`."""
        return TomlTable(self.file, self._lines, (*self.path, key), self.get(key, dict))

    def tables(self, key: str) -> list[TomlTable]:
        """The [[key]] tables, in the order of the file; none is an empty list."""
        if isinstance(self._data.get(key), dict):
            raise self.error(f"there may be several: write [[{key}]]", key)
        items = self.get(key, list, [])
        tables = []
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise self.error(f"must be tables: write [[{key}]]", key)
            tables.append(TomlTable(self.file, self._lines, (*self.path, key, index), item))
        return tables


def read_toml(path: str | os.PathLike[str]) -> TomlTable:
    """The root table of a file.  Raises OSError, or ConfigError for bad TOML."""
    import tomllib

    name = os.fspath(path)
    with open(name, "rb") as file:
        raw = file.read()
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
        data = tomllib.loads(text)
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise ConfigError(name, line, "", f"not UTF-8: {exc}") from exc
    except tomllib.TOMLDecodeError as exc:
        found = re.search(r"at line (\d+)", str(exc))
        line = int(found.group(1)) if found else text.count("\n") + 1
        raise ConfigError(name, line, "", f"not valid TOML: {exc}") from exc
    return TomlTable(name, locate(text), (), data)
