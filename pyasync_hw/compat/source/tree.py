"""What is another statement today, in the syntax tree; positions stay as they are.

- A plain generator may `yield from` a coroutine (Python 3.4 to 3.6, where those of asyncio
  were generators), and its `raise StopIteration` ends it, as `return` does (up to 3.6).
- An `__aiter__` may be a coroutine function (3.5 and 3.6).
- MicroPython knows no asynchronous generators: there, `yield` and `yield from` in an
  `async def` are what `await` is, and `await` may stand in a `def`; and `__import__()` knows
  by itself what it is relative to.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from .board import rename

__all__ = ["Rewriter", "imports", "iterated_names"]

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FunctionT = TypeVar("_FunctionT", ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_TAKES_ITERATOR = ("aclosing", "aiter", "anext", "asynccontextmanager")
# They make an asynchronous generator function something else.
_TAKES_GENERATOR = ("contextmanager", "fixture", "generator")


def imports(tree: ast.AST, package: str) -> bool:
    """Whether a statement imports `package`, or something of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        if any(name.partition(".")[0] == package for name in names):
            return True
    return False


def _last_name(node: ast.expr) -> str:
    """`f` of f, m.f, f() and m.f()."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def iterated_names(tree: ast.AST) -> set[str]:
    """What is iterated by `async for`, anext(), aiter() and their like: names of functions.

    Also those whose result is in a variable first.
    """
    found: set[str] = set()
    values: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFor) or (
            isinstance(node, ast.comprehension) and node.is_async
        ):
            found.add(_last_name(node.iter))
        elif isinstance(node, ast.Call) and _last_name(node) in _TAKES_ITERATOR:
            found.update(map(_last_name, node.args[:1]))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for target in node.targets:
                values.setdefault(_last_name(target), set()).add(_last_name(node.value))
    return found.union(*(values.get(name, ()) for name in found)) - {""}


def _first(statement: ast.stmt) -> int:
    """Its first line."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _last(statement: ast.stmt) -> int:
    """The line after its last."""
    return (statement.end_lineno or statement.lineno) + 1


def _own(function: Function) -> Iterator[ast.AST]:
    """The nodes of its body, without those of functions within."""
    body = function.body if isinstance(function.body, list) else [function.body]
    nodes: list[ast.AST] = list(body)
    while nodes:
        node = nodes.pop()
        yield node
        if not isinstance(node, Function):
            nodes.extend(ast.iter_child_nodes(node))


def _generator_coroutines(tree: ast.Module) -> set[str]:
    """How the module writes asyncio.coroutine and types.coroutine, as source."""
    found = set()
    imports = [
        node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.Try)
    ]
    for node in (inner for statement in imports for inner in ast.walk(statement)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in ("asyncio", "types"):
                    found.add(f"{alias.asname or alias.name}.coroutine")
        elif isinstance(node, ast.ImportFrom) and node.module in ("asyncio", "types"):
            for alias in node.names:
                if alias.name in ("coroutine", "*"):
                    found.add(alias.asname or "coroutine")
    return found


class Rewriter(ast.NodeTransformer):
    """Changes a module's tree; `changed` tells whether it did."""

    def __init__(
        self,
        tree: ast.Module,
        *,
        micropython: bool = False,
        iterated: Iterable[str] = (),
        renamed: Mapping[str, str] = MappingProxyType({}),
        lines: set[int] | None = None,
    ) -> None:
        """`iterated`: names of functions that are asynchronous generators after all.

        `renamed`: what is imported for what.  `lines`: the others need not be looked at;
        None: all.
        """
        self.changed = False
        self._micropython = micropython
        self._iterated = iterated
        self._renamed = renamed
        self._coroutines = _generator_coroutines(tree)
        self._within: Function | None = None
        self._is_coroutine = False  # a generator that is one; or MicroPython's `async def`
        self._catches = 0  # `try` statements that may catch what is raised here
        tree.body = [
            self.visit(statement)
            if lines is None or not lines.isdisjoint(range(_first(statement), _last(statement)))
            else statement
            for statement in tree.body
        ]

    def _call(self, name: str, value: ast.expr) -> ast.expr:
        self.changed = True
        function = ast.copy_location(ast.Name(name, ast.Load()), value)
        return ast.copy_location(ast.Call(function, [value], []), value)

    def _visit_function(self, node: _FunctionT, *, is_coroutine: bool) -> _FunctionT:
        """Its body is of another kind; decorators and defaults are evaluated outside."""
        for field, value in ast.iter_fields(node):
            if field != "body":
                setattr(node, field, self._visited(value))
        before = self._within, self._is_coroutine, self._catches
        self._within, self._is_coroutine, self._catches = node, is_coroutine, 0
        node.body = self._visited(node.body)
        self._within, self._is_coroutine, self._catches = before
        return node

    def _visited(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._visited(item) for item in value]
        return self.visit(value) if isinstance(value, ast.AST) else value

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if self._micropython and isinstance(node.func, ast.Name) and node.func.id == "__import__":
            self.changed = True
            node.func.id = "__uimport__"
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST:
        self.changed |= rename(node, self._renamed)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        self.changed |= rename(node, self._renamed)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._visit_function(node, is_coroutine=False)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        written = {ast.unparse(decorator) for decorator in node.decorator_list}
        is_coroutine = bool(written & self._coroutines)
        self._visit_function(node, is_coroutine=is_coroutine)
        if is_coroutine and node.name == "__aiter__":
            self._make_late(node, 0)
        return node

    def _make_late(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: int) -> None:
        """Give a coroutine function that is an __aiter__ a decorator, where no line is new."""
        self.changed = True
        first: ast.expr | ast.stmt = node.decorator_list[0] if node.decorator_list else node
        decorator = ast.copy_location(ast.Name("__late_aiter__", ast.Load()), first)
        decorator.end_lineno, decorator.end_col_offset = first.lineno, first.col_offset
        node.decorator_list.insert(place, decorator)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        own = list(_own(node))
        yields = any(isinstance(inner, ast.Yield) for inner in own)
        delegates = any(isinstance(inner, ast.YieldFrom) for inner in own)
        ours = self._micropython and (delegates or (yields and not self._is_generator(node, own)))
        self._visit_function(node, is_coroutine=ours)
        if node.name == "__aiter__" and not yields:
            self._make_late(node, len(node.decorator_list))
        return node

    def _is_generator(self, node: ast.AsyncFunctionDef, own: list[ast.AST]) -> bool:
        """Whether it is Python's asynchronous generator also in a program of MicroPython."""
        if any(isinstance(inner, ast.Return) and inner.value is not None for inner in own):
            return False  # a syntax error in one
        makers = [_last_name(decorator).lower() for decorator in node.decorator_list]
        return (
            node.name == "__aiter__"
            or node.name in self._iterated
            or any(end in maker for maker in makers for end in _TAKES_GENERATOR)
        )

    def visit_Yield(self, node: ast.Yield) -> ast.AST:
        self.generic_visit(node)
        if not (isinstance(self._within, ast.AsyncFunctionDef) and self._is_coroutine):
            return node
        value = node.value or ast.copy_location(ast.Constant(None), node)
        return ast.copy_location(ast.Await(self._call("__uyield__", value)), node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.AST:
        self.generic_visit(node)
        if isinstance(self._within, ast.AsyncFunctionDef):
            if not self._is_coroutine:
                return node
            return ast.copy_location(ast.Await(self._call("__uawait__", node.value)), node)
        if self._within is not None and not self._is_coroutine:
            node.value = self._call("__delegate__", node.value)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        self.generic_visit(node)
        function, raised = self._within, node.exc
        value: ast.expr | None = None
        if isinstance(raised, ast.Call) and len(raised.args) < 2 and not raised.keywords:
            value = raised.args[0] if raised.args else None
            raised = raised.func
        if (
            not (isinstance(raised, ast.Name) and raised.id == "StopIteration")
            or not isinstance(function, ast.FunctionDef)
            or self._catches
            or not any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in _own(function))
        ):
            return node
        self.changed = True
        return ast.copy_location(ast.Return(value), node)

    def _visit_try(self, node: ast.Try | ast.TryStar) -> ast.AST:
        self._catches += bool(node.handlers)
        node.body = self._visited(node.body)
        self._catches -= bool(node.handlers)
        for field in ("handlers", "orelse", "finalbody"):
            setattr(node, field, self._visited(getattr(node, field)))
        return node

    def visit_Try(self, node: ast.Try) -> ast.AST:
        return self._visit_try(node)

    def visit_TryStar(self, node: ast.TryStar) -> ast.AST:
        return self._visit_try(node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        if not self._micropython or self._within is None:
            return node
        if isinstance(self._within, ast.AsyncFunctionDef):
            node.value = self._call("__uawait__", node.value)
            return node
        return ast.copy_location(ast.YieldFrom(self._call("__delegate__", node.value)), node)
