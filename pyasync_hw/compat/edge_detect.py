"""Edge detection with callbacks on one input, served by the service thread."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from ..gpio import Edge, Input
from .service import service

__all__ = ["EdgeDetect"]

Callback = Callable[[int], object]
# A callback that never returns must not keep its program from ending.
_STOP_WAIT_S = 1.0


class EdgeDetect:
    """Calls callbacks with `channel` for each edge of `line`, in the order added.

    `bouncetime` (seconds) is RPi.GPIO's: after an edge, further ones are ignored
    for that long.  What a callback raises is printed, and the next one runs.
    """

    def __init__(self, channel: int, line: Input, edge: Edge, bouncetime: float) -> None:
        self.edge = edge
        self.callbacks: list[Callback] = []
        self._channel = channel
        self._line = line
        self._bounce_ns = round(bouncetime * 1e9)
        self._happened = False
        self._stopped = False
        line.clear()
        self._cancel = service.spawn(self._serve())

    async def _serve(self) -> None:
        quiet_until = 0
        while True:
            event = await self._line.wait_for_edge(self.edge)
            if event.timestamp_ns < quiet_until:
                continue
            quiet_until = event.timestamp_ns + self._bounce_ns
            self._happened = True
            for callback in list(self.callbacks):
                if self._stopped:
                    return
                try:
                    callback(self._channel)
                except BaseException:  # SystemExit too: it belongs to the program's thread
                    traceback.print_exc()

    def take_happened(self) -> bool:
        """Whether an edge came since the last call."""
        happened, self._happened = self._happened, False
        return happened

    def stop(self) -> None:
        """No callback starts any more, and the line is not waited for."""
        self._stopped = True
        ended = self._cancel()
        if not service.is_current_thread:
            ended.wait(_STOP_WAIT_S)
