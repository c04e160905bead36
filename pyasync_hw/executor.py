"""The executor: a concurrent.futures.ThreadPoolExecutor whose queue and workers are C.

It is the default executor of our loops, and `loop.run_in_executor()` gives jobs to it
without a concurrent.futures future in between.  A job can be cancelled: see
current_token() and docs/executor.md.
"""

from __future__ import annotations

import concurrent.futures
import os
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import _base
from concurrent.futures.thread import BrokenThreadPool
from typing import Any, ParamSpec, TypeVar

from . import _core
from ._core import CancelToken, current_token, sleep

__all__ = ["CancelToken", "Future", "ThreadPoolExecutor", "current_token", "sleep"]

P = ParamSpec("P")
T = TypeVar("T")

IDLE_TIMEOUT = 10.0  # seconds, of a loop's default executor

_BROKEN = "A thread initializer failed, the thread pool is not usable anymore"

# Threads that run, to be joined at exit as concurrent.futures does it.
_workers: dict[threading.Thread, tuple[_core.ThreadPool, weakref.ref[ThreadPoolExecutor]]] = {}
_exiting = False


def _python_exit() -> None:
    global _exiting
    _exiting = True
    workers = list(_workers.items())
    for _, (pool, _executor) in workers:
        pool.close()
    for thread, (pool, _executor) in workers:
        _join(thread, pool)


def _join(thread: threading.Thread, pool: _core.ThreadPool) -> None:
    pool.settle()
    if thread.ident is not None:  # else it was not started, after all
        thread.join()


def _forget_parents_threads() -> None:
    workers = list(_workers.values())
    _workers.clear()
    for _pool, reference in workers:
        executor = reference()
        if executor is not None:
            executor._threads.clear()


threading._register_atexit(_python_exit)  # type: ignore[attr-defined]
os.register_at_fork(after_in_child=_forget_parents_threads)


class Future(concurrent.futures.Future[T]):
    """What ThreadPoolExecutor.submit() returns."""

    _job: _core.Job | None = None

    def cancel(self) -> bool:
        """As documented for concurrent.futures: False when the call runs already.

        To cancel what a running call waits for: `future.token.cancel()`.
        """
        if not super().cancel():
            return False
        if self._job is not None and self._job.drop():
            self.set_running_or_notify_cancel()  # no worker will
        return True

    def _end_unrun(self, exception: BaseException | None) -> None:
        """Called by the C half: no worker will run it.  None: it is cancelled."""
        if exception is None:
            self.cancel()
        if self.set_running_or_notify_cancel():
            self.set_exception(exception)

    @property
    def token(self) -> CancelToken:
        """The token of the call: what current_token() is there."""
        if self._job is None:
            raise RuntimeError("this future belongs to no executor")
        return self._job.token


def _run(future: Future[T], fn: Callable[..., T], args: Any, kwargs: Any) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as exc:
        future.set_exception(exc)
        del future  # which has the exception, which has this frame
    else:
        future.set_result(result)


def _work(
    executor_reference: weakref.ref[ThreadPoolExecutor],
    worker: _core.Worker,
    begin: Callable[..., object] | None,
    arguments: tuple[Any, ...],
    end: Callable[[], object] | None,
) -> None:
    """What a worker thread runs; it must not keep the executor alive."""
    thread = threading.current_thread()
    try:
        if not worker.enter():  # whoever started this thread has given it up
            return
        if begin is not None:
            try:
                begin(*arguments)
            except BaseException:
                _base.LOGGER.critical("Exception in initializer:", exc_info=True)
                executor = executor_reference()
                if executor is not None:
                    executor._initializer_failed()
                worker.leave(BrokenThreadPool(_BROKEN))
                return
        try:
            worker.run()
        except BaseException as exc:
            _base.LOGGER.critical("Exception in worker", exc_info=True)
            worker.leave(exc)
        finally:
            if end is not None:
                end()
    finally:
        executor = executor_reference()
        if executor is not None and not executor._shutdown:
            executor._threads.discard(thread)
        _workers.pop(thread, None)


class ThreadPoolExecutor(_core.Executor, concurrent.futures.ThreadPoolExecutor):
    """A pool of threads, as concurrent.futures.ThreadPoolExecutor.

    idle_timeout: seconds after which a thread that has nothing to do ends.  None: they
    stay until shutdown(), as with concurrent.futures.
    """

    _threads: set[threading.Thread]
    _broken: bool | str  # type: ignore[assignment]

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        idle_timeout: float | None = None,
    ) -> None:
        if hasattr(self, "_pool"):  # before anything of it is set anew
            raise RuntimeError("this executor is initialized already")
        super().__init__(max_workers, thread_name_prefix, initializer, initargs)
        kind = type(self)
        if sys.version_info >= (3, 14):
            base = concurrent.futures.ThreadPoolExecutor
            if kind.prepare_context.__func__ is not base.prepare_context.__func__:
                raise TypeError(
                    f"{kind.__name__} has a prepare_context() of its own: derive it from "
                    "concurrent.futures.ThreadPoolExecutor"
                )
        direct = kind.submit is ThreadPoolExecutor.submit
        self._pool = self._open(self._max_workers, idle_timeout, direct)
        self._work_queue = self._pool  # type: ignore[assignment] # for who asks its qsize()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See concurrent.futures.Executor.submit()."""
        future: Future[T] = Future()
        future._job = self._put(future, _run, future, fn, args, kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See concurrent.futures.Executor.shutdown()."""
        self._shutdown = True
        self._pool.close()
        if cancel_futures:
            self._drain(None)
        if wait:
            self._pool.settle()
            for thread in list(self._threads):
                _join(thread, self._pool)

    def stats(self) -> dict[str, int]:
        """What it holds now: queued jobs; threads, and how many of them are idle."""
        return self._pool.counts()

    # -- called by the C half ------------------------------------------------

    def _start_worker(self, worker: _core.Worker) -> None:
        begin: Callable[..., object] | None
        end: Callable[[], object] | None = None
        arguments: tuple[Any, ...] = ()
        if sys.version_info >= (3, 14):
            context = self._create_worker_context()
            begin, end = context.initialize, context.finalize
        else:
            begin, arguments = self._initializer, self._initargs
        reference = weakref.ref(self)
        thread = threading.Thread(
            name=f"{self._thread_name_prefix}_{worker.index}",
            target=_work,
            args=(reference, worker, begin, arguments, end),
        )
        try:
            _workers[thread] = (worker.pool, reference)
            self._threads.add(thread)
            if _exiting:  # looked at when _python_exit() can see the thread
                self._refuse()
            thread.start()
        except BaseException:
            if worker.withdraw():  # else Ctrl+C ended the wait for a thread that runs
                self._threads.discard(thread)
                _workers.pop(thread, None)
            raise

    def _initializer_failed(self) -> None:
        self._broken = _BROKEN
        self._pool.close()
        self._drain(BrokenThreadPool(_BROKEN))

    def _refuse(self) -> None:
        """Say why no job is taken any more."""
        if self._broken:
            raise BrokenThreadPool(self._broken)
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")


def new_default_executor() -> ThreadPoolExecutor:
    """The default executor of a loop."""
    return ThreadPoolExecutor(thread_name_prefix="asyncio", idle_timeout=IDLE_TIMEOUT)
