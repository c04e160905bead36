"""Rewriting of a program's source, in memory: what older Pythons and MicroPython took.

`install(folder)` has the modules at or below the program's folder rewritten where they
need it, `compile_program()` compiles the program itself so.  docs/run.md, "Rewriting",
has the rules.

    names         `async` and `await` as names, by token
    numbers       whole numbers with leading zeros, by where Python complains
    declarations  `global` after use, by syntax tree
    tree          what means something else today, by syntax tree
    board         what Python's names of modules mean in a program for a board
    calls         what rewritten code calls
    words         what a source is searched for, before it is looked at
    rewriting     decides whether a source needs it, and compiles it
    importer      the program, and modules of its folder
"""

from __future__ import annotations

from .calls import drive, set_uyield, uawait, uyield
from .importer import compile_program, install

__all__ = ["compile_program", "drive", "install", "set_uyield", "uawait", "uyield"]
