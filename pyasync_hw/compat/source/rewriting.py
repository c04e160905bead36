"""Whether a source needs rewriting, and its code if so.

What Python compiles stays as it is, unless a search for a few words, and then a look at the
code, find what older Pythons meant otherwise; so a source that needs nothing is not parsed.
"""

from __future__ import annotations

import ast
import inspect
import opcode
import re
import warnings
from collections.abc import Iterator
from importlib.util import decode_source
from types import CodeType

from . import names
from .board import BOARD_NAMES, is_for_a_board
from .calls import give_builtins
from .declarations import hoist
from .tree import Rewriter, imports, iterated_names

__all__ = ["Rewriting"]

Source = bytes | str

# Patterns that begin with a word are searched for as fast as that word.
_YIELD_FROM = re.compile(rb"yield[\s\\]+from\b")
_MEANS_ELSE = re.compile(rb"async\s+def\s+__aiter__\b"), re.compile(rb"raise\s+StopIteration\b")
_REFUSED = (
    re.compile(rb"async\b(?!\s+(?:def|for|with)\b)"),
    re.compile(rb"await\b(?!\s*[\w\"'(\[{~+\-])"),
    re.compile(rb"await\b(?:(?<=[.]await)|(?<=(?:import|.class|...def|....as) await))"),
    re.compile(rb"global\s"),
    re.compile(rb"nonlocal\s"),
)
_IMPORTS_UASYNCIO = re.compile(rb"\b(?:import|from)\s[^#\n]*\buasyncio\b")
_COROUTINE = re.compile(rb"@(?:asyncio\.|types\.)?coroutine\b")
_IMPORTS_COROUTINE = re.compile(rb"from\s+(?:asyncio|types)\s+import\b")
_DELEGATES = opcode.opmap.get("GET_YIELD_FROM_ITER")  # None: not in this Python


def _as_bytes(source: Source) -> bytes:
    return source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source


def _as_text(source: Source) -> str:
    """With "\\n" at the end of each line."""
    if isinstance(source, str):
        return source.replace("\r\n", "\n").replace("\r", "\n")
    return decode_source(source)


def _lines(data: bytes) -> set[int] | None:
    """The lines with words whose meaning has changed; None: they cannot be counted."""
    if b"\r" in data.replace(b"\r\n", b""):
        return None
    return {
        data.count(b"\n", 0, found.start()) + 1
        for pattern in (_YIELD_FROM, *_MEANS_ELSE)
        for found in pattern.finditer(data)
    }


def _functions(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _functions(constant)


def _has_plain_delegation(code: CodeType, data: bytes) -> bool:
    """Whether a generator says `yield from` that is no coroutine by its decorator."""
    lines = data.splitlines()
    for function in _functions(code):
        if not function.co_flags & inspect.CO_GENERATOR:
            continue
        if _DELEGATES is not None and _DELEGATES not in function.co_code[::2]:
            continue
        first = lines[function.co_firstlineno - 1] if function.co_firstlineno <= len(lines) else b""
        decorator = _COROUTINE.match(first.strip())
        if decorator is None:
            return True
        if b"." not in decorator[0] and _IMPORTS_COROUTINE.search(data) is None:
            return True
    return False


class Rewriting:
    """One per program: what is MicroPython's in it is known by what was seen of it so far."""

    def __init__(self) -> None:
        self._micropython = False  # a module of the program imports uasyncio
        self._for_a_board = False
        self._iterated: set[str] = set()

    def _is_micropython(self, data: bytes) -> bool:
        if not self._for_a_board and is_for_a_board(data):
            self._for_a_board = self._micropython = True
        if self._micropython:
            return True
        return b"uasyncio" in data and _IMPORTS_UASYNCIO.search(data) is not None

    def is_suspicious(self, source: Source) -> bool:
        """Whether rewritten() is worth a call, by words alone."""
        data = _as_bytes(source)
        if any(word in data for word in (b"async", b"await", b"global", b"nonlocal")) and any(
            pattern.search(data) for pattern in _REFUSED
        ):
            return True
        if _YIELD_FROM.search(data) or any(pattern.search(data) for pattern in _MEANS_ELSE):
            return True
        return self._is_micropython(data)

    def _differs(self, data: bytes, code: CodeType) -> bool:
        """Whether what Python made of it may not be what was meant."""
        if self._is_micropython(data) or any(pattern.search(data) for pattern in _MEANS_ELSE):
            return True
        return _YIELD_FROM.search(data) is not None and _has_plain_delegation(code, data)

    def rewritten(self, source: Source, filename: str, plain: CodeType | None) -> CodeType | None:
        """Code with the source's own positions; None: there is no need, or no way.

        `plain`: what Python compiles it to, or None if it does not.
        """
        data = _as_bytes(source)
        if plain is not None and not self._differs(data, plain):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they came when it was compiled as it is
            try:
                return self._compiled(source, data, filename, refused=plain is None)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return None

    def _compiled(
        self, source: Source, data: bytes, filename: str, *, refused: bool
    ) -> CodeType | None:
        tree: ast.Module | None
        try:
            tree = ast.parse(source, filename)
        except SyntaxError:
            tree = names.parse(_as_text(source), filename)
        if tree is None:
            return None
        if refused:
            hoist(tree)
        micropython = self._is_micropython(data) and (
            self._micropython or imports(tree, "uasyncio")
        )
        if micropython:
            self._micropython = True
            self._iterated |= iterated_names(tree)
            rewriter = Rewriter(
                tree,
                micropython=True,
                iterated=self._iterated,
                renamed=BOARD_NAMES if self._for_a_board else {},
            )
        else:
            rewriter = Rewriter(tree, lines=_lines(data))
        if not refused and not rewriter.changed:
            return None
        code = compile(tree, filename, "exec", dont_inherit=True)
        if rewriter.changed:
            give_builtins()
        return code
