"""Event loops written by hand before call_soon() had a context, under asyncio's tasks."""

import abc
import asyncio
import contextvars
import heapq
from collections import deque

import pytest


class Queue:
    """What the toys have in common: a queue, and timers that are due at once, in order."""

    def __init__(self):
        self.ready = deque()
        self.timers = []
        self.now = 0.0

    def call_soon(self, callback, *args):
        self.ready.append((callback, args))

    def call_later(self, delay, callback, *args):
        return self.call_at(self.now + delay, callback, *args)

    def call_at(self, when, callback, *args):
        handle = asyncio.TimerHandle(when, callback, args, self)
        heapq.heappush(self.timers, handle)
        return handle

    def _timer_handle_cancelled(self, handle):
        pass

    def time(self):
        return self.now

    def run_until_complete(self, future):
        future = asyncio.ensure_future(future, loop=self)
        while not future.done():
            if self.ready:
                callback, args = self.ready.popleft()
                callback(*args)
            else:
                handle = heapq.heappop(self.timers)
                self.now = handle.when()
                if not handle.cancelled():
                    handle._run()
        return future.result()


def toys():
    class Plain(Queue):
        def get_debug(self):
            return False

        def create_task(self, coro):
            return asyncio.Task(coro, loop=self)

        def call_exception_handler(self, context):
            raise AssertionError(context)

    class Derived(Queue, asyncio.AbstractEventLoop):
        pass

    class Real(asyncio.SelectorEventLoop):
        """One that only counts."""

        calls = 0

        def call_soon(self, callback, *args):
            self.calls += 1
            return super().call_soon(callback, *args)

        def call_at(self, when, callback, *args):
            return super().call_at(when, callback, *args)

    return [Plain, Derived, Real]


variable = contextvars.ContextVar("variable", default="outside")


@pytest.mark.parametrize("number", range(3))
def test_tasks_futures_and_waits(number, legacy):
    loop = toys()[number]()

    async def double(x):
        variable.set(x)
        await asyncio.sleep(0.01)
        assert variable.get() == x
        return 2 * x

    @asyncio.coroutine
    def main():
        assert asyncio.get_event_loop() is loop
        future = asyncio.Future(loop=loop)
        loop.call_later(0.02, future.set_result, "done")
        lock = asyncio.Lock(loop=loop)
        with (yield from lock):
            both = yield from asyncio.gather(double(1), double(2), loop=loop)
        done, _ = yield from asyncio.wait([double(3)], loop=loop)
        third = yield from asyncio.wait_for(double(4), 10, loop=loop)
        return both, done.pop().result(), third, (yield from future)

    assert loop.run_until_complete(asyncio.Task(main(), loop=loop)) == ([2, 4], 6, 8, "done")
    assert variable.get() == "outside"
    if hasattr(loop, "calls"):
        assert loop.calls > 5
        loop.close()


def test_a_future_alone_calls_back(legacy):
    """No task has been there before: the future is the first to see the loop."""

    class Bare:
        def __init__(self):
            self.calls = []

        def call_soon(self, callback, *args):
            self.calls.append((callback, args))

    loop, results = Bare(), []
    future = asyncio.Future(loop=loop)
    future.add_done_callback(lambda future: results.append(future.result()))
    future.set_result(42)
    for callback, args in loop.calls:
        callback(*args)
    assert results == [42] and isinstance(future, asyncio.Future)


def test_a_loop_that_takes_a_context_is_left_alone(legacy):
    class Today(asyncio.SelectorEventLoop):
        def call_soon(self, callback, *args, context=None):
            return super().call_soon(callback, *args, context=context)

    assert Today.call_soon.__qualname__.endswith("Today.call_soon")
    assert not hasattr(Today.call_soon, "__wrapped__")
    loop = Today()
    assert loop.run_until_complete(asyncio.sleep(0, 1)) == 1
    loop.close()


def test_a_proxy_of_a_loop_stays_one(legacy):
    class Proxy:
        def __init__(self, loop):
            self._loop = loop

        def __getattr__(self, name):
            return getattr(self._loop, name)

    loop = asyncio.get_event_loop()
    asyncio.Future(loop=Proxy(loop))
    assert "create_future" not in vars(Proxy)


def test_futures_are_asyncio_s(legacy):
    loop = asyncio.get_event_loop()
    future = loop.create_future()
    assert isinstance(future, asyncio.Future) and isinstance(asyncio.Future(), type(future))
    assert issubclass(type(future), asyncio.Future)

    class Own(asyncio.Future, abc.ABC):
        def __init__(self, name, *, loop=None):
            super().__init__(loop=loop)
            self.name = name

    own = Own("own", loop=loop)
    assert isinstance(own, asyncio.Future) and isinstance(own, Own) and own.name == "own"
    assert not isinstance(future, Own) and issubclass(Own, asyncio.Future)
    assert not isinstance(1, asyncio.Future) and asyncio.isfuture(Own("other"))
    with pytest.raises(TypeError, match=r"^Future\(\) takes"):
        asyncio.Future(loop)

    class OwnTask(asyncio.Task, abc.ABC):
        pass

    async def main():
        return asyncio.current_task()

    task = OwnTask(main(), loop=loop)
    assert loop.run_until_complete(task) is task and isinstance(task, asyncio.Task)
    assert not isinstance(loop.run_until_complete(main()), OwnTask)
