"""Jobs of executors: each result arrives, or was cancelled; no job runs twice."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import multiprocessing
import sys
import threading

import pyasync_hw.executor

from ..step import Step, operation

VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE", default=0)


class PlannedBase(BaseException):
    """What a job raises, on purpose."""


FAILURES: tuple[type[BaseException], ...] = (
    ValueError,
    OSError,
    PlannedBase,
    KeyboardInterrupt,
    SystemExit,
    asyncio.TimeoutError,
)


@operation(3)
async def jobs(step: Step) -> None:
    async def one(index: int) -> None:
        body, result = step.expect("job", index), step.expect("job's result", index)

        def work() -> int:
            body.ran()
            step.check(threading.current_thread() is not threading.main_thread(), "thread")
            return index * VARIABLE.get()

        if step.chance(0.5):
            VARIABLE.set(index)
            right = index * index
            got = await asyncio.to_thread(work)
        else:
            right = 0
            got = await step.loop.run_in_executor(None, work)
        step.check(got == right, f"job {index} gave {got}, not {right}")
        result.ran()

    tasks = [asyncio.ensure_future(one(i)) for i in range(step.rng.randrange(1, 80))]
    await asyncio.gather(*tasks)


@operation(2)
async def jobs_that_raise(step: Step) -> None:
    for _ in range(step.rng.randrange(1, 8)):
        kind, expected = step.rng.choice(FAILURES), step.expect("job's exception")
        error = kind("planned")

        def work(error: BaseException = error) -> None:
            raise error

        try:
            await step.loop.run_in_executor(None, work)
        except BaseException as caught:
            # asyncio of 3.11 makes a TimeoutError anew.
            same = type(caught) is type(error) and caught.args == error.args
            step.check(same, f"{error!r} raised, {caught!r} came")
            expected.ran()
        else:
            step.check(False, f"{error!r} was lost")
        # A traceback refers to the frames, which refer to the exception.
        error.__traceback__ = None
        del work


@operation(1)
async def job_that_raises_stop_iteration(step: Step) -> None:
    if not step.shared.tokens and sys.version_info < (3, 12, 2):
        return  # wrap_future() of 3.11.7 loses it
    expected = step.expect("job's exception", "StopIteration")

    def work() -> None:
        raise StopIteration(1)

    try:
        await step.loop.run_in_executor(None, work)
    except TypeError:  # what a future of 3.11 makes of it
        expected.ran()
    except RuntimeError as error:
        step.check(isinstance(error.__cause__, StopIteration), f"{error!r} has no cause")
        expected.ran()


POOLS = concurrent.futures.ThreadPoolExecutor, pyasync_hw.executor.ThreadPoolExecutor


class HeldJobs:
    """Jobs that run until they are released, some of which are cancelled."""

    def __init__(self, step: Step, executor: concurrent.futures.Executor | None) -> None:
        self.step = step
        self.executor = executor
        self.release = threading.Event()
        self.futures: list[asyncio.Future[int]] = []
        self.started: set[int] = set()
        self.ended: set[int] = set()
        self.cancelled: set[int] = set()
        self.never: frozenset[int] = frozenset()

    def _work(self, index: int) -> int:
        self.step.check(index not in self.started, f"job {index} ran twice")
        self.step.check(index not in self.never, f"job {index} ran after it was cancelled")
        self.started.add(index)
        self.step.check(self.release.wait(60), "the job was not released")
        self.ended.add(index)
        return index

    def submit(self, count: int) -> None:
        for index in range(count):
            job = self.step.loop.run_in_executor(self.executor, self._work, index)
            self.futures.append(job)

    async def begun(self, count: int) -> None:
        while len(self.started) < count:
            await asyncio.sleep(0.0005)

    def cancel_half(self) -> None:
        count = len(self.futures)
        for index in self.step.rng.sample(range(count), count // 2):
            if self.futures[index].cancel():
                self.cancelled.add(index)

    async def settle(self) -> None:
        """Release them; every result is right, and those that ran were not cancelled."""
        self.step.loop.call_later(0.002, self.release.set)
        results = await asyncio.gather(*self.futures, return_exceptions=True)
        for index, result in enumerate(results):
            cancelled = isinstance(result, asyncio.CancelledError)
            right = cancelled if index in self.cancelled else result == index
            self.step.check(right, f"job {index} gave {result!r}")
        while self.ended != self.started:  # those that were cancelled while running
            await asyncio.sleep(0.001)
        missing = set(range(len(results))) - self.cancelled - self.ended
        self.step.check(not missing, f"jobs {missing} did not run")


@operation(2)
async def jobs_cancelled_on_the_default_executor(step: Step) -> None:
    """Whose workers others use too: a job may be on its way when it is cancelled."""
    held = HeldJobs(step, None)
    held.submit(step.rng.randrange(10, 50))
    await asyncio.sleep(step.rng.choice((0, 0.001)))
    held.cancel_half()
    await held.settle()


@operation(2)
async def own_executor_for_a_while(step: Step) -> None:
    """With all workers held, what is cancelled in the queue never runs."""
    workers = step.rng.randrange(1, 4)
    with step.rng.choice(POOLS)(workers) as executor:
        held = HeldJobs(step, executor)
        held.submit(step.rng.randrange(workers, 20))
        await held.begun(workers)
        held.never = frozenset(range(len(held.futures))) - held.started
        held.cancel_half()
        held.never &= held.cancelled
        await step.turns(4)  # asyncio passes a cancel on in a callback
        await held.settle()
        last = step.expect("job", "submit")
        executor.submit(last.ran)


@operation(1)
async def own_executor_shut_down_with_jobs(step: Step) -> None:
    executor = step.rng.choice(POOLS)(1)
    held = HeldJobs(step, executor)
    held.submit(6)
    await held.begun(1)
    executor.shutdown(wait=False, cancel_futures=True)
    held.cancelled = set(range(6)) - held.started
    held.never = frozenset(held.cancelled)
    await held.settle()
    try:
        step.loop.run_in_executor(executor, int)
    except RuntimeError:
        pass
    else:
        step.check(False, "a job was taken after shutdown")
    while any(thread.is_alive() for thread in executor._threads):
        await asyncio.sleep(0.001)


@operation(2)
async def running_jobs_cancelled_by_their_tokens(step: Step) -> None:
    """A job of ours that waits is woken when what awaits it is cancelled."""
    started, ended = threading.Event(), threading.Event()
    woken = step.expect("cancelled job's end")

    def work() -> None:
        started.set()
        try:
            pyasync_hw.executor.sleep(1000)
        except BaseException:
            woken.ran()
            raise
        finally:
            ended.set()

    own = step.chance(0.3) or not step.shared.tokens
    executor = pyasync_hw.executor.ThreadPoolExecutor(1) if own else None
    job = step.loop.run_in_executor(executor, work) if executor is None else None
    submitted = executor.submit(work) if executor else None
    while not started.is_set():
        await asyncio.sleep(0.0005)
    if submitted is not None and executor is not None:
        submitted.token.cancel()
        executor.shutdown()
        step.check(isinstance(submitted.exception(), BaseException), "no exception came")
    elif job is not None:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        step.check(job.cancelled(), "the job was not cancelled")
    while not ended.is_set():
        await asyncio.sleep(0.0005)


def _square(number: int) -> int:
    return number * number


def _raise(message: str) -> None:
    raise ValueError(message)


async def _processes(step: Step, method: str) -> None:
    context = multiprocessing.get_context(method)
    executor = concurrent.futures.ProcessPoolExecutor(2, mp_context=context)
    try:
        expected = step.expect("process's job", method)
        calls = [step.loop.run_in_executor(executor, _square, i) for i in range(4)]
        step.check(await asyncio.gather(*calls) == [0, 1, 4, 9], "squares are wrong")
        expected.ran()
        failure = step.expect("process's exception", method)
        try:
            await step.loop.run_in_executor(executor, _raise, "planned")
        except ValueError:
            failure.ran()
    finally:
        await asyncio.to_thread(executor.shutdown)


@operation(0.05)
async def forked_processes(step: Step) -> None:
    await _processes(step, "fork")


@operation(0.02)
async def spawned_processes(step: Step) -> None:
    await _processes(step, "spawn")
