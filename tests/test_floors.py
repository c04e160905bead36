"""The floors of csrc/ and the modules of pyasync_hw/ are as csrc/README.md draws them.

A file of C and its header are one: `hw/wait`.  One knows another if it includes its
header, or calls a function that is defined there and may be declared elsewhere.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "pyasync_hw"
README = (CSRC / "README.md").read_text()

Graph = dict[str, set[str]]

DEFINITION = re.compile(r"^(?P<result>[^\s#/{;][^\n;{]*)\n(?P<name>\w+)\(", re.MULTILINE)
NO_CODE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\n])*"', re.DOTALL)


def file_of(path: Path) -> str:
    return path.relative_to(CSRC).with_suffix("").as_posix()


def floor_of(file: str) -> str:
    return file.split("/")[0]


SOURCES = {
    path: path.read_text() for path in sorted(CSRC.glob("*/*.[ch]"))
}  # what lies in csrc itself is above all floors


def included(text: str) -> Iterator[str]:
    for header in re.findall(r'^#include "([^"]+)"', text, re.MULTILINE):
        if "/" in header:
            yield header


def includes() -> Graph:
    graph: Graph = {file_of(path): set() for path in SOURCES}
    for path, text in SOURCES.items():
        graph[file_of(path)] |= {header.removesuffix(".h") for header in included(text)}
    return graph


def calls() -> Graph:
    defined = {
        match["name"]: file_of(path)
        for path, text in SOURCES.items()
        if path.suffix == ".c"
        for match in DEFINITION.finditer(text)
        if not match["result"].startswith("static")
    }
    graph: Graph = {}
    for path, text in SOURCES.items():
        words = set(re.findall(r"\w+", NO_CODE.sub(" ", text))) if path.suffix == ".c" else set()
        graph.setdefault(file_of(path), set()).update(defined[w] for w in words & defined.keys())
    return graph


def circles(graph: Graph) -> set[frozenset[str]]:
    """The strongly connected components of more than one node (Tarjan)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: set[frozenset[str]] = set()

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], order[other])
        if lowest[node] == order[node]:
            circle = frozenset(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(circle) > 1:
                found.add(circle)

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def table(heading: str) -> Iterator[list[str]]:
    """The rows of the table under that heading of csrc/README.md, cell by cell."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    for row in rows:
        yield [cell.strip() for cell in row.strip("|").split("|")]


def words_in_code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def floors() -> dict[str, set[str]]:
    """By floor: the floors and single headers that it may include."""
    return {
        words_in_code(name)[0].rstrip("/"): {word.rstrip("/") for word in words_in_code(knows)}
        for name, knows, _ in table("Floors")
        if "/" in name
    }


def named_circles() -> set[frozenset[str]]:
    return {
        frozenset(words_in_code(files)) for files, reason in table("Circles that stay") if reason
    }


def test_each_folder_is_a_floor_and_files_lie_on_floors() -> None:
    assert floors().keys() == {floor_of(file_of(path)) for path in SOURCES}
    assert {path.name for path in CSRC.glob("*.[ch]")} <= {
        "module.c",
        "module.h",
        "names.h",
        "types.h",
        "uses.h",
    }


@pytest.mark.parametrize("floor", sorted(floors()))
def test_a_floor_includes_only_what_lies_below(floor: str) -> None:
    allowed = floors()[floor]
    wrong = [
        f"{path.relative_to(CSRC)} includes {header}"
        for path, text in SOURCES.items()
        if floor_of(file_of(path)) == floor
        for header in included(text)
        if floor_of(header) != floor and not {floor_of(header), header} & allowed
    ]
    assert not wrong


def test_floors_are_in_order() -> None:
    """What a floor may include stands below it in the table."""
    order = list(floors())
    for floor, known in floors().items():
        below = order[order.index(floor) + 1 :]
        assert {floor_of(one) for one in known} <= set(below)


def test_plain_c_floors_have_no_python() -> None:
    for path, text in SOURCES.items():
        if floor_of(file_of(path)) in ("base", "dev", "sim"):
            assert "Python.h" not in text and '"module.h"' not in text, path


def test_no_circles_but_those_that_are_named() -> None:
    both = {
        file: {
            other for other in known | calls().get(file, set()) if floor_of(other) == floor_of(file)
        }
        for file, known in includes().items()
    }
    assert circles(both) == named_circles()


# -- pyasync_hw ---------------------------------------------------------------------


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imported_at_once(path: Path, modules: set[str]) -> Iterator[str]:
    """What the module imports when it is imported, by name: not within functions."""
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level > 0:
            base = package[: len(package) - node.level + 1]
            source = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                yield whole if whole in modules else source


def test_no_module_needs_one_that_needs_it() -> None:
    paths = list(PACKAGE.rglob("*.py"))
    modules = {module_of(path) for path in paths} | {"pyasync_hw._core"}
    graph = {module_of(path): set(imported_at_once(path, modules)) for path in paths}
    assert circles(graph) == set()
