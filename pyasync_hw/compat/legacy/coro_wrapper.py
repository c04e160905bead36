"""What @asyncio.coroutine made in debug mode: a generator that is missed when nobody ran it."""

from __future__ import annotations

import sys
from asyncio import format_helpers
from asyncio.log import logger
from collections.abc import Generator
from typing import Any

__all__ = ["CoroWrapper"]


class CoroWrapper:
    """A generator coroutine; that it was never yielded from is logged when it goes."""

    def __init__(self, gen: Any, func: Any = None) -> None:
        self.gen = gen
        self.func = func
        self.__name__ = getattr(func or gen, "__name__", None)
        self.__qualname__ = getattr(func or gen, "__qualname__", None)
        self._source_traceback = format_helpers.extract_stack(sys._getframe(1))

    def __iter__(self) -> CoroWrapper:
        return self

    __await__ = __iter__

    def __next__(self) -> Any:
        return self.gen.send(None)

    def send(self, value: Any) -> Any:
        """As of a generator."""
        return self.gen.send(value)

    def throw(self, *exc: Any) -> Any:
        """As of a generator."""
        return self.gen.throw(*exc)

    def close(self) -> None:
        """As of a generator."""
        self.gen.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("gi_"):
            return getattr(self.gen, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __del__(self) -> None:
        frame = self.gen.gi_frame if hasattr(self, "_source_traceback") else None
        if frame is not None and frame.f_lasti <= _BEFORE_THE_FIRST_LINE:
            created = "".join(self._source_traceback.format())
            logger.error(
                f"<{type(self).__name__} {self.__qualname__}()> was never yielded from\n"
                f"Coroutine object created at (most recent call last):\n{created.rstrip()}"
            )


def _never_run() -> Generator[None, None, None]:
    yield


_unbegun: Any = _never_run()
_BEFORE_THE_FIRST_LINE: int = _unbegun.gi_frame.f_lasti  # since Python 3.11 no more -1
