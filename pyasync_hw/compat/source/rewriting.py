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

from . import names, words
from .board import BOARD_NAMES, is_for_a_board
from .calls import give_builtins
from .declarations import hoist
from .numbers import without_zeros
from .tree import Rewriter, imports, iterated_names

__all__ = ["Rewriting"]

Source = bytes | str

_COROUTINE = re.compile(rb"@(?:asyncio\.|types\.)?coroutine\b")
_DELEGATES = opcode.opmap.get("GET_YIELD_FROM_ITER")  # None: not in this Python


def _as_bytes(source: Source) -> bytes:
    return source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source


def _as_text(source: Source) -> str:
    """With "\\n" at the end of each line."""
    if isinstance(source, str):
        return source.replace("\r\n", "\n").replace("\r", "\n")
    return decode_source(source)


def _functions(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _functions(constant)


def _has_plain_delegation(code: CodeType, data: bytes) -> bool:
    """Whether a generator says `yield from` that is no coroutine by its first decorator."""
    lines = data.splitlines()
    for function in _functions(code):
        if not function.co_flags & inspect.CO_GENERATOR:
            continue
        if _DELEGATES is not None and _DELEGATES not in function.co_code[::2]:
            continue
        number = function.co_firstlineno
        decorator = _COROUTINE.match(lines[number - 1].strip()) if number <= len(lines) else None
        if decorator is None:
            return True
        if b"." not in decorator[0] and not words.imports_coroutine(data):
            return True
    return False


def _parse(source: Source, filename: str, *, for_a_board: bool) -> ast.Module | None:
    """The syntax tree, also of what today's Python refuses; None: there is none."""
    while True:
        try:
            return ast.parse(source, filename)
        except SyntaxError as exc:
            text = _as_text(source)
            better = without_zeros(text, exc) if for_a_board else None
        if better is None:
            return names.parse(text, filename)
        source = better


class Rewriting:
    """One per program: what is MicroPython's in it is known by what was seen of it so far."""

    def __init__(self) -> None:
        self._micropython = False  # a module of the program imports uasyncio
        self._for_a_board = False
        self._asking = False
        self._iterated: set[str] = set()

    def _is_micropython(self, data: bytes) -> bool:
        if not self._for_a_board and not self._asking:
            self._asking = True  # it finds modules, of which we are asked again
            try:
                self._for_a_board = is_for_a_board(data)
            finally:
                self._asking = False
            self._micropython |= self._for_a_board or words.imports_beside(data)
        return self._micropython or words.imports_uasyncio(data)

    def is_suspicious(self, source: Source) -> bool:
        """Whether rewritten() is worth a call, by words alone."""
        data = _as_bytes(source)
        return (
            words.may_be_refused(data)
            or words.has_yield_from(data)
            or words.means_else(data)
            or self._is_micropython(data)
        )

    def _differs(self, data: bytes, code: CodeType) -> bool:
        """Whether what Python made of it may not be what was meant."""
        if self._is_micropython(data) or words.means_else(data):
            return True
        return words.has_yield_from(data) and _has_plain_delegation(code, data)

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
        micropython = self._is_micropython(data)
        tree = _parse(source, filename, for_a_board=self._for_a_board)
        if tree is None:
            return None
        if refused:
            hoist(tree)
        if micropython and (self._micropython or imports(tree, "uasyncio")):
            self._micropython = True
            self._iterated |= iterated_names(tree)
            rewriter = Rewriter(
                tree,
                micropython=True,
                iterated=self._iterated,
                renamed=BOARD_NAMES if self._for_a_board else {},
            )
        else:
            rewriter = Rewriter(tree, lines=words.changed_lines(data))
        if not refused and not rewriter.changed:
            return None
        code = compile(tree, filename, "exec", dont_inherit=True)
        if rewriter.changed:
            give_builtins()
        return code
