"""Whether a source needs rewriting, and its code if so.

A source that plain Python compiles, and that a search for words finds nothing in, is not
parsed a second time.
"""

from __future__ import annotations

import ast
import re
import warnings
from importlib.util import decode_source
from types import CodeType

from . import names
from .calls import give_builtins
from .declarations import hoist
from .tree import Rewriter, imports, iterated_names

__all__ = ["Rewriting"]

_ANOTHER_MEANING = re.compile(
    rb"\byield[\s\\]+from\b|\basync\s+def\s+__aiter__\b|\braise\s+StopIteration\b"
)
_IMPORTS_UASYNCIO = re.compile(rb"\b(?:import|from)\s[^#\n]*\buasyncio\b")
_NO_MEANING = re.compile(
    rb"\basync\b(?!\s+(?:def|for|with)\b)|\bawait\b(?!\s*[\w\"'(\[{~+\-])"
    rb"|(?:\.|\bdef|\bclass|\bimport|\bas)\s*\bawait\b|\b(?:global|nonlocal)\b"
)

Source = bytes | str


def _as_bytes(source: Source) -> bytes:
    return source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source


def _as_text(source: Source) -> str:
    """With "\n" at the end of each line."""
    if isinstance(source, str):
        return source.replace("\r\n", "\n").replace("\r", "\n")
    return decode_source(source)


class Rewriting:
    """One per program: what is MicroPython's in it is known by what was seen of it so far."""

    def __init__(self) -> None:
        self._micropython = False  # a module of the program imports uasyncio
        self._iterated: set[str] = set()

    def may_be_refused(self, source: Source) -> bool:
        """Whether it is worth a look if Python compiles the source as it is."""
        data = _as_bytes(source)
        return _NO_MEANING.search(data) is not None or self._is_micropython(data)

    def _is_micropython(self, data: bytes) -> bool:
        return self._micropython or _IMPORTS_UASYNCIO.search(data) is not None

    def may_differ(self, source: Source) -> bool:
        """Whether what Python compiles may not be what was meant."""
        data = _as_bytes(source)
        return _ANOTHER_MEANING.search(data) is not None or self._is_micropython(data)

    def rewritten(self, source: Source, filename: str, *, compiles: bool) -> CodeType | None:
        """Code with the source's own positions; None: it is to be compiled as it is.

        `compiles`: whether it can be.
        """
        if compiles and not self.may_differ(source):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they come, or came, from compiling it as it is
            try:
                return self._compiled(source, filename, compiles)
            except (SyntaxError, ValueError, RecursionError):
                return None

    def _compiled(self, source: Source, filename: str, compiles: bool) -> CodeType | None:
        tree: ast.Module | None
        try:
            tree = ast.parse(source, filename)
        except SyntaxError:
            tree = names.parse(_as_text(source), filename)
        if tree is None:
            return None
        if not compiles:
            hoist(tree)
        micropython = self._micropython or imports(tree, "uasyncio")
        if micropython:
            self._micropython = True
            self._iterated |= iterated_names(tree)
        rewriter = Rewriter(tree, micropython=micropython, iterated=self._iterated)
        if compiles and not rewriter.changed:
            return None
        code = compile(tree, filename, "exec", dont_inherit=True)
        if rewriter.changed:
            give_builtins()
        return code
