"""Delay: what triggers it again, what ends it, who is told, and when."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import Delay

Runner = Callable[[Awaitable[Any]], Any]


@pytest.fixture
def virtual() -> Runner:
    return lambda coro: pyasync_hw.run(coro, clock=pyasync_hw.VirtualClock())


def test_each_trigger_sets_it_anew(virtual: Runner) -> None:
    async def main() -> None:
        loop, called = asyncio.get_running_loop(), []
        delay = Delay(lambda: called.append(loop.time() - start))
        start = loop.time()
        delay.trigger(2)
        await asyncio.sleep(1.5)
        delay.trigger(2)  # longer
        await asyncio.sleep(1)
        assert delay.running and not called
        delay.trigger(0.25)  # shorter
        await asyncio.sleep(5)
        assert called == [pytest.approx(2.75)]
        assert not delay.running
        delay.trigger(1)
        assert "running" in repr(delay)
        delay.stop()
        delay.stop()
        assert "stopped" in repr(delay)
        await asyncio.sleep(5)
        assert len(called) == 1

    virtual(main())


def test_who_waits_is_told_how_it_ended(virtual: Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        delay = Delay()
        assert await delay.wait() is False  # it does not run
        start = loop.time()
        delay.trigger(1)
        waits = [asyncio.ensure_future(delay.wait()) for _ in range(3)]
        await asyncio.sleep(0.5)
        delay.trigger(1)
        waits.pop().cancel()
        assert await asyncio.gather(*waits) == [True, True]
        assert loop.time() - start == pytest.approx(1.5)
        delay.trigger(1)
        wait = asyncio.ensure_future(delay.wait())
        await asyncio.sleep(0.5)
        delay.stop()
        assert await wait is False
        with delay:
            delay.trigger(1)
            wait = asyncio.ensure_future(delay.wait())
            await asyncio.sleep(0)
        assert await wait is False and not delay.running

    virtual(main())


def test_a_cancelled_wait_leaves_it_running(virtual: Runner) -> None:
    async def main() -> None:
        called: list[int] = []
        delay = Delay(lambda: called.append(1))
        delay.trigger(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(delay.wait(), 0.5)
        assert delay.running
        # The cancel comes when the result is there already.
        wait = asyncio.ensure_future(delay.wait())
        delay._callback = wait.cancel
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert not delay.running and not called

    virtual(main())


def test_coroutine_functions_run_as_tasks_that_stop_does_not_end(virtual: Runner) -> None:
    async def main() -> None:
        done: list[str] = []

        async def work() -> None:
            done.append("begun")
            await asyncio.sleep(1)
            done.append("ended")

        delay = Delay(work)
        delay.trigger(1)
        await delay.wait()
        await asyncio.sleep(0.5)
        delay.trigger(1)
        delay.stop()
        gc.collect()  # nobody else has the task
        await asyncio.sleep(5)
        assert done == ["begun", "ended"]

    virtual(main())


def test_it_may_trigger_itself_and_fail(virtual: Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        errors: list[object] = []
        loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
        times: list[float] = []

        def again() -> None:
            times.append(loop.time())
            if len(times) < 3:
                delay.trigger(1)
            raise KeyError("mine")

        delay = Delay(again)
        start = loop.time()
        delay.trigger(1)
        while len(times) < 3:
            assert await delay.wait()
        assert [time - start for time in times] == pytest.approx([1, 2, 3])
        assert [str(error) for error in errors] == ["'mine'"] * 3

    virtual(main())


@pytest.mark.parametrize("new_loop", [pyasync_hw.new_event_loop, asyncio.SelectorEventLoop])
def test_it_goes_with_its_loop_and_runs_on_the_next(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    called: list[int] = []
    delay = Delay(lambda: called.append(1))

    async def begin(seconds: float) -> None:
        delay.trigger(seconds)

    async def begin_and_wait() -> bool:
        delay.trigger(0)
        return await delay.wait()

    async def elsewhere() -> None:
        for use in (lambda: delay.trigger(1), lambda: asyncio.ensure_future(delay.wait())):
            with pytest.raises(RuntimeError, match="running> on another loop"):
                await (use() or asyncio.sleep(0))

    first, second = new_loop(), new_loop()
    first.run_until_complete(begin(3600))
    second.run_until_complete(elsewhere())
    assert delay.running
    waiter = first.create_task(delay.wait())
    first.run_until_complete(asyncio.sleep(0))
    first.close()
    assert not delay.running
    delay.stop()
    assert second.run_until_complete(begin_and_wait())
    second.close()
    assert called == [1] and not waiter.done()
    waiter._log_destroy_pending = False  # type: ignore[attr-defined]
    waiter.get_coro().close()  # type: ignore[union-attr]


def test_a_loop_that_was_closed_keeps_nothing() -> None:
    class Called:
        def __call__(self) -> None:
            raise AssertionError

    called = Called()
    gone = weakref.ref(called)

    async def begin(callback: Callable[[], None]) -> None:
        Delay(callback).trigger(3600)

    loop = pyasync_hw.new_event_loop()
    loop.run_until_complete(begin(called))
    loop.close()
    del called
    gc.collect()
    assert gone() is None


def test_mistakes() -> None:
    with pytest.raises(TypeError, match="callback must be callable or None"):
        Delay(5)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="no running event loop"):
        Delay().trigger(1)

    async def main() -> None:
        delay = Delay()
        for wrong in (-1, math.nan, math.inf):
            with pytest.raises(ValueError, match="seconds must be 0 to 1e\\+09"):
                delay.trigger(wrong)
        with pytest.raises(TypeError, match="seconds must be a number"):
            delay.trigger("1")  # type: ignore[arg-type]
        assert not delay.running

    asyncio.run(main())
