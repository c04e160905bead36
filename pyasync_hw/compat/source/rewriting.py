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
from .tree import Rewriter, imports, iterated_names

__all__ = ["Rewriting"]

_DELEGATES = re.compile(rb"\byield[\s\\]+from\b|\basync\s+def\s+__aiter__\b")
_IMPORTS_UASYNCIO = re.compile(rb"^[ \t]*(?:import|from)\s+[^#\n]*\buasyncio\b", re.MULTILINE)
_OLD_NAMES = re.compile(
    rb"\basync\b(?!\s+(?:def|for|with)\b)|\bawait\b(?!\s*[\w\"'(\[{~+\-])"
    rb"|(?:\.|\bdef|\bclass|\bimport|\bas)\s*\bawait\b"
)


class Rewriting:
    """One per program: what is MicroPython's in it is known by what was seen of it so far."""

    def __init__(self) -> None:
        self._micropython = False  # a module of the program imports uasyncio
        self._iterated: set[str] = set()

    def may_have_old_names(self, source: bytes) -> bool:
        """Whether it is worth a look if plain Python compiles the source."""
        return _OLD_NAMES.search(source) is not None or self._is_micropython(source)

    def _is_micropython(self, source: bytes) -> bool:
        return self._micropython or _IMPORTS_UASYNCIO.search(source) is not None

    def needs(self, source: bytes) -> bool:
        """Whether what plain Python compiles may be another program than it was meant to be."""
        return _DELEGATES.search(source) is not None or self._is_micropython(source)

    def rewritten(self, source: bytes, filename: str, *, compiles: bool) -> CodeType | None:
        """Code with the source's own positions; None: it is to be compiled as it is.

        `compiles`: whether it can be.
        """
        if compiles and not self.needs(source):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they come, or came, from compiling it as it is
            try:
                return self._compiled(source, filename, compiles)
            except (SyntaxError, ValueError, RecursionError):
                return None

    def _compiled(self, source: bytes, filename: str, compiles: bool) -> CodeType | None:
        tree: ast.Module | None
        try:
            tree = ast.parse(source, filename)
        except SyntaxError:
            tree = names.parse(decode_source(source), filename)
        if tree is None:
            return None
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
