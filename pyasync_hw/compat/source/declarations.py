"""`global` and `nonlocal` after the name's first use, which Python up to 3.5 only warned of.

They hold for their whole block, wherever they stand.
"""

from __future__ import annotations

import ast

__all__ = ["hoist"]

_BLOCKS = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class _Taker(ast.NodeTransformer):
    """Takes the declarations of one block, and not those of blocks within."""

    def __init__(self) -> None:
        self.taken: list[ast.stmt] = []

    def _take(self, node: ast.Global | ast.Nonlocal) -> ast.Pass:
        self.taken.append(node)
        return ast.copy_location(ast.Pass(), node)

    def visit_Global(self, node: ast.Global) -> ast.AST:
        return self._take(node)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        return self._take(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return node if isinstance(node, _BLOCKS) else super().generic_visit(node)


def hoist(tree: ast.Module) -> None:
    """Declare first what a block of the tree declares; at module level nothing need be."""
    for block in ast.walk(tree):
        if isinstance(block, _BLOCKS):
            taker = _Taker()
            body = [taker.visit(statement) for statement in block.body]
            if not isinstance(block, ast.Module):
                start = 1 if ast.get_docstring(block, clean=False) is not None else 0
                body[start:start] = taker.taken
            block.body = body
