"""What a cancelled task raises, by the names that it had.

Up to Python 3.7 asyncio.CancelledError was concurrent.futures.CancelledError.  Two
classes since 3.8, they are one here again, so a handler for either sees a cancel.  It
stays a BaseException: `except Exception` does not catch it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys

from ..patches import Patches

__all__ = ["FutureCancelledError", "install"]

# What our blocking waits raise; install() binds another class to its name.
FutureCancelledError = concurrent.futures.CancelledError


def install(patches: Patches) -> None:
    """One class for both."""
    for module in (concurrent.futures, sys.modules["concurrent.futures._base"]):
        patches.set(module, "CancelledError", asyncio.CancelledError)
