"""in_child: run a function in a forked child, and have its result here; and what such tests run."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pyasync_hw

TIME_LIMIT = 30


class Child:
    """A child that runs `function`, whose result() is pickled to us."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._reading, writing = os.pipe()
        with warnings.catch_warnings():
            # "multi-threaded, use of fork() may lead to deadlocks": just that is tested
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(TIME_LIMIT)
            try:
                outcome = (True, function())
            except BaseException:
                outcome = (False, traceback.format_exc())
            os.write(writing, pickle.dumps(outcome))
            os._exit(0)
        os.close(writing)

    def result(self) -> Any:
        data = b""
        while chunk := os.read(self._reading, 65536):
            data += chunk
        os.close(self._reading)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        assert data, f"the child ended with {status} and no result"
        fine, value = pickle.loads(data)
        assert fine, f"in the child:\n{value}"
        return value


def in_child(function: Callable[[], Any]) -> Any:
    return Child(function).result()


def error_of(function: Callable[[], object]) -> str:
    """What its RuntimeError says."""
    try:
        function()
    except RuntimeError as error:
        return str(error)
    return "no error"


# -- what is run ---------------------------------------------------------------------


def turn(loop: pyasync_hw.EventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def loop_fixture(*, has_run: bool) -> Any:
    @pytest.fixture
    def loop() -> Iterator[pyasync_hw.EventLoop]:
        loop = pyasync_hw.new_event_loop()
        if has_run:
            turn(loop)
        yield loop
        loop.close()

    return loop


def nothing(*args: object) -> None:
    pass


async def answer() -> int:
    await asyncio.sleep(0.001)
    return await asyncio.to_thread(lambda: 42)
