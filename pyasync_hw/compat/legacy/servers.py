"""Server.wait_closed() as up to Python 3.11: done as soon as the server is closed.

Since 3.12 it waits until all clients have gone, so the end of the documentation's old
echo server (`server.close(); loop.run_until_complete(server.wait_closed())`) never comes
while one is connected.
"""

from __future__ import annotations

from asyncio import base_events
from typing import Any

from ..patches import Patches

__all__ = ["install"]

_standard_wait_closed: Any = base_events.Server.wait_closed


async def wait_closed(self: Any) -> None:
    if self._sockets is not None:  # not closed
        await _standard_wait_closed(self)


def install(patches: Patches) -> None:
    """For servers of every loop that makes asyncio's own."""
    wait_closed.__doc__ = _standard_wait_closed.__doc__
    patches.set(base_events.Server, "wait_closed", wait_closed)
