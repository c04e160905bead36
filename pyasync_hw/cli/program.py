"""Runs a Python file as `python FILE ARGS` would: as __main__, unchanged."""

from __future__ import annotations

import builtins
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from types import CodeType, TracebackType


def _main_module(path: str) -> types.ModuleType:
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __builtins__=builtins,
        __cached__=None,
        __file__=path,
        __loader__=SourceFileLoader("__main__", path),
    )
    return module


def _own_traceback(exc: BaseException, code: CodeType | None) -> TracebackType | None:
    """The traceback of `exc` from the frame of `code` on; None if it never ran."""
    traceback = exc.__traceback__
    while traceback is not None and traceback.tb_frame.f_code is not code:
        traceback = traceback.tb_next
    return traceback


def _hide_our_frames(exc: BaseException, code: CodeType | None) -> None:
    """Let sys.excepthook, the standard or the program's, see `exc` without our frames."""
    traceback = _own_traceback(exc, code)
    program_hook = sys.excepthook

    def excepthook(
        kind: type[BaseException], value: BaseException, shown: TracebackType | None
    ) -> None:
        if value is exc:
            # The interpreter prints what the exception holds, not its third argument.
            value.__traceback__ = shown = traceback
        program_hook(kind, value, shown)

    sys.excepthook = excepthook


def run_program(path: str, source: bytes, args: Sequence[str]) -> None:
    """Run `source`, read from `path`, with sys.argv = [path, *args]; raises what it raises.

    The caller must let the exception reach the interpreter, which prints it
    without our frames and sets the exit status (SystemExit, KeyboardInterrupt).
    """
    full_path = os.path.abspath(path)
    main = _main_module(full_path)
    sys.modules["__main__"] = main
    sys.argv = [path, *args]
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    code = None
    try:
        code = compile(source, full_path, "exec", dont_inherit=True)
        exec(code, main.__dict__)
    except BaseException as exc:
        _hide_our_frames(exc, code)
        raise
