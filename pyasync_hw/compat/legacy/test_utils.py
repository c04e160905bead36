"""asyncio.test_utils (gone in 3.7): the helpers that programs and tests of others used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

__all__ = ["dummy_ssl_context", "run_briefly", "run_once", "run_until"]

__name__ = "asyncio.test_utils"


def dummy_ssl_context() -> ssl.SSLContext:
    """For a client that checks no certificate."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def run_briefly(loop: asyncio.AbstractEventLoop) -> None:
    """Run what is ready now."""

    async def nothing() -> None:
        return None

    loop.run_until_complete(nothing())


def run_until(
    loop: asyncio.AbstractEventLoop, pred: Callable[[], object], timeout: float | None = 30
) -> None:
    """Run until `pred()` is true.  Raises TimeoutError."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not pred():
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError
        loop.run_until_complete(asyncio.sleep(0.001))


def run_once(loop: asyncio.AbstractEventLoop) -> None:
    """Run one turn of the loop: what is ready, and what comes in meanwhile."""
    loop.call_soon(loop.stop)
    loop.run_forever()
