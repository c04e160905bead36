"""Runs a program as `python FILE|-m MODULE|-c CODE|-` would: as __main__, unchanged."""

from __future__ import annotations

import builtins
import os
import runpy
import sys
import types
import zipfile
from collections.abc import Callable, Sequence
from importlib.machinery import BuiltinImporter, SourceFileLoader
from types import CodeType, TracebackType
from typing import NamedTuple

from ..compat.hints import add_hint
from ..compat.source import compile_program
from .boot import boot, main_of

__all__ = ["Program", "find_program"]


class Program(NamedTuple):
    """What runs it, and the folder that its modules are in."""

    run: Callable[[], None]
    folder: str


def _own_traceback(exc: BaseException, code: CodeType | None) -> TracebackType | None:
    """The traceback of `exc` from the frame of `code` on; None if it never ran."""
    traceback = exc.__traceback__
    while traceback is not None and traceback.tb_frame.f_code is not code:
        traceback = traceback.tb_next
    return traceback


class _Hook:
    """sys.excepthook for one exception: the hook that was there sees it without our frames.

    It goes when it was called: what it holds would keep the program's objects alive for
    longer than plain Python does.
    """

    def __init__(self, exc: BaseException, code: CodeType | None) -> None:
        self._exc = exc
        self._traceback = _own_traceback(exc, code)
        self._before = sys.excepthook

    def __call__(
        self, kind: type[BaseException], value: BaseException, shown: TracebackType | None
    ) -> None:
        sys.excepthook = self._before
        if value is self._exc:
            # The interpreter prints what the exception holds, not its third argument.
            sys.last_traceback = value.__traceback__ = shown = self._traceback
        self._before(kind, value, shown)


def _run(
    run: Callable[[], object],
    code: Callable[[], CodeType | None],
    argv: Sequence[str],
    folder: str,
    **names: object,
) -> None:
    """Call `run` with a new __main__ that has `names`; the program's frames begin at `code()`."""
    main = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, **names)
    sys.modules["__main__"] = main
    sys.argv = list(argv)
    if not sys.flags.safe_path:
        sys.path[0] = folder
    try:
        run()
        _go_on_calling_back()
    except SystemExit:
        raise  # nobody prints it
    except BaseException as exc:
        add_hint(exc)
        sys.excepthook = _Hook(exc, code())
        raise


def _go_on_calling_back() -> None:
    """As a board does when main.py has ended: until no timer and no pin calls back any more."""
    callbacks = sys.modules.get("pyasync_hw.compat.upy.board.callbacks")
    if callbacks is not None:
        callbacks.stay()


def _run_source(
    source: bytes | str,
    filename: str,
    argv: Sequence[str],
    folder: str,
    before: Callable[[], str] | None = None,
    **names: object,
) -> None:
    compiled: list[CodeType] = []

    def run() -> None:
        text, path = source, filename
        if before is not None and (path := before()) != filename:
            with open(path, "rb") as file:
                text = file.read()
            sys.modules["__main__"].__file__ = path
        compiled.append(compile_program(text, path))
        exec(compiled[0], sys.modules["__main__"].__dict__)

    _run(run, lambda: compiled[0] if compiled else None, argv, folder, **names)


def _run_module(name: str, argv: Sequence[str], folder: str) -> None:
    entry = runpy._run_module_as_main  # type: ignore[attr-defined]  # what python itself calls
    _run(lambda: entry(name, name != "__main__"), lambda: entry.__code__, argv, folder)


def find_program(app: str, args: Sequence[str], micropython: bool | None = False) -> Program:
    """What runs `app` with `args`: a file, a folder or zip file, "-m" and "-c" as Python's, "-".

    A MicroPython program has its boot.py before it: None, if it is called main.py.  A folder
    with a main.py and no __main__.py is one, too.

    The caller must let what it raises reach the interpreter, which prints it without
    our frames and sets the exit status (SystemExit, KeyboardInterrupt).  Raises OSError,
    or ValueError when -m or -c has no argument.
    """
    if app in ("-m", "-c"):
        if not args:
            raise ValueError(f"{app} needs an argument")
        first, argv = args[0], [app, *args[1:]]
        here = os.getcwd()
        if app == "-m":
            return Program(lambda: _run_module(first, argv, here), here)
        return Program(
            lambda: _run_source(first, "<string>", argv, "", __loader__=BuiltinImporter), here
        )
    argv = [app, *args]
    if micropython is not False:
        app = main_of(app)
    if app == "-":
        source = sys.stdin.buffer.read()
        return Program(
            lambda: _run_source(
                source,
                "<stdin>",
                argv,
                "",
                __file__="<stdin>",
                __cached__=None,
                __loader__=BuiltinImporter,
            ),
            os.getcwd(),
        )
    if os.path.isdir(app) or zipfile.is_zipfile(app):
        folder = os.path.join(os.getcwd(), app)
        return Program(lambda: _run_module("__main__", argv, folder), folder)
    with open(app, "rb") as file:
        source = file.read()
    path = os.path.abspath(app)
    folder = os.path.dirname(os.path.realpath(app))
    loader = SourceFileLoader("__main__", path)
    before = None if micropython is False else boot(path, micropython is True)
    return Program(
        lambda: _run_source(
            source, path, argv, folder, before, __file__=path, __cached__=None, __loader__=loader
        ),
        folder,
    )
