"""Tables of calls and what they give: one program under `run` does all of a table, in order.

What a call gives is told as repr() does it, an exception as its class and message, so each
row is a test of its own although the program runs once.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from running import run

Row = tuple[str, Any]

PROGRAM = """
import json, sys

def shown(value):
    return f"{type(value).__name__}: {value}" if isinstance(value, Exception) else repr(value)

def outcome(call):
    try:
        return shown(eval(call, globals()))
    except Exception as exc:
        return shown(exc)

with open(sys.argv[1]) as file:
    table = json.load(file)
print(json.dumps([outcome(call) for call in table]))
"""


def shown(value: object) -> str:
    return f"{type(value).__name__}: {value}" if isinstance(value, Exception) else repr(value)


def outcomes(folder: Path, table: list[Row], prelude: str, board: str) -> list[str]:
    """What each call of the table gives to a program on the simulated board."""
    (folder / "board.toml").write_text(board)
    (folder / "app.py").write_text(textwrap.dedent(prelude) + PROGRAM)
    (folder / "calls.json").write_text(json.dumps([call for call, _ in table]))
    files = [str(folder / name) for name in ("board.toml", "app.py", "calls.json")]
    status, output, errors = run("--board", *files)
    assert (status, errors) == (0, ""), errors
    return list(json.loads(output.splitlines()[-1]))


def each(table: list[Row]) -> Any:
    """A test with this mark has a `row` for each of the table."""
    return pytest.mark.parametrize("row", range(len(table)), ids=[call for call, _ in table])
