"""Import names that stand for modules of another name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

__all__ = ["AliasFinder", "stands_for"]


class _AliasLoader(Loader):
    """Gives the module `target` where another name was imported."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.target)
        self._spec = module.__spec__
        # Its submodules, too: else those of a package are found by its path, and made anew.
        for name in [name for name in sys.modules if name.startswith(f"{self.target}.")]:
            sys.modules[spec.name + name.removeprefix(self.target)] = sys.modules[name]
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put the alias's spec into the module.
        module.__spec__ = self._spec


class AliasFinder(MetaPathFinder):
    """Finds the modules `targets[name]` as `name`, where no finder before it has one."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = dict(targets)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        ours = self._targets.get(fullname)
        if ours is None or not self._stands_in(fullname):
            return None
        return ModuleSpec(fullname, _AliasLoader(ours), is_package=not fullname.count("."))

    def _stands_in(self, fullname: str) -> bool:
        """Whether one of its names is ours in this import; a subclass may say no."""
        return True

    def forget(self) -> dict[str, ModuleType]:
        """Take its names out of sys.modules; returns those that were there."""
        roots = tuple(f"{name}." for name in self._targets)
        names = [name for name in sys.modules if name in self._targets or name.startswith(roots)]
        return {name: sys.modules.pop(name) for name in names}


def stands_for(name: str) -> str | None:
    """The module that an import of `name` gives, if that is one of another name."""
    try:
        spec = find_spec(name)
    except ValueError:  # the program has put something of its own into sys.modules
        return None
    if spec is None:
        return None
    if isinstance(spec.loader, _AliasLoader):
        return spec.loader.target
    return None if spec.name == name else spec.name
