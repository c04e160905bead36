"""What is meant to differ from asyncio, where no other test says it: docs/compatibility.md."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import pyasync_hw

ROOT = Path(__file__).parents[2]
TABLES = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")


@pytest.fixture
def loop() -> Iterator[Any]:
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


def test_each_row_of_the_table_names_tests_that_are_there() -> None:
    rows = [line for line in TABLES.splitlines() if re.match(r"\| (?!--|what)", line)]
    assert len(rows) > 30, len(rows)
    for row in rows:
        named = re.findall(r"`(\w+/\w+)`: `(test_\w+)`", row)
        assert named, f"no test is named in {row}"
        for file, test in named:
            text = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
            assert f"def {test}(" in text, f"{file} has no {test}"


def test_not_a_number_is_no_time(loop: Any) -> None:
    for schedule in (loop.call_later, loop.call_at):
        with pytest.raises(ValueError, match="NaN"):
            schedule(float("nan"), print)
    with pytest.raises(ValueError, match="NaN"):
        loop.slow_callback_duration = float("nan")


def test_a_context_is_looked_at_when_it_is_given(loop: Any) -> None:
    for schedule in (loop.call_soon, loop.call_soon_threadsafe):
        with pytest.raises(TypeError, match="context"):
            schedule(print, context="no context")
    with pytest.raises(TypeError, match="context"):
        loop.call_later(1, print, context="no context")


def test_a_patched_clock_of_the_process_is_not_the_loops(loop: Any) -> None:
    """freezegun patches time.monotonic(); asyncio's timers then never come."""

    async def main() -> None:
        await asyncio.sleep(0.001)

    with mock.patch.object(time, "monotonic", lambda: 0.0):
        assert loop.time() > 0
        loop.run_until_complete(main())


def test_handles_are_instances_but_of_other_types(loop: Any) -> None:
    soon, later = loop.call_soon(print), loop.call_later(1, print)
    assert isinstance(soon, asyncio.Handle)
    assert isinstance(later, asyncio.TimerHandle)
    assert not issubclass(type(soon), asyncio.Handle)
    assert soon.__class__ is asyncio.Handle


def test_patches_of_other_methods_of_handles_are_not_seen(loop: Any) -> None:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise LookupError("patched")

    with (
        mock.patch.object(asyncio.Handle, "__init__", refuse),
        mock.patch.object(asyncio.Handle, "cancel", refuse),
        mock.patch.object(asyncio.TimerHandle, "_run", refuse),
    ):
        loop.call_soon(print).cancel()
        loop.call_later(0, len, "")._run()


def test_a_patch_of_how_descriptors_are_registered_is_not_seen() -> None:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise LookupError("patched")

    with mock.patch.object(asyncio.SelectorEventLoop, "_add_reader", refuse):
        loop = pyasync_hw.new_event_loop()
    loop.close()


def test_timers_do_not_tell_the_loop_that_they_are_cancelled() -> None:
    class Told(pyasync_hw.EventLoop):
        def _timer_handle_cancelled(self, timer: Any) -> None:
            raise LookupError("told")

    loop = Told()
    loop.call_later(1, print).cancel()
    assert list(loop._scheduled) == []
    loop.close()


def test_signals_wake_the_loop_without_a_handler_of_its_own(loop: Any) -> None:
    async def main() -> int:
        return signal.set_wakeup_fd(-1)

    assert loop.run_until_complete(main()) == loop._csock.fileno()


def test_how_signals_come_can_be_overridden() -> None:
    seen: list[Any] = []

    class Telling(pyasync_hw.EventLoop):
        def _process_self_data(self, data: bytes) -> None:
            seen.append(data)
            super()._process_self_data(data)  # type: ignore[misc]

        def _handle_signal(self, sig: int) -> None:
            seen.append(sig)
            super()._handle_signal(sig)  # type: ignore[misc]

    loop = Telling()
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    loop.call_soon(signal.raise_signal, signal.SIGUSR1)
    loop.run_forever()
    loop.remove_signal_handler(signal.SIGUSR1)
    loop.close()
    assert seen == [bytes([signal.SIGUSR1]), signal.SIGUSR1]


def test_plain_attributes_are_what_they_are_called(loop: Any) -> None:
    async def main() -> None:
        assert loop._thread_id is not None
        assert loop._default_executor is None
        await asyncio.to_thread(int)
        assert isinstance(loop._default_executor, pyasync_hw.executor.ThreadPoolExecutor)
        server = await asyncio.start_server(print, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert len(loop._transports) > 0
        writer.close()
        await writer.wait_closed()
        server.close()
        loop._stopping = True
        await asyncio.sleep(60)

    assert (loop._thread_id, loop._internal_fds, loop._closed) == (None, 1, False)
    loop._debug = True
    assert loop.get_debug()
    loop._debug = False
    task = loop.create_task(main())
    with pytest.raises(RuntimeError, match="stopped before"):
        loop.run_until_complete(task)
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.run_until_complete(loop.shutdown_default_executor())
    made: list[Any] = []

    def make(loop: Any, coroutine: Any, **keywords: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop)

    loop._task_factory = make
    coroutine = asyncio.sleep(0)
    loop.run_until_complete(coroutine)
    assert made == [coroutine]
