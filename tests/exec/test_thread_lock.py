"""ThreadLock: reentrant, in order, and its waits can be cancelled."""

from __future__ import annotations

import concurrent.futures
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from pyasync_hw import CancelToken
from pyasync_hw.executor import ThreadPoolExecutor
from pyasync_hw.reader import thread_lock
from pyasync_hw.reader.thread_lock import ThreadLock


def queue_up(lock: ThreadLock, count: int) -> None:
    """Until so many wait for it."""
    deadline = time.monotonic() + 10
    while lock._turns.waiting < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_reentrant() -> None:
    lock = ThreadLock()
    with lock, lock:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lock.acquire, 0).result(10) is False
        assert lock.acquire()
        lock.release()
    with pytest.raises(RuntimeError, match="un-acquired"):
        lock.release()


def test_first_come_first_served() -> None:
    lock = ThreadLock()
    order: list[int] = []

    def use(i: int) -> None:
        with lock:
            order.append(i)

    with ThreadPoolExecutor(5) as pool, lock:
        for i in range(5):
            pool.submit(use, i)
            queue_up(lock, i + 1)
    assert order == [0, 1, 2, 3, 4]


def test_only_its_owner_releases_it() -> None:
    lock = ThreadLock()
    with lock, ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(lock.release).exception(10), RuntimeError)


def test_a_timeout_leaves_the_queue() -> None:
    lock = ThreadLock()
    with lock, ThreadPoolExecutor(2) as pool:
        assert pool.submit(lock.acquire, 0.01).result(10) is False
        assert not lock._turns.waiting
    assert lock.acquire(0)
    lock.release()


def test_cancel() -> None:
    lock = ThreadLock()
    token = CancelToken()
    with ThreadPoolExecutor(3) as pool:
        with lock:
            given = pool.submit(lock.acquire, token=token)
            queue_up(lock, 1)
            job = pool.submit(lock.acquire)
            queue_up(lock, 2)
            token.cancel()
            job.token.cancel()
            for future in (given, job):
                assert isinstance(future.exception(10), concurrent.futures.CancelledError)
            assert not lock._turns.waiting
        assert lock.acquire(0)
        lock.release()


def test_cancel_and_release_at_the_same_moment() -> None:
    """Whoever comes first, the lock is free in the end, or owned by who got it."""
    lock = ThreadLock()

    def use() -> None:
        with lock:
            pass

    def cancel_behind(barrier: threading.Barrier, token: CancelToken) -> None:
        barrier.wait(10)
        token.cancel()

    with ThreadPoolExecutor(4) as pool:
        for _ in range(200):
            with lock:
                futures = [pool.submit(use) for _ in range(3)]
                barrier = threading.Barrier(2)
                cancel = pool.submit(cancel_behind, barrier, futures[1].token)
                barrier.wait(10)
            concurrent.futures.wait([*futures, cancel])
            assert lock.acquire(10)
            lock.release()


@contextmanager
def handler_that_uses(lock: ThreadLock) -> Iterator[list[int]]:
    """Of SIGUSR1; how often it had the lock."""
    had: list[int] = []

    def handler(number: int, frame: object) -> None:
        assert lock.acquire(10)
        had.append(number)
        lock.release()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield had
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def signal_at(instruction: int) -> Iterator[list[int]]:
    """Raise SIGUSR1 at that instruction in the lock's code; all that were run."""
    run: list[int] = []

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != thread_lock.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if len(run) == instruction:
                signal.raise_signal(signal.SIGUSR1)
            run.append(frame.f_lasti)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield run
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("contended", [False, True])
def test_a_signal_handler_can_use_it_at_any_point(contended: bool) -> None:
    def hold(lock: ThreadLock, held: threading.Event) -> None:
        with lock:
            held.set()
            queue_up(lock, 1)

    instruction = 0
    with ThreadPoolExecutor(1) as pool:
        while True:
            lock, held = ThreadLock(), threading.Event()
            holder = pool.submit(hold, lock, held) if contended else None
            assert not contended or held.wait(10)
            with handler_that_uses(lock) as had, signal_at(instruction) as run:
                assert lock.acquire(10)
                lock.release()
            if holder is not None:
                holder.result(10)
            assert pool.submit(lock.acquire, 0).result(10), "it is free again"
            if not had:
                break
            instruction += 1
    assert instruction == len(run) > 20


def test_a_signal_handler_that_waits_while_its_thread_waits() -> None:
    main = threading.get_ident()
    lock, held = ThreadLock(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            queue_up(lock, 1)
            signal.pthread_kill(main, signal.SIGUSR1)
            queue_up(lock, 2)

    with ThreadPoolExecutor(1) as pool, handler_that_uses(lock) as had:
        holder = pool.submit(hold)
        assert held.wait(10)
        assert lock.acquire(20)
        assert had == [signal.SIGUSR1]
        holder.result(10)
        assert pool.submit(lock.acquire, 0).result(10) is False
        lock.release()
        assert pool.submit(lock.acquire, 0).result(10)


class Interrupted(BaseException):
    """As a signal handler raises it."""


class InterruptedTurns:
    """A Turnstile, with a signal at the end of some of its calls."""

    def __init__(self, lock: ThreadLock, interrupted: tuple[int, ...]) -> None:
        self.turns = lock._turns
        self.calls = 0
        self.interrupted = interrupted

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            result = getattr(self.turns, name)(*args)
            self.calls += 1
            if self.calls in self.interrupted:
                raise Interrupted
            return result

        return call


@pytest.mark.parametrize("interrupted", [(1,), (2,), (1, 2), (2, 3), (1, 2, 3)])
def test_ctrl_c_at_any_point_even_twice_leaves_it_free(interrupted: tuple[int, ...]) -> None:
    lock = ThreadLock()
    turns = lock._turns
    lock._turns = InterruptedTurns(lock, interrupted)  # type: ignore[assignment]
    with pytest.raises(Interrupted):
        lock.acquire(10)
    lock._turns = turns
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lock.acquire, 0).result(10)
