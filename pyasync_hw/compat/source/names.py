"""`async` and `await` as names, which they could be up to Python 3.6.

By token: a word that was a name gets a stand-in of the same length, so that no position
changes, and in the syntax tree it has its own name again.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from itertools import product
from string import ascii_lowercase

__all__ = ["parse"]

_WORDS = ("async", "await")
_BLANK = (tokenize.COMMENT, tokenize.NL)


def _old_names(text: str) -> Iterator[tokenize.TokenInfo]:
    """The words that Python 3.6 took as names.

    To it, both were keywords within an `async def`, and `async` before `def`.
    """
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in _BLANK
    ]
    depth = 0
    within: int | None = None  # depth of the `async def` that we are in
    for place, token in enumerate(tokens[:-1]):
        following = tokens[place + 1]
        if token.type == tokenize.INDENT:
            depth += 1
        elif token.type == tokenize.DEDENT:
            depth -= 1
        elif token.type == tokenize.NEWLINE:
            left = following.type not in (tokenize.INDENT, tokenize.DEDENT)
            if within is not None and left and depth <= within:  # all on one line
                within = None
        elif token.type == tokenize.NAME and token.string in _WORDS and within is None:
            if token.string == "async" and following.string == "def":
                within = depth
            else:
                yield token
        if within is not None and token.type == tokenize.DEDENT and depth <= within:
            within = None


def _stand_ins(text: str) -> dict[str, str]:
    """For each word one of its length that the text does not contain."""
    unused = (
        word
        for word in map("".join, product(ascii_lowercase, repeat=len(_WORDS[0])))
        if word not in text
    )
    return {word: next(unused) for word in _WORDS}


def _replaced(text: str, stand_ins: dict[str, str]) -> str:
    lines = text.split("\n")
    for token in _old_names(text):
        (row, column), end = token.start, token.end[1]
        line = lines[row - 1]
        lines[row - 1] = line[:column] + stand_ins[token.string] + line[end:]
    return "\n".join(lines)


def _restore(tree: ast.AST, names: dict[str, str]) -> None:
    """Give every identifier that is a key of `names`, also within a dotted one, its value."""

    def restored(value: object) -> object:
        if isinstance(value, str):
            return ".".join(names.get(part, part) for part in value.split("."))
        return [restored(item) for item in value] if isinstance(value, list) else value

    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant):
            for field, value in ast.iter_fields(node):
                setattr(node, field, restored(value))


def _used_and_bound(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Which words are read as variables, and which the module gives a value somewhere."""
    used: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.alias(asname=str(name)):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.alias(name="*"):
                bound.update(_WORDS)
            case ast.alias(name=name):
                bound.add(name.partition(".")[0])
    return used & set(_WORDS), bound


def parse(text: str, filename: str) -> ast.Module | None:
    """The syntax tree of a source of Python 3.4 to 3.6; None if it is none.

    `text` has "\\n" at the end of its lines.  A variable that is nowhere bound is no name
    but a keyword in the wrong place.
    """
    stand_ins = _stand_ins(text)
    try:
        tree = ast.parse(_replaced(text, stand_ins), filename)
    except (SyntaxError, tokenize.TokenError):
        return None
    _restore(tree, {stand_in: word for word, stand_in in stand_ins.items()})
    used, bound = _used_and_bound(tree)
    return tree if used <= bound else None
