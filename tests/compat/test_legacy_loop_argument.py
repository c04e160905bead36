"""loop=, wherever asyncio took it up to Python 3.9; coroutines and generators in wait()."""

import asyncio
import inspect

import pytest


async def double(x):
    await asyncio.sleep(0)
    return 2 * x


def generator(x):
    yield
    return 2 * x


WAITS = {
    "sleep": (lambda loop: asyncio.sleep(0, "slept", loop=loop), "slept"),
    "wait_for": (lambda loop: asyncio.wait_for(double(1), 60, loop=loop), 2),
    "wait_for a generator": (lambda loop: asyncio.wait_for(generator(1), 60), 2),
    "wait_for without limit": (lambda loop: asyncio.wait_for(generator(1), None, loop=loop), 2),
    "shield": (lambda loop: asyncio.shield(double(1), loop=loop), 2),
    "shield a generator": (lambda loop: asyncio.shield(generator(1)), 2),
    "gather": (lambda loop: asyncio.gather(double(1), generator(2), loop=loop), [2, 4]),
    "gather nothing": (lambda loop: asyncio.gather(loop=loop), []),
    "ensure_future": (lambda loop: asyncio.ensure_future(double(1), loop=loop), 2),
    "async": (lambda loop: getattr(asyncio, "async")(double(1), loop=loop), 2),
    "Task": (lambda loop: asyncio.Task(generator(1), loop=loop), 2),
    "create_task": (lambda loop: loop.create_task(generator(1)), 2),
    "run_until_complete": (lambda loop: generator(1), 2),
}


@pytest.mark.parametrize("name", WAITS)
def test_what_is_awaited(name, legacy):
    make, expected = WAITS[name]
    loop = asyncio.get_event_loop()
    assert loop.run_until_complete(make(loop)) == expected

    async def main():
        return await asyncio.ensure_future(make(loop))

    assert loop.run_until_complete(main()) == expected


def test_the_loop_is_the_one_that_is_named(legacy):
    other = asyncio.new_event_loop()
    assert other is not asyncio.get_event_loop()
    both = asyncio.gather(double(1), asyncio.shield(double(2), loop=other), loop=other)
    assert other.run_until_complete(both) == [2, 4]
    same = double(3)
    assert other.run_until_complete(asyncio.gather(same, same, loop=other)) == [6, 6]
    other.close()


@pytest.mark.parametrize("timeout", [None, 60])
def test_wait_takes_coroutines_generators_and_futures(timeout, legacy):
    loop = asyncio.get_event_loop()
    task = loop.create_task(double(3))
    both = asyncio.wait([double(1), generator(2), task], loop=loop, timeout=timeout)
    done, pending = loop.run_until_complete(both)
    assert {future.result() for future in done} == {2, 4, 6} and task in done and not pending
    never = loop.create_future()
    first = asyncio.wait({double(1), never}, return_when=asyncio.FIRST_COMPLETED)
    done, pending = loop.run_until_complete(first)
    assert [future.result() for future in done] == [2] and pending == {never}


def test_wait_takes_a_generator_of_futures_and_no_coroutine(legacy):
    loop = asyncio.get_event_loop()

    async def main():
        done, _ = await asyncio.wait(loop.create_task(double(x)) for x in (1, 2))
        return sorted(future.result() for future in done)

    assert loop.run_until_complete(main()) == [2, 4]
    coroutine = double(1)
    for wrong in (coroutine, loop.create_future()):
        with pytest.raises(TypeError, match="expect a list of futures"):
            loop.run_until_complete(asyncio.wait(wrong))
    coroutine.close()
    with pytest.raises(ValueError):
        loop.run_until_complete(asyncio.wait([]))


def test_as_completed(legacy):
    loop = asyncio.get_event_loop()

    async def main(**options):
        waits = asyncio.as_completed([double(1), generator(2)], **options)
        tasks = asyncio.as_completed(loop.create_task(double(x)) for x in (3, 4))
        return {await result for result in waits} | {await result for result in tasks}

    for options in ({}, {"loop": loop}, {"loop": loop, "timeout": 60}):
        assert loop.run_until_complete(main(**options)) == {2, 4, 6, 8}


def test_as_completed_where_no_loop_runs(legacy):
    loop = asyncio.get_event_loop()
    for options in ({}, {"loop": loop}, {"loop": loop, "timeout": 60}):
        waits = asyncio.as_completed([double(1), generator(2)], **options)
        assert {loop.run_until_complete(wait) for wait in waits} == {2, 4}


LOCKS = (asyncio.Lock, asyncio.Event, asyncio.Condition, asyncio.Semaphore)
QUEUES = (asyncio.Queue, asyncio.PriorityQueue, asyncio.LifoQueue)


@pytest.mark.parametrize("make", [*LOCKS, asyncio.BoundedSemaphore, *QUEUES])
def test_locks_and_queues(make, legacy):
    loop = asyncio.get_event_loop()
    assert make(loop=loop)._get_loop.__self__._loop is loop
    assert "loop" in inspect.signature(make).parameters
    with pytest.raises(TypeError, match=r"__init__\(\) got an unexpected keyword argument 'lop'"):
        make(lop=loop)


def test_a_lock_made_before_any_loop_works_on_the_one_that_runs(legacy):
    lock, queue = asyncio.Lock(), asyncio.Queue()

    async def main():
        waits = asyncio.ensure_future(queue.get())
        async with lock:
            other = asyncio.ensure_future(lock.acquire())
            await asyncio.sleep(0)
            await queue.put("item")
        return await waits, await other

    assert asyncio.run(main()) == ("item", True)


def test_streams_and_children(legacy, tmp_path):
    loop = asyncio.get_event_loop()

    @asyncio.coroutine
    def echo(reader, writer):
        writer.write((yield from reader.readline()))
        yield from writer.drain()
        writer.close()

    @asyncio.coroutine
    def ask(connect, *address):
        reader, writer = yield from connect(*address, loop=loop)
        writer.write(b"hello\n")
        answer = yield from reader.read()
        writer.close()
        return answer

    server = loop.run_until_complete(asyncio.start_server(echo, "127.0.0.1", 0, loop=loop))
    address = server.sockets[0].getsockname()
    assert loop.run_until_complete(ask(asyncio.open_connection, *address)) == b"hello\n"
    server.close()
    path = str(tmp_path / "socket")
    server = loop.run_until_complete(asyncio.start_unix_server(echo, path, loop=loop))
    assert loop.run_until_complete(ask(asyncio.open_unix_connection, path)) == b"hello\n"
    server.close()

    @asyncio.coroutine
    def child(create, *command):
        process = yield from create(*command, stdout=asyncio.subprocess.PIPE, loop=loop)
        out, _ = yield from process.communicate()
        return out

    created = child(asyncio.create_subprocess_exec, "echo", "exec")
    assert loop.run_until_complete(created) == b"exec\n"
    created = child(asyncio.create_subprocess_shell, "echo shell")
    assert loop.run_until_complete(created) == b"shell\n"


@pytest.mark.parametrize(
    "name, call, message",
    [
        ("sleep", lambda: asyncio.sleep(), "missing 1 required positional argument: 'delay'"),
        ("sleep", lambda: asyncio.sleep(1, lop=None), "unexpected keyword argument 'lop'"),
        ("wait_for", lambda: asyncio.wait_for(1), "missing 1 required positional argument"),
        ("gather", lambda: asyncio.gather(lop=None), "unexpected keyword argument 'lop'"),
        ("start_server", lambda: asyncio.start_server(), "missing 1 required positional"),
    ],
)
def test_signatures_and_errors_are_as_usual(name, call, message, legacy):
    with pytest.raises(TypeError, match=rf"^{name}\(\).*{message}"):
        call()
    func = getattr(asyncio, name)
    parameter = inspect.signature(func).parameters["loop"]
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is None
    assert "'" not in str(inspect.signature(func))  # no annotations, as the originals
    assert func.__module__.startswith("asyncio.") and func.__doc__ is not None


def test_they_are_coroutine_functions(legacy):
    for func in (asyncio.sleep, asyncio.wait, asyncio.wait_for, asyncio.open_connection):
        assert asyncio.iscoroutinefunction(func)
    assert not asyncio.iscoroutinefunction(asyncio.gather)
