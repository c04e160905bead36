"""Import names that `python -m pyasync_hw run` replaces.

A replaced name wins over an installed package (and, but for mfrc522, over a file of the
program's folder); `original()` still finds that
package, for our own code that wants the real one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from types import ModuleType

from .alias import AliasFinder

__all__ = ["NAMES", "install", "original", "parse_list", "when_imported"]

# Module name -> the module of ours that stands for it.
_MODULES = {
    "mfrc522": "pyasync_hw.compat.mfrc522",
    "mfrc522.BasicMFRC522": "pyasync_hw.compat.mfrc522.BasicMFRC522",
    "mfrc522.MFRC522": "pyasync_hw.compat.mfrc522.MFRC522",
    "mfrc522.SimpleMFRC522": "pyasync_hw.compat.mfrc522.SimpleMFRC522",
    "RPi": "pyasync_hw.compat.RPi",
    "RPi.GPIO": "pyasync_hw.compat.RPi.GPIO",
    "pirc522": "pyasync_hw.compat.pirc522",
    "pirc522.rfid": "pyasync_hw.compat.pirc522.rfid",
    "pirc522.util": "pyasync_hw.compat.pirc522.util",
    "smbus": "pyasync_hw.compat.smbus2",
    "smbus2": "pyasync_hw.compat.smbus2",
    "spidev": "pyasync_hw.compat.spidev",
}
# What --shims= chooses from; gpiozero is the installed one, on our pin factory, and
# micropython all that compat.upy has.
NAMES = ("RPi.GPIO", "gpiozero", "mfrc522", "micropython", "pirc522", "smbus", "smbus2", "spidev")

_OWN_FILES = ("mfrc522",)

# Files that programs bring along as copies, by the shim that they come with: ours stand for
# those that are not there.
_COPIES = {
    "mfrc522": {
        "MFRC522": "pyasync_hw.compat.mfrc522.MFRC522",
        "SimpleMFRC522": "pyasync_hw.compat.mfrc522.SimpleMFRC522",
    },
    "spidev": {"spi": "pyasync_hw.compat.spi"},
}


def parse_list(text: str) -> tuple[str, ...]:
    """ "RPi.GPIO,spidev" or "none" as names.  Raises ValueError."""
    if text == "none":
        return ()
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in NAMES:
            raise ValueError(f"no shim is called {name!r}; allowed: none, {', '.join(NAMES)}")
    return names


class _Finder(AliasFinder):
    """Ours before installed packages; but mfrc522 also names MicroPython's driver, which
    lies in the program's folder: one that is there is the program's own."""

    def _stands_in(self, fullname: str) -> bool:
        root, dot, _ = fullname.partition(".")
        if root not in _OWN_FILES:
            return True
        if dot:
            return sys.modules[root].__name__.startswith(__package__)
        spec = PathFinder.find_spec(fullname, sys.path[:1])
        return spec is None or spec.origin is None


def install(names: Iterable[str] = NAMES) -> Callable[[], None]:
    """Make the import names `names` ours; returns what undoes it.

    A module of that name that is already imported is imported anew.
    """
    names = tuple(names)
    roots = {name.partition(".")[0] for name in names}
    finder = _Finder(
        {name: target for name, target in _MODULES.items() if name.partition(".")[0] in roots}
    )
    hidden = finder.forget()
    sys.meta_path.insert(0, finder)
    copies = [pair for name in names for pair in _COPIES.get(name, {}).items()]
    last = AliasFinder(dict(copies))
    sys.meta_path.append(last)

    def uninstall() -> None:
        for one in (finder, last):
            sys.meta_path.remove(one)
            one.forget()
        sys.modules.update(hidden)

    return uninstall


class _Notice(MetaPathFinder):
    """Calls `notice` with the module `name` when it has been imported; once."""

    def __init__(self, name: str, notice: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._notice = notice

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _NoticedLoader(spec.loader, self._notice)
        return spec


class _NoticedLoader(Loader):
    def __init__(self, loader: Loader, notice: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._notice = notice

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module keeps the loader that it would have had.
        assert module.__spec__ is not None
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._notice(module)


def when_imported(name: str, notice: Callable[[ModuleType], None]) -> Callable[[], None]:
    """Call `notice` with the module `name`: now, or as soon as it is imported.

    Returns what ends the wait for it.
    """
    waiting = _Notice(name, notice)
    if name in sys.modules:
        notice(sys.modules[name])
    else:
        sys.meta_path.insert(0, waiting)

    def forget() -> None:
        if waiting in sys.meta_path:
            sys.meta_path.remove(waiting)

    return forget


def original(name: str) -> ModuleType:
    """The installed top-level module that a shim hides; a new instance for every call.

    Raises ModuleNotFoundError if none is installed.
    """
    spec = PathFinder.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    # One in C that was imported before is loaded into what it finds under its name.
    hidden = sys.modules.pop(name, None)
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop(name, None)
        if hidden is not None:
            sys.modules[name] = hidden
    return module
