"""loop.run_in_executor() and asyncio.to_thread(): what asyncio does, on our executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import VirtualClock
from pyasync_hw.executor import ThreadPoolExecutor

run = pyasync_hw.run
var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")


@pytest.fixture(params=["real", "virtual"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    clock = VirtualClock() if request.param == "virtual" else None
    with asyncio.Runner(loop_factory=lambda: pyasync_hw.new_event_loop(clock)) as runner:
        yield runner


# -- where it runs -----------------------------------------------------------


def test_the_default_executor_is_ours(runner: asyncio.Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        thread = await loop.run_in_executor(None, threading.current_thread)
        assert thread is not threading.current_thread()
        assert thread.name == "asyncio_0"
        assert isinstance(loop._default_executor, ThreadPoolExecutor)  # type: ignore[attr-defined]
        assert await asyncio.to_thread(pow, 2, 5) == 32

    runner.run(main())


def test_an_executor_of_ours_given(runner: asyncio.Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "given") as pool:
            thread = await loop.run_in_executor(pool, threading.current_thread)
            assert thread.name == "given_0"
            loop.set_default_executor(pool)
            assert await loop.run_in_executor(None, threading.current_thread) is thread

    runner.run(main())


def test_foreign_executors(runner: asyncio.Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor(1, "foreign") as pool:
            assert (await loop.run_in_executor(pool, threading.current_thread)).name == "foreign_0"
            with pytest.raises(ZeroDivisionError):
                await loop.run_in_executor(pool, divmod, 1, 0)
            loop.set_default_executor(pool)
            assert (await asyncio.to_thread(threading.current_thread)).name == "foreign_0"
        with pytest.raises(TypeError, match="ThreadPoolExecutor"):
            loop.set_default_executor(object())  # type: ignore[arg-type]

    runner.run(main())


def test_a_subclass_sees_the_jobs_in_its_submit(runner: asyncio.Runner) -> None:
    seen: list[Callable[..., Any]] = []

    class Noting(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            seen.append(fn)
            return super().submit(fn, *args, **kwargs)

    async def main() -> None:
        with Noting(1) as pool:
            assert await asyncio.get_running_loop().run_in_executor(pool, pow, 2, 3) == 8
        assert seen == [pow]

    runner.run(main())


def test_arguments() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(executor=None, func=int) == 0
        assert await loop.run_in_executor(None, func=int) == 0
        add: Any = lambda *args: sum(args)  # noqa: E731
        assert await loop.run_in_executor(None, add, *range(100)) == 4950
        for call, text in (
            (lambda: loop.run_in_executor(), "missing 2 .*executor"),  # type: ignore[call-arg]
            (lambda: loop.run_in_executor(None), "missing 1 .*'func'"),  # type: ignore[call-arg]
            (lambda: loop.run_in_executor(None, int, base=2), "'base'"),  # type: ignore[call-arg]
            (lambda: loop.run_in_executor(None, int, func=int), "multiple values"),  # type: ignore[misc]
        ):
            with pytest.raises(TypeError, match=text):
                call()
        with pytest.raises(AttributeError):
            loop.run_in_executor(3, int)  # type: ignore[arg-type]

    run(main())


def test_context_is_carried_by_to_thread_only() -> None:
    async def main() -> None:
        var.set("mine")
        assert await asyncio.get_running_loop().run_in_executor(None, var.get) == "unset"
        assert await asyncio.to_thread(var.get) == "mine"

    run(main())


def test_debug_mode_refuses_coroutine_functions() -> None:
    async def coroutine() -> None: ...

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TypeError, match="coroutines cannot be used with run_in_executor"):
            loop.run_in_executor(None, coroutine)

    run(main(), debug=True)


# -- results -----------------------------------------------------------------


def test_ten_thousand_jobs_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        squares = await asyncio.gather(
            *[loop.run_in_executor(None, pow, i, 2) for i in range(10_000)]
        )
        assert squares == [i * i for i in range(10_000)]

    run(main())


def test_one_wake_for_a_burst() -> None:
    """The results of short jobs come in batches: far fewer polls than jobs."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, pyasync_hw.EventLoop)
        await loop.run_in_executor(None, int)
        polls = loop.stats()["polls"]
        await asyncio.gather(*[loop.run_in_executor(None, int) for _ in range(1000)])
        assert loop.stats()["polls"] - polls < 500

    run(main())


class Interrupt(BaseException):
    pass


def fail_with(exc: BaseException) -> None:
    raise exc


@pytest.mark.parametrize(
    "kind",
    [ValueError, Interrupt, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError],
)
def test_every_exception_reaches_the_future(runner: asyncio.Runner, kind: Any) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().run_in_executor(None, fail_with, kind("x"))
        await asyncio.wait([future])
        exc = future.exception()
        assert type(exc) is kind and exc.args == ("x",)
        assert exc.__traceback__ is not None
        assert exc.__traceback__.tb_frame.f_code is fail_with.__code__

    runner.run(main())


def test_stop_iteration() -> None:
    """As asyncio.Future.set_exception() has it; before about Python 3.12.2, it raises."""

    async def main() -> None:
        future = asyncio.get_running_loop().run_in_executor(None, next, iter(()))
        with pytest.raises(
            (TypeError, RuntimeError), match="StopIteration interacts badly"
        ) as caught:
            await future
        assert isinstance(caught.value.__cause__, StopIteration)
        other = asyncio.get_running_loop().create_future()
        try:
            other.set_exception(StopIteration())
            error = other.exception()
        except TypeError as refusal:
            error = refusal
        assert type(caught.value) is type(error)

    run(main())


@pytest.mark.parametrize(
    ("raised", "awaited"),
    [
        (concurrent.futures.CancelledError, asyncio.CancelledError),
        (concurrent.futures.InvalidStateError, asyncio.InvalidStateError),
        (concurrent.futures.TimeoutError, asyncio.TimeoutError),
    ],
)
def test_exceptions_of_concurrent_futures_become_asyncios(raised: Any, awaited: Any) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().run_in_executor(None, fail_with, raised("x"))
        await asyncio.wait([future])
        with pytest.raises(awaited, match="x"):
            future.result()

    run(main())


def test_a_result_that_somebody_else_set_is_reported() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reports: list[dict[str, Any]] = []
        reported = asyncio.Event()

        def report(_: Any, context: dict[str, Any]) -> None:
            reports.append(context)
            reported.set()

        loop.set_exception_handler(report)
        future = loop.run_in_executor(None, int)
        future.set_result(1)
        await asyncio.wait_for(reported.wait(), 10)
        assert isinstance(reports[0]["exception"], asyncio.InvalidStateError)

    run(main())


# -- what is kept alive ------------------------------------------------------


class Big:
    def method(self) -> None:
        pass


def test_function_and_arguments_are_released_when_it_ends() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        big, other = Big(), Big()
        alive = weakref.ref(big), weakref.ref(other)
        future = loop.run_in_executor(None, functools.partial(id, big), other)
        future.add_done_callback(lambda f: f.exception())
        kept = loop.run_in_executor(None, other.method)
        del big, other
        await asyncio.wait([future, kept])
        assert [reference() for reference in alive] == [None, None]

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


def test_no_cycle_keeps_the_frames_of_an_exception() -> None:
    def fail(big: Big) -> None:
        raise ValueError

    async def main() -> None:
        big = Big()
        alive = weakref.ref(big)
        future = asyncio.get_running_loop().run_in_executor(None, fail, big)
        await asyncio.wait([future])
        assert isinstance(future.exception(), ValueError)
        del future, big
        assert alive() is None

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


# -- the end of a loop -------------------------------------------------------


def test_shutdown_default_executor(runner: asyncio.Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        thread = await loop.run_in_executor(None, threading.current_thread)
        queued = [loop.run_in_executor(None, pow, i, 2) for i in range(100)]
        await loop.shutdown_default_executor()
        assert not thread.is_alive()
        assert await asyncio.gather(*queued) == [i * i for i in range(100)]
        with pytest.raises(RuntimeError, match=r"^Executor shutdown has been called$"):
            loop.run_in_executor(None, int)

    runner.run(main())


def test_close_with_jobs_running_and_queued() -> None:
    entered, opened = threading.Event(), threading.Event()
    ran: list[int] = []

    def job() -> Big:
        entered.set()
        opened.wait(10)
        return Big()

    loop = pyasync_hw.new_event_loop()
    pool = ThreadPoolExecutor(1)
    loop.set_default_executor(pool)
    running = loop.run_in_executor(None, job)
    queued = [loop.run_in_executor(None, ran.append, i) for i in range(5)]
    assert entered.wait(10)
    loop.close()  # as asyncio: shutdown(wait=False)
    threads = list(pool._threads)
    opened.set()
    for thread in threads:
        thread.join(10)
    assert ran == [0, 1, 2, 3, 4]
    assert not any(future.done() for future in (running, *queued))
    with pytest.raises(RuntimeError, match=r"^Event loop is closed$"):
        loop.run_in_executor(None, int)


def test_close_with_results_that_nobody_took() -> None:
    loop = pyasync_hw.new_event_loop()
    pool = ThreadPoolExecutor(1)
    future = loop.run_in_executor(pool, Big)
    pool.shutdown()
    loop.close()
    assert not future.done()


def test_a_loop_that_is_dropped_with_a_job() -> None:
    pool = ThreadPoolExecutor(1)
    loop = pyasync_hw.new_event_loop()
    reference = weakref.ref(loop)
    future = loop.run_in_executor(pool, Big)
    pool.shutdown()
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del loop, future
        gc.collect()
    assert reference() is None


def test_an_executor_that_was_shut_down() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1)
        pool.shutdown()
        with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
            loop.run_in_executor(pool, int)

    run(main())


def test_a_pool_that_breaks(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1, initializer=fail_with, initargs=(ValueError(),))
        with pytest.raises(concurrent.futures.thread.BrokenThreadPool):
            await loop.run_in_executor(pool, int)
        pool.shutdown()

    run(main())
    caplog.clear()  # its traceback holds the thread's frame


def test_jobs_of_two_loops_in_one_executor() -> None:
    with ThreadPoolExecutor(2) as pool:

        def other() -> None:
            run(main())

        async def main() -> None:
            loop = asyncio.get_running_loop()
            for i in range(200):
                assert await loop.run_in_executor(pool, pow, i, 2) == i * i

        thread = threading.Thread(target=other)
        thread.start()
        run(main())
        thread.join()


# -- virtual time ------------------------------------------------------------


def test_a_job_holds_the_virtual_clock(runner: asyncio.Runner) -> None:
    """No time passes while a job runs, be it queued behind another or not."""
    loop = runner.get_loop()
    assert isinstance(loop, pyasync_hw.EventLoop)
    if loop.clock is None:
        pytest.skip("in real time it passes")
    opened = threading.Event()

    async def main() -> None:
        started = loop.time()
        with ThreadPoolExecutor(1) as pool:
            jobs = [loop.run_in_executor(pool, opened.wait, 10) for _ in range(3)]
            timer = loop.create_task(asyncio.sleep(3600))
            thread = threading.Timer(0.05, opened.set)
            thread.start()
            await asyncio.gather(*jobs)
            assert loop.time() == started
            await timer
            assert loop.time() == started + 3600
            thread.join()

    runner.run(main())


def test_a_dropped_job_lets_the_virtual_clock_go() -> None:
    entered, opened = threading.Event(), threading.Event()
    clock = VirtualClock()

    def job() -> None:
        entered.set()
        opened.wait(10)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(job)
            assert entered.wait(10)
            dropped = loop.run_in_executor(pool, pytest.fail)
            dropped.cancel()
            await asyncio.sleep(3600)
            refused = loop.run_in_executor(pool, pytest.fail)
            pool.shutdown(wait=False, cancel_futures=True)
            with pytest.raises(asyncio.CancelledError):
                await refused
            await asyncio.sleep(3600)
            with pytest.raises(RuntimeError):
                loop.run_in_executor(pool, int)
            await asyncio.sleep(3600)
            opened.set()

    with asyncio.Runner(loop_factory=lambda: pyasync_hw.new_event_loop(clock)) as runner:
        runner.run(main())
    with pytest.raises(RuntimeError, match="without hold"):
        clock.release()
