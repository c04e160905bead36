"""loop= of streams and child processes (gone in 3.10): it names the loop that runs anyway."""

from __future__ import annotations

import asyncio
import inspect
from asyncio import streams, subprocess
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..patches import Patches
from .generators import mark

__all__ = ["install", "with_loop"]

_FUNCTIONS: dict[ModuleType, tuple[str, ...]] = {
    streams: ("open_connection", "start_server", "open_unix_connection", "start_unix_server"),
    subprocess: ("create_subprocess_exec", "create_subprocess_shell"),
}


def with_loop(signature: inspect.Signature) -> inspect.Signature:
    """`signature` with `loop=None` behind its last argument that has a name."""
    parameters = list(signature.parameters.values())
    place = len(parameters) - (parameters[-1].kind is inspect.Parameter.VAR_KEYWORD)
    loop = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY, default=None)
    return signature.replace(parameters=[*parameters[:place], loop, *parameters[place:]])


def _taking_loop(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, loop: asyncio.AbstractEventLoop | None = None, **options: Any) -> Any:
        return original(*args, **options)

    call.__name__, call.__qualname__ = original.__name__, original.__qualname__
    call.__module__, call.__doc__ = original.__module__, original.__doc__
    call.__signature__ = with_loop(inspect.signature(original))  # type: ignore[attr-defined]
    return mark(call)  # type: ignore[no-any-return]


def install(patches: Patches) -> None:
    """In asyncio and in the module of each."""
    for module, names in _FUNCTIONS.items():
        for name in names:
            taking_loop = _taking_loop(getattr(module, name))
            for owner in (asyncio, module):
                patches.set(owner, name, taking_loop)
