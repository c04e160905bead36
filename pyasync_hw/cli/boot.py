"""What a MicroPython board does before main.py: it runs boot.py, in the same namespace."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from ..compat.hints import add_hint
from ..compat.source import compile_program

__all__ = ["boot", "main_of"]

MAIN, BOOT, LIB = "main.py", "boot.py", "lib"


def main_of(app: str) -> str:
    """The program of a folder that has a main.py and no __main__.py; any other is itself."""
    main = os.path.join(app, MAIN)
    if os.path.isfile(main) and not os.path.exists(os.path.join(app, "__main__.py")):
        return main
    return app


def boot(path: str, asked: bool) -> Callable[[], str] | None:
    """What is done before the program of a file, as __main__; None: it is no board's program.

    It gives the file that is then to be run, as a rule `path`.  A main.py is one, as is what
    somebody has `asked` for.
    """
    if not asked and os.path.basename(path) != MAIN:
        return None
    folder = os.path.dirname(path)
    return lambda: os.path.join(folder, _boot(folder) or path)


def _boot(folder: str) -> str | None:
    """Run a boot.py; the name that it gives pyb.main()."""
    lib = os.path.join(folder, LIB)
    if os.path.isdir(lib) and lib not in sys.path:
        sys.path.append(lib)
    path = os.path.join(folder, BOOT)
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        source = file.read()
    names = sys.modules["__main__"].__dict__
    main, names["__file__"] = names.get("__file__"), path
    try:
        exec(compile_program(source, path), names)
    except Exception as exc:  # a board tells it, and goes on with main.py
        add_hint(exc)
        assert exc.__traceback__ is not None
        traceback.print_exception(exc.with_traceback(exc.__traceback__.tb_next))
    names["__file__"] = main
    pyb = sys.modules.get("pyasync_hw.compat.upy.pyb")
    return pyb.main_file[0] if pyb is not None and pyb.main_file else None
