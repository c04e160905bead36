"""Threads that start slowly, or not at all: every job is run or refused, nobody waits for ever."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.thread import BrokenThreadPool
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import VirtualClock
from pyasync_hw.executor import ThreadPoolExecutor
from tests.exec.test_exit import run_program
from tests.forking import in_child

TIME_LIMIT = 30
NO_THREAD = "can't start new thread"
start = threading.Thread.start


class Starts:
    """threading.Thread.start() for threads of a pool: `plan` says what each does, in order.

    None: it starts.  An exception: it fails.  A function: it is called in start().
    """

    def __init__(self) -> None:
        self.plan: list[Any] = []
        self.tried = 0

    def start(self, thread: threading.Thread) -> None:
        if not thread.name.startswith(("pool", "asyncio_")):
            start(thread)
            return
        self.tried += 1
        step = self.plan.pop(0) if self.plan else None
        if callable(step):
            step = step()
        if step is not None:
            raise step
        start(thread)


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    starts = Starts()
    monkeypatch.setattr(threading.Thread, "start", lambda thread: starts.start(thread))
    return starts


@pytest.fixture
def opened() -> Iterator[threading.Event]:
    """For jobs that wait in their thread; set in any case."""
    event = threading.Event()
    yield event
    event.set()


def no_thread() -> RuntimeError:
    return RuntimeError(NO_THREAD)


def in_thread(function: Callable[[], Any]) -> Any:
    """What function() returns in another thread."""
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        return other.submit(function).result(TIME_LIMIT)


def pool_of(size: int, **options: Any) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="pool", **options)


# -- a job that counts on somebody else's thread ------------------------------


def test_what_others_queued_gets_an_attempt_of_its_own(starts: Starts) -> None:
    with pool_of(1) as pool:
        futures: list[Any] = []

        def queue_others_and_fail() -> BaseException:
            futures.extend(in_thread(lambda: [pool.submit(pow, i, 2) for i in range(3)]))
            return no_thread()

        starts.plan = [queue_others_and_fail]
        with pytest.raises(RuntimeError, match=NO_THREAD):
            pool.submit(pytest.fail)
        assert [future.result(TIME_LIMIT) for future in futures] == [0, 1, 4]
        assert starts.tried == 2


def test_and_fails_when_that_fails(starts: Starts) -> None:
    with pool_of(1) as pool:
        futures: list[Any] = []

        def queue_others_and_fail() -> BaseException:
            futures.extend(in_thread(lambda: [pool.submit(pytest.fail) for _ in range(3)]))
            return no_thread()

        starts.plan = [queue_others_and_fail, no_thread()]
        with pytest.raises(RuntimeError, match=NO_THREAD):
            pool.submit(pytest.fail)
        errors = [future.exception(TIME_LIMIT) for future in futures]
        assert [(type(error), str(error)) for error in errors] == [(RuntimeError, NO_THREAD)] * 3
        assert len({id(error) for error in errors}) == 3  # to raise one changes it
        assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}
        assert not pool._threads
        assert pool.submit(int).result(TIME_LIMIT) == 0  # it works again


@pytest.mark.parametrize("clock", [None, VirtualClock], ids=["real", "virtual"])
@pytest.mark.parametrize("own_pool", [False, True], ids=["default", "own"])
def test_jobs_of_a_loop_fail_with_it(
    starts: Starts, clock: type[VirtualClock] | None, own_pool: bool
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = pool_of(1)
        loop.set_default_executor(pool)
        given = pool if own_pool else None
        futures: list[Any] = []

        def queue_another_and_fail() -> BaseException:
            futures.append(loop.run_in_executor(given, pytest.fail))
            return no_thread()

        starts.plan = [queue_another_and_fail, no_thread()]
        with pytest.raises(RuntimeError, match=NO_THREAD):
            loop.run_in_executor(given, pytest.fail)
        with pytest.raises(RuntimeError, match=NO_THREAD):
            await asyncio.wait_for(futures[0], TIME_LIMIT)
        await asyncio.sleep(0.001)  # no job holds a virtual clock
        assert await loop.run_in_executor(given, int) == 0

    runner = asyncio.Runner(loop_factory=lambda: pyasync_hw.new_event_loop(clock and clock()))
    with runner:
        runner.run(main())


def test_the_default_executor_of_a_loop(starts: Starts) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        starts.plan = [no_thread()]
        with pytest.raises(RuntimeError, match=NO_THREAD):
            await asyncio.to_thread(int)
        assert await asyncio.to_thread(int) == 0
        starts.plan = [no_thread() for _ in range(5)]
        blocked = threading.Event()
        first = loop.run_in_executor(None, blocked.wait, TIME_LIMIT)
        with pytest.raises(RuntimeError, match=NO_THREAD):
            loop.run_in_executor(None, int)
        blocked.set()
        assert await first

    pyasync_hw.run(main())


def test_others_that_are_busy_run_what_is_queued(starts: Starts, opened: threading.Event) -> None:
    with pool_of(2) as pool:
        busy = pool.submit(opened.wait, TIME_LIMIT)
        futures: list[Any] = []

        def queue_another_and_fail() -> BaseException:
            futures.append(in_thread(lambda: pool.submit(int)))
            return no_thread()

        starts.plan = [queue_another_and_fail, no_thread()]
        with pytest.raises(RuntimeError, match=NO_THREAD):
            pool.submit(pytest.fail)
        assert pool.stats() == {"queued": 1, "threads": 1, "idle": 0}
        opened.set()
        assert futures[0].result(TIME_LIMIT) == 0
        assert busy.result(TIME_LIMIT)


def test_a_busy_thread_may_wait_for_what_is_queued(starts: Starts, opened: threading.Event) -> None:
    """So that counts on a thread of its own, even if the first attempt at it failed."""
    with pool_of(2) as pool:
        busy = pool.submit(opened.wait, TIME_LIMIT)

        def queue_another_and_fail() -> BaseException:
            in_thread(lambda: pool.submit(opened.set))
            return no_thread()

        starts.plan = [queue_another_and_fail]
        with pytest.raises(RuntimeError, match=NO_THREAD):
            pool.submit(pytest.fail)
        assert busy.result(TIME_LIMIT)


def test_an_idle_thread_takes_the_job_of_one_that_fails(starts: Starts) -> None:
    """It comes while the start is tried: then nothing has failed."""
    with pool_of(2) as pool:
        busy = threading.Event()
        first = pool.submit(busy.wait, TIME_LIMIT)
        taken = threading.Event()

        def wait_until_it_runs() -> BaseException:
            busy.set()
            assert taken.wait(TIME_LIMIT)
            return no_thread()

        starts.plan = [wait_until_it_runs]
        assert pool.submit(lambda: (taken.set(), 5)[1]).result(TIME_LIMIT) == 5
        assert first.result(TIME_LIMIT)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("each", [1, 2, 3])
def test_many_submit_while_each_nth_start_fails(starts: Starts, size: int, each: int) -> None:
    lock = threading.Lock()

    def step() -> BaseException | None:
        starts.plan.append(step)
        with lock:
            number = starts.tried
        threading.Event().wait(0.0005)  # others count on it meanwhile
        return no_thread() if number % each == 0 else None

    starts.plan = [step] * 8
    done: list[int] = []
    refused: list[int] = []

    def use(pool: ThreadPoolExecutor, numbers: range) -> None:
        futures = {}
        for i in numbers:
            try:
                futures[i] = pool.submit(pow, i, 2)
            except RuntimeError:
                refused.append(i)
        for i, future in futures.items():
            try:
                assert future.result(TIME_LIMIT) == i * i
                done.append(i)
            except RuntimeError as error:
                assert str(error) == NO_THREAD
                refused.append(i)

    with pool_of(size, idle_timeout=0) as pool:  # so that they start again and again
        with concurrent.futures.ThreadPoolExecutor(4) as users:
            for user in [users.submit(use, pool, range(n, n + 50)) for n in range(0, 200, 50)]:
                user.result(TIME_LIMIT)
        assert sorted(done + refused) == list(range(200))
        assert bool(done) == (each > 1)
        assert pool.stats()["queued"] == 0


def test_a_kept_exception_keeps_no_place(starts: Starts) -> None:
    """Its traceback refers to the frames of the start."""
    with pool_of(1) as pool:
        starts.plan = [no_thread()]
        try:
            pool.submit(pytest.fail)
        except RuntimeError as error:
            kept = error
        assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}
        assert pool.submit(int).result(TIME_LIMIT) == 0
        assert kept.__traceback__ is not None


# -- Ctrl+C in a start ---------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True], ids=["before", "after"])
def test_ctrl_c_in_a_start(starts: Starts, begun: bool) -> None:
    """Before or after the thread begins: the job of others is run, by whatever thread."""
    with pool_of(1) as pool:
        futures: list[Any] = []

        def interrupt() -> BaseException:
            if begun:
                start(created[0])
            futures.append(in_thread(lambda: pool.submit(int)))
            return KeyboardInterrupt()

        created: list[threading.Thread] = []
        plain = starts.start

        def note(thread: threading.Thread) -> None:
            created.append(thread)
            plain(thread)

        starts.start = note  # type: ignore[method-assign]
        starts.plan = [interrupt]
        with pytest.raises(KeyboardInterrupt):
            pool.submit(int)
        assert futures[0].result(TIME_LIMIT) == 0
        assert pool.submit(int).result(TIME_LIMIT) == 0
    assert not any(thread.is_alive() for thread in created if thread.ident is not None)


def test_ctrl_c_twice_is_nobody_elses(starts: Starts) -> None:
    with pool_of(1) as pool:
        futures: list[Any] = []

        def interrupt() -> BaseException:
            futures.append(in_thread(lambda: pool.submit(pytest.fail)))
            return KeyboardInterrupt()

        starts.plan = [interrupt, KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            pool.submit(pytest.fail)
        with pytest.raises(RuntimeError, match=NO_THREAD):
            futures[0].result(TIME_LIMIT)


def test_a_thread_that_was_given_up_runs_nothing(starts: Starts) -> None:
    """start() raises when the thread has been made, and has not begun."""
    threads: list[threading.Thread] = []
    with pool_of(1) as pool:
        held: list[Callable[[], None]] = []
        plain = starts.start

        def hold_back(thread: threading.Thread) -> None:
            threads.append(thread)
            if len(threads) > 1:
                plain(thread)
                return
            held.append(lambda: start(thread))
            raise KeyboardInterrupt

        starts.start = hold_back  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            pool.submit(pytest.fail)
        held.pop()()
        threads[0].join(TIME_LIMIT)
        assert not threads[0].is_alive()
        assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}
        assert pool.submit(int).result(TIME_LIMIT) == 0


def test_real_ctrl_c_at_random_moments() -> None:
    """Nothing is lost: each job ran, or its submit() raised."""
    out, err = run_program("""
        import concurrent.futures, signal
        def on_signal(*_):
            global armed
            if armed:
                armed = False
                raise KeyboardInterrupt
        signal.signal(signal.SIGINT, on_signal)
        armed = over = False
        def interrupt(main=threading.get_ident()):
            while not over:
                time.sleep(0.0003)
                signal.pthread_kill(main, signal.SIGINT)
        thread = threading.Thread(target=interrupt)
        thread.start()
        pool = ThreadPoolExecutor(2, idle_timeout=0)
        futures, interrupted = [], 0
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline or not interrupted:
            try:
                armed = True
                futures.append(pool.submit(pow, 2, 3))
                armed = False
            except KeyboardInterrupt:
                interrupted += 1
        over = True
        thread.join()
        assert not concurrent.futures.wait(futures, 20).not_done
        assert all(future.result() == 8 for future in futures)
        pool.shutdown()
        assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}
    """)
    assert (out, err) == ("", "")


# -- initializers --------------------------------------------------------------


def test_an_idle_thread_is_woken_while_another_is_in_its_initializer(
    opened: threading.Event,
) -> None:
    turn = iter([lambda: None, lambda: opened.wait(TIME_LIMIT)])
    gate = threading.Event()
    with pool_of(2, initializer=lambda: next(turn)()) as pool:
        pool.submit(int).result(TIME_LIMIT)
        first, second = pool.submit(gate.wait, TIME_LIMIT), pool.submit(int)
        gate.set()
        first.result(TIME_LIMIT)
        second.result(TIME_LIMIT)
        for _ in range(100):
            assert pool.submit(int).result(TIME_LIMIT) == 0
        assert not opened.is_set()
        opened.set()


def test_blocking_jobs_have_successors_while_a_thread_starts(opened: threading.Event) -> None:
    slow = threading.Event()
    calls = iter([None, None, slow])
    barrier = threading.Barrier(2)

    def begin() -> None:
        event = next(calls)
        if event is not None:
            event.set()
            opened.wait(TIME_LIMIT)

    with pool_of(3, initializer=begin) as pool:
        for wait in [pool.submit(barrier.wait, TIME_LIMIT) for _ in range(2)]:
            wait.result(TIME_LIMIT)
        gate = threading.Event()
        busy = [pool.submit(gate.wait, TIME_LIMIT) for _ in range(2)]
        last = pool.submit(int)
        assert slow.wait(TIME_LIMIT)
        gate.set()
        assert all(job.result(TIME_LIMIT) for job in busy)
        assert last.result(TIME_LIMIT) == 0
        for _ in range(50):
            waits = [pool.submit(barrier.wait, TIME_LIMIT) for _ in range(2)]
            assert sorted(wait.result(TIME_LIMIT) for wait in waits) == [0, 1]
        opened.set()


def test_an_initializer_that_submits() -> None:
    """Each starts the next thread, up to the limit."""
    futures: list[Any] = []
    ready = threading.Barrier(4)

    def begin() -> None:
        futures.append(pool.submit(int))
        ready.wait(TIME_LIMIT)

    pool = pool_of(3, initializer=begin)
    with pool:
        futures.append(pool.submit(int))
        ready.wait(TIME_LIMIT)
    assert [future.result(0) for future in futures] == [0] * 4


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failing_initializer_fails_all_that_is_queued(
    error: type[BaseException], opened: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        opened.wait(TIME_LIMIT)
        raise error("no")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = pool_of(2, initializer=fail)
        jobs = [pool.submit(pytest.fail) for _ in range(4)]
        awaited = [loop.run_in_executor(pool, pytest.fail) for _ in range(4)]
        opened.set()
        for outcome in await asyncio.gather(*awaited, return_exceptions=True):
            assert isinstance(outcome, BrokenThreadPool)
        for job in jobs:
            assert isinstance(job.exception(TIME_LIMIT), BrokenThreadPool)
        with pytest.raises(BrokenThreadPool, match="not usable"):
            loop.run_in_executor(pool, int)
        pool.shutdown()
        assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}

    pyasync_hw.run(main())
    caplog.clear()  # its traceback holds the thread's frame


def test_a_failing_initializer_of_a_dropped_executor(
    opened: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is there to be told that it is broken; the futures are."""

    def fail() -> None:
        opened.wait(TIME_LIMIT)
        raise ValueError

    pool = pool_of(1, initializer=fail)
    jobs = [pool.submit(pytest.fail) for _ in range(3)]
    threads = list(pool._threads)
    del pool
    opened.set()
    for job in jobs:
        assert isinstance(job.exception(TIME_LIMIT), BrokenThreadPool)
    threads[0].join(TIME_LIMIT)
    caplog.clear()


def test_an_initializer_that_shuts_down(caplog: pytest.LogCaptureFixture) -> None:
    """As in concurrent.futures: it would wait for itself."""

    def begin() -> None:
        pool.shutdown()

    pool = pool_of(1, initializer=begin)
    job = pool.submit(pytest.fail)
    assert isinstance(job.exception(TIME_LIMIT), BrokenThreadPool)
    pool.shutdown()
    assert "cannot join current thread" in caplog.text
    caplog.clear()


def test_an_initializer_that_forks() -> None:
    answers: list[Any] = []
    turns = iter([True])

    def begin() -> None:
        if next(turns, False):  # not so in the child
            answers.append(in_child(lambda: (pool.stats(), pool.submit(pow, 2, 3).result(10))))

    pool = pool_of(1, initializer=begin)
    with pool:
        assert pool.submit(int).result(TIME_LIMIT) == 0
    assert answers == [({"queued": 0, "threads": 0, "idle": 0}, 8)]


def test_a_fork_while_another_thread_starts_one(starts: Starts) -> None:
    """The child's pool does not count on a thread that is not there."""
    with pool_of(1) as pool:

        def fork() -> None:
            assert in_thread(lambda: in_child(lambda: pool.submit(pow, 2, 3).result(10))) == 8

        starts.plan = [fork]
        assert pool.submit(int).result(TIME_LIMIT) == 0


# -- the end, during a start ---------------------------------------------------


@pytest.mark.parametrize("fails", [False, True], ids=["starts", "fails"])
@pytest.mark.parametrize("cancel", [False, True], ids=["keep", "cancel_futures"])
@pytest.mark.parametrize("wait", [False, True], ids=["no_wait", "wait"])
def test_shutdown_during_a_start(
    starts: Starts, opened: threading.Event, fails: bool, cancel: bool, wait: bool
) -> None:
    starting, closed = threading.Event(), threading.Event()

    def step() -> BaseException | None:
        starting.set()
        assert opened.wait(TIME_LIMIT)
        return no_thread() if fails else None

    pool = pool_of(1)
    starts.plan = [step, no_thread()]
    ends: list[Any] = []

    def submit() -> None:
        try:
            ends.append(pool.submit(int))
        except RuntimeError as error:
            ends.append(error)

    def shut_down() -> None:
        pool.shutdown(wait, cancel_futures=cancel)
        closed.set()

    submitter = threading.Thread(target=submit)
    submitter.start()
    assert starting.wait(TIME_LIMIT)
    queued = pool.submit(pow, 2, 3)
    closer = threading.Thread(target=shut_down)
    closer.start()
    if wait:
        assert not closed.wait(0.02)  # what is submitted is not run yet
    else:
        assert closed.wait(TIME_LIMIT)
    opened.set()
    for thread in (submitter, closer):
        thread.join(TIME_LIMIT)
        assert not thread.is_alive()
    if wait:
        assert queued.done()
    pool.shutdown()
    (own,) = ends
    if cancel:
        assert queued.cancelled() and own.cancelled()
    elif fails:
        assert str(own) == str(queued.exception(0)) == NO_THREAD
    else:
        assert own.result(0) == 0 and queued.result(0) == 8
    assert pool.stats() == {"queued": 0, "threads": 0, "idle": 0}


def test_shutdown_waits_until_all_are_told(starts: Starts) -> None:
    """Nobody finds a future undone after it, though no thread was left to be joined."""
    telling, closed = threading.Event(), threading.Event()
    early: list[bool] = []
    pool = pool_of(1)
    futures: list[Any] = []

    def queue_others_and_fail() -> BaseException:
        futures.extend(in_thread(lambda: [pool.submit(pytest.fail) for _ in range(2)]))
        futures[0].add_done_callback(hold)
        return no_thread()

    def hold(_: Any) -> None:
        telling.set()
        early.append(closed.wait(0.02))

    def submit() -> None:
        with pytest.raises(RuntimeError, match=NO_THREAD):
            pool.submit(pytest.fail)

    starts.plan = [queue_others_and_fail, no_thread()]
    submitter = threading.Thread(target=submit)
    submitter.start()
    assert telling.wait(TIME_LIMIT)
    pool.shutdown()
    done = [future.done() for future in futures]
    closed.set()
    submitter.join(TIME_LIMIT)
    assert done == [True, True]
    assert early == [False]


def test_shutdown_by_the_starting_thread_itself(starts: Starts) -> None:
    """As a signal handler or a finalizer would; it does not wait for itself."""
    pool = pool_of(1)
    starts.plan = [lambda: pool.shutdown()]
    assert pool.submit(int).result(TIME_LIMIT) == 0
    pool.shutdown()
    assert pool.stats()["threads"] == 0


def test_what_was_submitted_before_shutdown_is_done_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever is about to start a thread for it, and however far that is."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):
            pool = pool_of(2)
            futures: list[Any] = []

            def submit(pool: ThreadPoolExecutor = pool, futures: list[Any] = futures) -> None:
                with contextlib.suppress(RuntimeError):
                    for _ in range(20):
                        futures.append(pool.submit(int))

            users = [threading.Thread(target=submit) for _ in range(4)]
            for user in users:
                user.start()
            before = len(futures)
            pool.shutdown()
            assert all(future.done() for future in futures[:before])
            for user in users:
                user.join(TIME_LIMIT)
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("fails", [False, True], ids=["starts", "fails"])
def test_exit_with_a_start_in_flight(fails: bool) -> None:
    out, err = run_program(f"""
        start = threading.Thread.start
        starting = threading.Event()
        def slow(thread):
            if thread.name.startswith("pool"):
                starting.set()
                time.sleep(0.2)
                if {fails}:
                    raise RuntimeError("can't start new thread")
            start(thread)
        threading.Thread.start = slow
        pool = ThreadPoolExecutor(1, "pool")
        def use():
            try:
                pool.submit(lambda: print("ran", flush=True))
            except RuntimeError as error:
                print(error, flush=True)
        threading.Thread(target=use, daemon=True).start()
        starting.wait()
    """)
    assert (out.strip(), err) == ("can't start new thread" if fails else "ran", "")


# -- threads that leave --------------------------------------------------------


def test_jobs_that_come_just_as_an_idle_thread_leaves() -> None:
    with pool_of(2, idle_timeout=0.0005) as pool:
        for i in range(300):
            threading.Event().wait(0.0003 + i % 5 * 0.0001)
            assert pool.submit(pow, i, 2).result(TIME_LIMIT) == i * i


def test_the_kernel_refuses_a_thread() -> None:
    out, err = run_program("""
        threading.stack_size(sys.maxsize // 2 // 4096 * 4096)
        async def main():
            try:
                await asyncio.to_thread(int)
            except RuntimeError as error:
                print(error)
            threading.stack_size(0)
            print(await asyncio.to_thread(int))
        pyasync_hw.run(main())
    """)
    assert (out.split("\n"), err) == ([NO_THREAD, "0", ""], "")
