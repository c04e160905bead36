"""The loops that are compared, and where to find them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform

OURS = "pyasync_hw"
BASE = "asyncio"
LIMIT = "bare C"  # in a few cases: the same without a loop
SPECS = {
    BASE: "asyncio:SelectorEventLoop",
    "uvloop": "uvloop:new_event_loop",
    "rloop": "rloop:new_event_loop",
    "zloop": "zloop:new_event_loop",
    "blazio": "blazio:new_event_loop",
    OURS: "pyasync_hw:new_event_loop",
}


def installed() -> list[str]:
    return [
        loop for loop, spec in SPECS.items() if importlib.util.find_spec(spec.partition(":")[0])
    ]


def version(loop: str) -> str:
    if loop == BASE:
        return platform.python_version()
    try:
        return importlib.metadata.version(SPECS[loop].partition(":")[0])
    except importlib.metadata.PackageNotFoundError:  # a checkout
        return "checkout"
