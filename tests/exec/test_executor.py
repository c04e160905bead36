"""ThreadPoolExecutor as concurrent.futures has it: submit, map, shutdown, threads."""

from __future__ import annotations

import concurrent.futures
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyasync_hw import CancelToken, executor
from pyasync_hw.executor import ThreadPoolExecutor


class Gate:
    """A job that stays in its thread until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, result: Any = None) -> Any:
        self.entered.set()
        assert self.opened.wait(10)
        return result


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def test_it_is_a_thread_pool_executor() -> None:
    with ThreadPoolExecutor() as pool:
        assert isinstance(pool, concurrent.futures.ThreadPoolExecutor)
        future = pool.submit(divmod, 7, 2)
        assert isinstance(future, concurrent.futures.Future)
        assert future.result(10) == (3, 1)
        assert list(pool.map(pow, range(5), range(5))) == [1, 1, 4, 27, 256]


def test_default_size_is_that_of_this_python() -> None:
    with ThreadPoolExecutor() as mine, concurrent.futures.ThreadPoolExecutor() as theirs:
        assert mine._max_workers == theirs._max_workers


def test_keywords_and_exceptions() -> None:
    def fail(*, text: str) -> None:
        raise LookupError(text)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(int, "11", base=2).result(10) == 3
        with pytest.raises(LookupError, match=r"^no$"):
            pool.submit(fail, text="no").result(10)
        for kind in (KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration):
            assert isinstance(pool.submit(_raise, kind()).exception(10), kind)
        assert pool.submit(len, "abc").result(10) == 3  # the thread has survived all


def _raise(exc: BaseException) -> None:
    raise exc


def test_jobs_run_in_order() -> None:
    seen: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        for i in range(1000):
            pool.submit(seen.append, i)
    assert seen == list(range(1000))


def test_ten_thousand_jobs() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda i: i, range(10_000))) == 49_995_000


def test_blocked_jobs_do_not_stop_others(gate: Gate) -> None:
    """As long as there are threads, a job that blocks has a successor."""
    with ThreadPoolExecutor(4) as pool:
        blocked = [pool.submit(gate, i) for i in range(3)]
        assert [pool.submit(pow, i, 2).result(10) for i in range(100)] == [
            i * i for i in range(100)
        ]
        barrier = threading.Barrier(2)  # all four threads, and the main one
        last = pool.submit(barrier.wait, 10)
        barrier.wait(10)
        last.result(10)
        gate.opened.set()
        assert [future.result(10) for future in blocked] == [0, 1, 2]


def test_all_threads_work_at_once() -> None:
    barrier = threading.Barrier(6)
    with ThreadPoolExecutor(6) as pool:
        for _ in range(20):  # the first time they start, then they are woken
            waits = [pool.submit(barrier.wait, 10) for _ in range(6)]
            assert sorted(wait.result(10) for wait in waits) == list(range(6))


def test_threads_on_demand_only(gate: Gate) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}
        for _ in range(10):
            pool.submit(int).result(10)
        assert len(pool._threads) == 1
        jobs = [pool.submit(gate) for _ in range(5)]
        assert len(pool._threads) == 3
        assert gate.entered.wait(10)
        gate.opened.set()
        concurrent.futures.wait(jobs)


def test_threads_are_real_and_named() -> None:
    def look() -> threading.Thread:
        return threading.current_thread()

    with ThreadPoolExecutor(2, thread_name_prefix="loader") as pool:
        thread = pool.submit(look).result(10)
        assert thread.name == "loader_0"
        assert thread in threading.enumerate()
        assert thread in pool._threads
    assert not thread.is_alive()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result(10).name.startswith("ThreadPoolExecutor-")


def test_settrace_reaches_the_jobs() -> None:
    seen: list[str] = []

    def trace(frame: Any, event: str, arg: Any) -> None:
        seen.append(frame.f_code.co_name)

    def traced_job() -> None:
        pass

    threading.settrace(trace)
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(traced_job).result(10)
    finally:
        threading.settrace(None)  # type: ignore[arg-type]
    assert "traced_job" in seen


def test_idle_threads_end_and_come_back() -> None:
    with ThreadPoolExecutor(2, "short", idle_timeout=0) as pool:
        for _ in range(3):
            thread = pool.submit(threading.current_thread).result(10)
            thread.join(10)
            assert not thread.is_alive()
            assert thread.name == "short_0"
            assert pool._threads == set()
            assert pool.stats()["threads"] == 0


def test_threads_stay_without_an_idle_timeout() -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(threading.current_thread).result(10)
        first.join(0.05)
        assert pool.submit(threading.current_thread).result(10) is first


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), "1", 1e10])
def test_bad_idle_timeout(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="idle_timeout"):
        ThreadPoolExecutor(idle_timeout=bad)


def test_bad_arguments_as_concurrent_futures() -> None:
    with pytest.raises(ValueError, match="max_workers must be greater than 0"):
        ThreadPoolExecutor(0)
    with pytest.raises(TypeError, match="initializer must be a callable"):
        ThreadPoolExecutor(initializer=1)  # type: ignore[arg-type]


# -- cancel ------------------------------------------------------------------


def test_cancel_of_a_queued_job(gate: Gate) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(gate)
        assert gate.entered.wait(10)
        queued = pool.submit(pytest.fail)
        assert pool.stats()["queued"] == 1
        assert queued.cancel()
        assert queued.cancel()
        assert pool.stats()["queued"] == 0  # at once
        # Nobody waits for a worker to come by.
        assert concurrent.futures.wait([queued], 10).done == {queued}
        assert list(concurrent.futures.as_completed([queued], 10)) == [queued]
        assert not running.cancel()
        assert running.running()
        gate.opened.set()


def test_cancel_releases_what_the_job_holds(gate: Gate) -> None:
    class Big:
        pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(gate)
        assert gate.entered.wait(10)
        big = Big()
        alive = weakref.ref(big)
        future = pool.submit(id, big)
        del big
        assert future.cancel()
        assert alive() is None
        gate.opened.set()


def test_token_of_a_future() -> None:
    entered = threading.Event()

    def job() -> bool:
        token = executor.current_token()
        assert token is not None
        entered.set()
        return token.wait(10)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(job)
        assert entered.wait(10)
        assert not future.cancel()
        future.token.cancel()
        assert future.result(10) is True
        assert isinstance(future.token, CancelToken)
    with pytest.raises(RuntimeError, match="belongs to no executor"):
        _ = executor.Future[int]().token


# -- shutdown ----------------------------------------------------------------


def test_shutdown_runs_what_is_queued(gate: Gate) -> None:
    pool = ThreadPoolExecutor(1)
    pool.submit(gate)
    queued = [pool.submit(pow, i, 2) for i in range(5)]
    pool.shutdown(wait=False)
    threads = list(pool._threads)
    with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
        pool.submit(int)
    gate.opened.set()
    pool.shutdown()
    assert [future.result(0) for future in queued] == [0, 1, 4, 9, 16]
    assert not any(thread.is_alive() for thread in threads)
    pool.shutdown(wait=True, cancel_futures=True)  # again, in all forms


def test_shutdown_cancels_futures(gate: Gate) -> None:
    pool = ThreadPoolExecutor(1)
    running = pool.submit(gate, "ran")
    assert gate.entered.wait(10)
    queued = [pool.submit(pytest.fail) for _ in range(5)]
    pool.shutdown(wait=False, cancel_futures=True)
    assert concurrent.futures.wait(queued, 10).not_done == set()
    assert all(future.cancelled() for future in queued)
    gate.opened.set()
    pool.shutdown()
    assert running.result(0) == "ran"


def test_a_dropped_executor_ends_its_threads() -> None:
    pool = ThreadPoolExecutor(2)
    futures = [pool.submit(pow, i, 2) for i in range(10)]
    threads = list(pool._threads)
    reference = weakref.ref(pool)
    del pool
    gc.collect()
    assert reference() is None
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert [future.result(0) for future in futures] == [i * i for i in range(10)]


def test_an_executor_without_init() -> None:
    class Lazy(ThreadPoolExecutor):
        def __init__(self) -> None:
            pass

    with pytest.raises(RuntimeError, match=r"call super\(\).__init__\(\)"):
        Lazy().submit(int)


def test_init_only_once() -> None:
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.current_thread).result(10)
        with pytest.raises(RuntimeError, match="initialized already"):
            pool.__init__(2)  # type: ignore[misc]
        assert pool._max_workers == 1 and pool._threads == {thread}
    assert not thread.is_alive()  # shutdown() still knows it
    with pytest.raises(RuntimeError, match="initialized already"):
        pool.__init__(2)  # type: ignore[misc]
    assert pool._shutdown


# -- initializer -------------------------------------------------------------


def test_initializer_runs_in_each_thread() -> None:
    local = threading.local()

    def set_up(value: int) -> None:
        local.value = value

    with ThreadPoolExecutor(3, initializer=set_up, initargs=(5,)) as pool:
        barrier = threading.Barrier(3)

        def read() -> int:
            barrier.wait(10)
            return int(local.value)

        assert [f.result(10) for f in [pool.submit(read) for _ in range(3)]] == [5] * 3


def test_a_failing_initializer_breaks_the_pool(caplog: pytest.LogCaptureFixture) -> None:
    enter = threading.Event()

    def fail() -> None:
        enter.wait(10)
        raise ValueError("no")

    with ThreadPoolExecutor(1, initializer=fail) as pool:
        futures = [pool.submit(int) for _ in range(3)]
        enter.set()
        for future in futures:
            with pytest.raises(concurrent.futures.thread.BrokenThreadPool):
                future.result(10)
        with pytest.raises(concurrent.futures.thread.BrokenThreadPool, match="not usable"):
            pool.submit(int)
    assert "Exception in initializer" in caplog.text
    caplog.clear()  # its traceback holds the thread's frame


# -- threads that do not start -----------------------------------------------


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with ThreadPoolExecutor(2) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            for _ in range(3):
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    pool.submit(pytest.fail)
            assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}
            assert not pool._threads
        assert pool.submit(int).result(10) == 0


def test_a_subclass_with_a_submit_of_its_own() -> None:
    class Counting(ThreadPoolExecutor):
        count = 0

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return super().submit(fn, *args, **kwargs)

    with Counting(1) as pool:
        assert list(pool.map(abs, [-1, -2])) == [1, 2]
        assert pool.count == 2


@pytest.mark.skipif(sys.version_info < (3, 14), reason="came with Python 3.14")
def test_worker_contexts_are_refused() -> None:
    class Odd(ThreadPoolExecutor):
        @classmethod
        def prepare_context(cls, initializer: Any, initargs: Any) -> Any:
            return super().prepare_context(initializer, initargs)  # type: ignore[misc]

    with pytest.raises(TypeError, match="prepare_context"):
        Odd()


def test_exceptions_do_not_keep_the_job_alive() -> None:
    """The traceback refers to the frame of the call, which must not refer to its future."""

    class Big:
        pass

    def fail(big: Big) -> None:
        raise ValueError

    gc.disable()
    try:
        with ThreadPoolExecutor(1) as pool:
            big = Big()
            alive = weakref.ref(big)
            future = pool.submit(fail, big)
            concurrent.futures.wait([future])
            del big, future
        assert alive() is None
    finally:
        gc.enable()
