"""ThreadLock: reentrant, in order, and its waits can be cancelled."""

from __future__ import annotations

import concurrent.futures
import threading
import time

import pytest

from pyasync_hw import CancelToken
from pyasync_hw.executor import ThreadPoolExecutor
from pyasync_hw.thread_lock import ThreadLock


def queue_up(lock: ThreadLock, count: int) -> None:
    """Until so many wait for it."""
    deadline = time.monotonic() + 10
    while len(lock._waiters) < count:
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
        assert not lock._waiters
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
            assert not lock._waiters
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
