"""MicroPython's uasyncio, by its documented calls, on a virtual clock."""

import asyncio
import importlib
import socket
import threading

import pytest

import pyasync_hw
from pyasync_hw.compat import upy


@pytest.fixture
def native():
    """The current loop, on virtual time, under the names of MicroPython."""
    uninstall = upy.install()
    loop = pyasync_hw.new_event_loop(clock=pyasync_hw.VirtualClock())
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()
    uninstall()


@pytest.fixture
def uasyncio(native):
    return importlib.import_module("uasyncio")


@pytest.fixture
def loop(uasyncio):
    return uasyncio.get_event_loop()


def test_its_modules_are_one(uasyncio):
    for name in ("core", "event", "funcs", "lock", "queues", "stream"):
        module = importlib.import_module(f"uasyncio.{name}")
        assert module.__name__ == f"pyasync_hw.compat.upy.uasyncio.{name}"
    from uasyncio.core import Task

    assert Task is uasyncio.Task
    assert all(hasattr(uasyncio, name) for name in uasyncio.__all__)


def test_the_loop_is_one_and_counts_milliseconds(uasyncio, loop):
    import utime

    assert uasyncio.get_event_loop(16, 16) is uasyncio.Loop is loop

    async def main():
        start = loop.time()
        assert type(start) is int
        for ms in (1, 7, 29, 100):
            until = loop.time() + ms
            await uasyncio.sleep_ms(ms)
            assert loop.time() == utime.ticks_ms() == until
        await uasyncio.sleep(0.5)
        return utime.ticks_diff(loop.time(), start)

    assert loop.run_until_complete(main()) == 637


CALLS = {
    "create_task": lambda loop, made: loop.create_task(made()),
    "call_soon": lambda loop, made: loop.call_soon(made()),
    "call_later": lambda loop, made: loop.call_later(0.5, made()),
    "call_later_ms_": lambda loop, made: loop.call_later_ms_(500, made()),
    "call_later_ms": lambda loop, made: loop.call_later_ms(500, made()),
    "call_at": lambda loop, made: loop.call_at(loop.time() + 500, made()),
    "call_at_": lambda loop, made: loop.call_at_(loop.time() + 500, made()),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["async def", "generator"])
def test_coroutine_objects_are_called(name, kind, uasyncio, loop):
    ran = []

    async def coro():
        await uasyncio.sleep_ms(10)
        ran.append(loop.time() - start)

    def generator():
        yield from uasyncio.sleep_ms(10)
        ran.append(loop.time() - start)

    start = loop.time()
    CALLS[name](loop, coro if kind == "async def" else generator)
    loop.run_until_complete(uasyncio.sleep(1))
    assert ran == [10 if name in ("create_task", "call_soon") else 510]


def test_callbacks_are_called_with_their_arguments(uasyncio, loop):
    got = []
    loop.call_soon(got.append, "soon")
    loop.call_later(0.001, got.append, "later")
    loop.call_later_ms_(2, got.append, ("later_ms",))
    loop.call_at(loop.time() + 3, got.append, "at")
    loop.call_at_(loop.time() + 4, got.append, ("at_",))
    loop.call_later_ms_(5, lambda: got.append("none"))
    loop.run_until_complete(uasyncio.sleep_ms(10))
    assert got == ["soon", "later", "later_ms", "at", "at_", "none"]


def test_what_a_generator_may_yield(uasyncio, loop):
    seen = []

    def other():
        seen.append("spawned")
        yield

    def main():
        start = loop.time()
        yield
        yield 20
        yield uasyncio.Sleep(0.03)
        yield uasyncio.SleepMs(50)
        yield other()
        yield 0
        seen.append(loop.time() - start)
        try:
            yield "what is this"
        except TypeError as exc:
            seen.append(str(exc))
        return "result"

    assert loop.run_until_complete(main()) == "result"
    assert seen[:2] == ["spawned", 100]
    assert "Unsupported coroutine yield value: 'what is this'" in seen[2]


def test_false_pauses_until_the_loop_is_given_the_coroutine_again(uasyncio, loop):
    seen = []

    def server():
        for n in range(3):
            seen.append(n)
            yield False

    coro = server()
    loop.create_task(coro)
    loop.run_until_complete(uasyncio.sleep_ms(10))
    assert seen == [0]
    loop.call_soon(coro)
    loop.call_later_ms(5, coro)
    loop.run_until_complete(uasyncio.sleep_ms(10))
    assert seen == [0, 1, 2]
    uasyncio.cancel(coro)
    loop.run_until_complete(uasyncio.sleep_ms(10))


def test_a_run_within_a_task(uasyncio, loop):
    """MicroPython does not mind; others go on meanwhile."""
    ticks = []

    async def tick():
        while True:
            await uasyncio.sleep_ms(10)
            ticks.append(loop.time())

    async def inner(value):
        await uasyncio.sleep_ms(35)
        if value is None:
            raise ValueError("inner")
        return value

    async def main():
        task = uasyncio.current_task()
        uasyncio.create_task(tick())
        assert uasyncio.run(inner(5)) == 5
        assert len(ticks) == 3
        with pytest.raises(ValueError, match="inner"):
            loop.run_until_complete(inner(None))
        assert uasyncio.current_task() is task
        await uasyncio.sleep_ms(10)

    loop.run_until_complete(main())


def test_stop_loop_ends_the_innermost_run(uasyncio, loop):
    def stop():
        yield uasyncio.StopLoop("inner")

    async def main():
        assert loop.run_until_complete(stop()) == "inner"
        assert loop.run_until_complete(uasyncio.sleep_ms(1)) is None
        await uasyncio.sleep_ms(1)
        return "outer"

    assert loop.run_until_complete(main()) == "outer"


def test_todays_name_for_waiting(uasyncio, loop):
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def main():
            yield uasyncio.core._io_queue.queue_write(ours)
            ours.send(b"x")
            yield uasyncio.core._io_queue.queue_read(theirs)
            uasyncio.core._io_queue.remove(theirs)
            return theirs.recv(2)

        assert loop.run_until_complete(main()) == b"x"
    assert uasyncio.__version__ >= (3,)


def test_what_a_rewritten_yield_does(uasyncio, native):
    """In any task: also one of asyncio's own."""

    async def main():
        start = native.time()
        await uasyncio.uyield()
        await uasyncio.uyield(20)
        await uasyncio.uyield(uasyncio.Sleep(0.03))
        return round(native.time() - start, 6)

    assert uasyncio.run(main()) == 0.05
    assert native.run_until_complete(main()) == 0.05


def test_awaitable_classes(uasyncio, loop):
    class Old:
        def __iter__(self):
            for _ in range(3):
                yield
            yield 5
            return "old"

        __await__ = __iter__

    async def main():
        return await Old(), await uasyncio.IOReadDone(None)

    assert loop.run_until_complete(main()) == ("old", None)


def test_stop_loop_ends_run_forever_and_who_asked(uasyncio, loop):
    seen = []

    def stop():
        yield 10
        yield uasyncio.StopLoop("why")
        seen.append("never")

    loop.create_task(stop())
    assert loop.run_forever() == "why"
    loop.create_task(stop())
    assert loop.run_until_complete(uasyncio.sleep(1)) == "why"
    loop.wait(50)
    assert seen == []
    loop.close()


def test_other_tasks_outlive_a_run(uasyncio, loop):
    ticks = []

    async def tick():
        while True:
            await uasyncio.sleep_ms(10)
            ticks.append(loop.time())

    loop.create_task(tick())
    uasyncio.run(uasyncio.sleep_ms(35))
    assert len(ticks) == 3
    loop.run_until_complete(uasyncio.sleep_ms(20))
    assert len(ticks) == 5
    uasyncio.new_event_loop().run_until_complete(uasyncio.sleep(0))
    assert len(ticks) == 5


class Device:
    """Ready every `period` ms, and not even a descriptor."""

    def __init__(self, loop, period):
        self.loop, self.period = loop, period
        self.asked, self.taken = 0, 0

    def fileno(self):
        return 999

    def ioctl(self, request, flags):
        assert (request, flags) == (3, 1)
        self.asked += 1
        return flags if self.loop.time() >= (self.taken + 1) * self.period else 0

    def read(self, n=-1):
        self.taken += 1
        return b"%d" % self.taken

    def readline(self):
        return self.read() + b"\n"


def test_the_scheduler_polls_devices(uasyncio, loop):
    """The way of seed 001's author, which never worked for him."""
    quick, slow = Device(loop, 20), Device(loop, 95)
    reads = []

    def read(device):
        while True:
            yield uasyncio.IORead(device)
            device.read()
            reads.append((device.period, loop.time()))

    loop.create_task(read(quick))
    loop.create_task(read(slow))
    loop.run_until_complete(uasyncio.sleep_ms(102))
    assert [at for period, at in reads if period == 20] == [20, 40, 60, 80, 100]
    assert [at for period, at in reads if period == 95] == [95]
    assert slow.asked <= 102 // 5 + 3  # every 5 ms, not more


def test_a_device_that_is_always_ready_leaves_time_to_others(uasyncio, loop):
    counts = {"reads": 0, "others": 0}

    class Ready:
        def ioctl(self, request, flags):
            return flags

    async def read():
        while True:
            await uasyncio.IORead(Ready())
            counts["reads"] += 1

    async def other():
        for counts["others"] in range(100):
            await uasyncio.sleep(0)

    loop.create_task(read())
    loop.run_until_complete(other())
    assert 50 <= counts["reads"] <= 200


def test_a_stream_over_a_device(uasyncio, loop):
    async def main():
        stream = uasyncio.StreamReader(Device(loop, 20))
        return await stream.readline(), await stream.read(5), loop.time()

    assert loop.run_until_complete(main()) == (b"1\n", b"2", 40)


def test_descriptors_are_not_polled(uasyncio, loop):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        seen = []

        def read():
            yield uasyncio.IOWrite(ours)
            yield uasyncio.IORead(ours.fileno())
            seen.append(ours.recv(9))
            yield uasyncio.IOReadDone(ours)

        loop.create_task(read())
        loop.call_later_ms_(20, theirs.send, (b"hello",))
        loop.run_until_complete(uasyncio.sleep_ms(50))
        loop.add_reader(ours, lambda text: seen.append((text, ours.recv(9))), "callback")
        loop.add_writer(ours, read())
        theirs.send(b"again")
        loop.run_until_complete(uasyncio.sleep_ms(50))
        theirs.send(b"more")
        loop.run_until_complete(uasyncio.sleep_ms(50))
        assert loop.remove_reader(ours)
        assert not loop.remove_reader(ours)
        assert loop.remove_writer(ours)
        loop.run_until_complete(uasyncio.sleep_ms(50))
    assert seen[0] == b"hello"
    assert ("callback", b"again") in seen or b"again" in seen
    assert ("callback", b"more") in seen or b"more" in seen


def test_events(uasyncio, loop):
    event, order = uasyncio.Event(), []

    async def wait(name):
        await event.wait()
        order.append((name, loop.time() - start))

    start = loop.time()
    for name in "ab":
        loop.create_task(wait(name))
    loop.call_later_ms_(10, event.set)
    loop.run_until_complete(uasyncio.sleep_ms(20))
    assert order == [("a", 10), ("b", 10)]
    assert event.is_set()
    assert loop.run_until_complete(event.wait()) is True
    event.clear()
    assert not event.is_set()
    with pytest.raises(uasyncio.TimeoutError):
        loop.run_until_complete(uasyncio.wait_for_ms(event.wait(), 10))
    assert event._waiting == []


def test_locks(uasyncio, loop):
    lock, order = uasyncio.Lock(), []

    async def hold(name):
        async with lock:
            order.append(name)
            await uasyncio.sleep_ms(10)

    async def main():
        tasks = [uasyncio.create_task(hold(name)) for name in "abc"]
        await uasyncio.sleep_ms(5)
        assert lock.locked()
        tasks[1].cancel()
        await uasyncio.gather(*tasks, return_exceptions=True)
        assert not lock.locked()
        await lock.acquire()
        lock.release()
        with pytest.raises(RuntimeError):
            lock.release()

    loop.run_until_complete(main())
    assert order == ["a", "c"]


def test_a_lock_given_to_a_task_that_is_cancelled_is_given_on(uasyncio, loop):
    lock = uasyncio.Lock()

    async def main():
        await lock.acquire()
        first = uasyncio.create_task(lock.acquire())
        second = uasyncio.create_task(lock.acquire())
        await uasyncio.sleep(0)
        lock.release()
        first.cancel()
        await second
        assert first.cancelled()
        assert lock.locked()

    loop.run_until_complete(main())


def test_another_thread_has_a_loop_of_its_own(uasyncio, native):
    """The second core of a board."""
    results = []

    async def count():
        await uasyncio.sleep_ms(1)
        results.append(asyncio.get_running_loop())

    def other():
        uasyncio.new_event_loop()
        uasyncio.run(count())
        uasyncio.run(count())
        results[0].close()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert results[0] is results[1] is not native


def test_a_thread_sets_a_flag(uasyncio):
    asyncio.get_event_loop().close()
    asyncio.set_event_loop(pyasync_hw.new_event_loop())  # threads live in real time
    flag = uasyncio.ThreadSafeFlag()

    async def main():
        for _ in range(3):
            thread = threading.Thread(target=flag.set)
            thread.start()
            await flag.wait()
            thread.join()
        assert not flag.state
        flag.set()
        flag.clear()
        with pytest.raises(uasyncio.TimeoutError):
            await uasyncio.wait_for_ms(flag.wait(), 1)
        flag.set()
        await flag.wait()

    uasyncio.run(main())
    asyncio.get_event_loop().close()


def test_queues(uasyncio, loop):
    from uasyncio.queues import Queue, QueueEmpty, QueueFull

    queue = Queue(maxsize=1)

    def put():
        for n in range(3):
            yield from queue.put(n)

    async def main():
        loop.create_task(put())
        return [await queue.get() for _ in range(3)]

    assert loop.run_until_complete(main()) == [0, 1, 2]
    assert queue.empty()
    with pytest.raises(QueueEmpty):
        queue.get_nowait()
    queue.put_nowait("x")
    assert (queue.full(), queue.qsize()) == (True, 1)
    with pytest.raises(QueueFull):
        queue.put_nowait("y")


def test_gather_and_waits(uasyncio, loop):
    async def double(n):
        await uasyncio.sleep_ms(n)
        return 2 * n

    async def fail():
        raise ValueError("no")

    async def main():
        assert await uasyncio.gather() == []
        assert await uasyncio.gather(double(2), uasyncio.create_task(double(1))) == [4, 2]
        both = await uasyncio.gather(double(1), fail(), return_exceptions=True)
        assert (both[0], str(both[1])) == (2, "no")
        with pytest.raises(ValueError, match="no"):
            await uasyncio.gather(fail())
        assert await uasyncio.wait_for(double(10), 1) == 20
        assert await uasyncio.wait_for(double(10), None) == 20
        with pytest.raises(uasyncio.TimeoutError):
            await uasyncio.wait_for(double(2000), 1)
        with pytest.raises(uasyncio.TimeoutError):
            await uasyncio.wait_for_ms(double(20), 10)

    loop.run_until_complete(main())
    assert loop.run_until_complete(uasyncio.gather(double(3), double(4))) == [6, 8]


def test_tasks(uasyncio, loop):
    ended = []

    async def run():
        try:
            await uasyncio.sleep(10)
        except uasyncio.CancelledError:
            ended.append(uasyncio.current_task())
            raise

    def generator():
        try:
            yield 10_000
        finally:
            ended.append("generator")

    async def main():
        task = uasyncio.create_task(run())
        assert isinstance(task, uasyncio.Task)
        never = uasyncio.create_task(run())
        never.cancel()
        coro = generator()
        assert uasyncio.ensure_future(coro) is coro
        await uasyncio.sleep(0)
        assert not task.done()
        assert task.cancel()
        uasyncio.cancel(coro)
        with pytest.raises(uasyncio.CancelledError):
            await task
        assert (task.done(), never.done(), task.cancel()) == (True, True, False)
        assert ended == [task, "generator"]
        assert uasyncio.core.cur_task is uasyncio.current_task()
        with pytest.raises(RuntimeError, match="can't cancel self"):
            uasyncio.current_task().cancel()

    loop.run_until_complete(main())
    with pytest.raises(RuntimeError):
        uasyncio.current_task()
    assert uasyncio.core.cur_task is None
    with pytest.raises(TypeError, match="coroutine expected"):
        uasyncio.create_task(run)


def test_what_a_task_raises_is_told_once_and_only_if_nobody_awaits_it(uasyncio, loop):
    told = []
    assert loop.get_exception_handler() is None

    def tell(loop, context):
        told.append((loop, context["exception"]))

    loop.set_exception_handler(tell)
    assert loop.get_exception_handler() is tell

    async def fail(text):
        raise ValueError(text)

    async def main():
        kept = uasyncio.create_task(fail("kept"))
        awaited = uasyncio.create_task(fail("awaited"))
        with pytest.raises(ValueError, match="awaited"):
            await awaited
        await uasyncio.sleep_ms(1)
        assert kept.done()
        await fail("main")

    with pytest.raises(ValueError, match="main"):
        loop.run_until_complete(main())
    loop.run_until_complete(uasyncio.sleep_ms(1))
    assert [(there is loop, str(exc)) for there, exc in told] == [(True, "kept")]


def test_what_micropython_leaves_out_is_pythons(uasyncio, loop, native):
    assert uasyncio.Semaphore is asyncio.Semaphore
    assert loop.run_until_complete(loop.run_in_executor(None, int, "3")) == 3
    with pytest.raises(AttributeError):
        _ = uasyncio.no_such_thing
    uasyncio.set_debug(1)
    assert native.get_debug()


def test_interrupts_end_a_run_and_the_loop_goes_on(uasyncio, loop):
    async def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(interrupt())
    assert loop.run_until_complete(uasyncio.sleep_ms(1)) is None


def test_a_generator_decorated_as_coroutine(uasyncio, loop):
    @uasyncio.coroutine
    def wait():
        yield 5
        return "done"

    async def main():
        return await wait()

    assert loop.run_until_complete(main()) == "done"
    assert uasyncio.coroutine(main) is main
