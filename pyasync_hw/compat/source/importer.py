"""Where sources are rewritten: the program itself, and modules at or below its folder.

The import system finds these in folders of sys.path and of packages, by one finder per
folder; those of the program have a finder that looks into the sources.  What needs no
rewriting gets the loader it always has, so its cache and its syntax errors are Python's own.
What does is compiled anew each time, and never written anywhere.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
import zipimport
from collections.abc import Callable
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType
from typing import Any

from ..installed import is_installed
from ..patches import Patches
from .rewriting import Rewriting

__all__ = ["compile_program", "install"]

_PACKAGE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


class _RewrittenLoader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class _RewrittenZipLoader(zipimport.zipimporter):
    def __init__(self, path: str, code: CodeType, filename: str) -> None:
        super().__init__(path)
        self._code = code
        self._filename = filename

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def get_filename(self, fullname: str) -> str:
        return self._filename


class _Program:
    """The program that this process runs."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.realpath(folder)
        self.rewriting = Rewriting()
        self._not_ours = (_PACKAGE, os.path.realpath(os.path.dirname(os.__file__)))

    def compile(self, source: bytes | str, filename: str) -> CodeType:
        """As compile(): raises SyntaxError if neither Python nor a rewriting takes it."""
        try:
            plain = compile(source, filename, "exec", dont_inherit=True)
        except SyntaxError:
            code = self.rewriting.rewritten(source, filename, None)
            if code is None:
                raise
            return code
        return self.rewriting.rewritten(source, filename, plain) or plain

    def loader(self, fullname: str, path: str) -> SourceFileLoader:
        """The loader of a module's source file."""
        plain = SourceFileLoader(fullname, path)
        try:
            source = plain.get_data(path)
            if not self.rewriting.is_suspicious(source):
                return plain
            code = plain.get_code(fullname)
        except OSError:
            return plain  # which raises it in its own time
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            code = None
        code = self.rewriting.rewritten(source, path, code)
        return plain if code is None else _RewrittenLoader(fullname, path, code)

    def has(self, folder: str) -> bool:
        """Whether modules of this folder are the program's."""
        real = os.path.realpath(folder)
        if real != self._folder and not real.startswith(os.path.join(self._folder, "")):
            return False
        if is_installed(real):
            return False
        return not any(
            real == root or real.startswith(root + os.sep)
            for root in self._not_ours
            if not self._folder.startswith(root + os.sep)
        )

    def has_file(self, path: str) -> bool:
        """Whether this file is a module of the program's."""
        return self.has(os.path.dirname(os.path.realpath(path)))

    def path_hook(self, path: str) -> Any:
        """For sys.path_hooks: the finder of a folder, or of a zip file."""
        if not self.has(path or os.getcwd()):
            raise ImportError("not of the program", path=path)
        if not os.path.isdir(path or os.getcwd()):
            return _ZipFinder(path, self)
        return FileFinder(
            path,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (self.loader, SOURCE_SUFFIXES),  # type: ignore[arg-type]  # it is called, no more
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )


class _ZipFinder(zipimport.zipimporter):
    def __init__(self, path: str, program: _Program) -> None:
        super().__init__(path)
        self._path = path
        self._program = program

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        rewriting = self._program.rewriting
        spec: ModuleSpec | None = None
        plain: CodeType | None = None
        try:
            spec = super().find_spec(fullname, target)  # which compiles it, up to Python 3.14
            filename = "" if spec is None else str(spec.origin)
            if not filename.endswith(tuple(SOURCE_SUFFIXES)):  # not here, or a folder
                return spec
            source = self.get_data(filename)
            if not rewriting.is_suspicious(source):
                return spec
            plain = self.get_code(fullname)
        except SyntaxError as exc:
            filename = str(exc.filename)
            source = self.get_data(filename)
            code = rewriting.rewritten(source, filename, None)
            if code is None and spec is None:
                raise
        else:
            code = rewriting.rewritten(source, filename, plain)
        if code is None:
            return spec
        loader: Any = _RewrittenZipLoader(self._path, code, filename)
        return importlib.util.spec_from_loader(
            fullname, loader, is_package=self.is_package(fullname)
        )


_program: _Program | None = None


def install(folder: str) -> Callable[[], None]:
    """Rewrite modules at or below `folder` from now on; returns what undoes it."""
    global _program
    program = _program = _Program(folder)
    hook = program.path_hook
    patches = Patches()

    def forget() -> None:
        for path in list(sys.path_importer_cache):
            if program.has(path):
                del sys.path_importer_cache[path]

    def compile_for_runpy(source: bytes, filename: str, mode: str, **options: Any) -> Any:
        if program.has_file(filename):
            return program.compile(source, filename)
        return compile(source, filename, mode, dont_inherit=True, **options)

    spec_from_file = importlib.util.spec_from_file_location

    def spec_from_file_location(name: str, location: Any = None, **options: Any) -> Any:
        if location is not None and options.get("loader") is None:
            path = os.path.abspath(os.fspath(location))
            if path.endswith(tuple(SOURCE_SUFFIXES)) and program.has_file(path):
                options["loader"] = program.loader(name, path)
        return spec_from_file(name, location, **options)

    sys.path_hooks.insert(0, hook)
    forget()
    # A child that multiprocessing spawns runs the program's file by it.
    patches.set(runpy, "compile", compile_for_runpy)
    # Plug-ins of a program are imported by their path.
    patches.set(importlib.util, "spec_from_file_location", spec_from_file_location)

    def uninstall() -> None:
        global _program
        _program = None
        sys.path_hooks.remove(hook)
        forget()
        patches.undo()

    return uninstall


def compile_program(source: bytes | str, filename: str) -> CodeType:
    """compile() for what is run as __main__, rewritten after install().  Raises SyntaxError."""
    if _program is None:
        return compile(source, filename, "exec", dont_inherit=True)
    return _program.compile(source, filename)
