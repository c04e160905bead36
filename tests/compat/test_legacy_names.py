"""asyncio's old names, with our loop behind them."""

import asyncio
import concurrent.futures
import sys
import types

import pytest
from running import run
from semaphores import has_semaphores

import pyasync_hw


def test_current_loop_is_made_on_demand_and_is_ours(legacy):
    loop = asyncio.get_event_loop()
    assert isinstance(loop, pyasync_hw.EventLoop)
    assert asyncio.get_event_loop() is loop


def test_ensure_future_and_gather_outside_a_running_loop(legacy):
    async def double(x):
        await asyncio.sleep(0)
        return 2 * x

    both = asyncio.gather(double(1), asyncio.ensure_future(double(2)), return_exceptions=True)
    assert asyncio.get_event_loop().run_until_complete(both) == [2, 4]
    assert asyncio.get_event_loop().run_until_complete(asyncio.gather()) == []


def test_all_tasks_inside_and_outside(legacy):
    loop = asyncio.get_event_loop()

    async def look():
        return asyncio.Task.current_task(), asyncio.Task.all_tasks()

    task = asyncio.ensure_future(look())
    assert asyncio.Task.all_tasks() == asyncio.Task.all_tasks(loop) == {task}
    assert asyncio.Task.current_task() is None
    assert loop.run_until_complete(task) == (task, {task})
    assert asyncio.Task.all_tasks() == set()


def test_tasks_are_tasks_however_they_are_made(legacy):
    async def nothing():
        return None

    async def main():
        loop = asyncio.get_running_loop()
        tasks = [
            asyncio.Task(nothing()),
            loop.create_task(nothing()),
            asyncio.ensure_future(nothing()),
            asyncio.tasks._CTask(nothing()) if hasattr(asyncio.tasks, "_CTask") else None,
        ]
        for task in filter(None, tasks):
            assert isinstance(task, asyncio.Task)
            await task
        named = loop.create_task(nothing(), name="door")
        assert (named.get_name(), tasks[1].get_name()[:5]) == ("door", "Task-")
        await named

    asyncio.get_event_loop().run_until_complete(main())


def test_generators_are_coroutines(legacy):
    """The demo of seed 002, and its relatives."""
    loop = asyncio.get_event_loop()

    @types.coroutine
    def typed():
        yield from asyncio.sleep(0)
        return "typed"

    @asyncio.coroutine
    def decorated():
        yield from asyncio.sleep(0)
        return "decorated"

    @asyncio.coroutine
    def returns_an_awaitable():
        return decorated()

    def plain():
        yield
        return "plain"

    assert asyncio.iscoroutine(plain())
    assert loop.run_until_complete(loop.create_task(typed())) == "typed"
    assert loop.run_until_complete(decorated()) == "decorated"
    assert loop.run_until_complete(asyncio.ensure_future(returns_an_awaitable())) == "decorated"
    assert loop.run_until_complete(asyncio.gather(plain(), asyncio.Task(plain()))) == ["plain"] * 2


def test_decorated_functions_are_coroutine_functions(legacy):
    @asyncio.coroutine
    def decorated():
        yield

    assert asyncio.iscoroutinefunction(decorated)
    assert not asyncio.iscoroutinefunction(lambda: None)


def test_in_debug_mode_a_generator_that_nobody_ran_is_missed(legacy, monkeypatch, caplog):
    """PYTHONASYNCIODEBUG=1 is read where a function is decorated, as it was."""
    monkeypatch.setattr(asyncio.coroutines, "_is_debug_mode", lambda: True)

    @asyncio.coroutine
    def inner():
        return (yield from asyncio.sleep(0, "inner"))

    @asyncio.coroutine
    def outer():
        return (yield from inner())

    async def newer():
        return await outer()

    loop = asyncio.get_event_loop()
    assert isinstance(inner(), asyncio.coroutines.CoroWrapper)
    assert "inner()> was never yielded from\nCoroutine object created at" in caplog.text
    assert "test_legacy_names.py" in caplog.text
    caplog.clear()
    assert asyncio.iscoroutinefunction(inner)
    assert loop.run_until_complete(outer()) == "inner"
    task = asyncio.Task(outer(), loop=loop)
    assert "outer" in repr(task)
    assert loop.run_until_complete(asyncio.gather(task, newer())) == ["inner", "inner"]
    task = loop.create_task(inner())
    loop.call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    assert "never yielded" not in caplog.text


def test_cancel_is_seen_by_handlers_of_concurrent_futures(legacy):
    seen = []

    async def wait():
        try:
            await asyncio.sleep(3600)
        except concurrent.futures.CancelledError:
            seen.append("cancelled")
            raise

    async def main():
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.get_event_loop().run_until_complete(main())
    assert seen == ["cancelled"]
    future = concurrent.futures.Future()
    future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()


def test_module_level_run_in_executor(legacy):
    async def main():
        return await asyncio.run_in_executor(None, divmod, 7, 3)

    loop = asyncio.get_event_loop()
    assert loop.run_until_complete(main()) == (2, 1)
    loop.run_until_complete(loop.shutdown_default_executor())  # waits for its threads


# A program of its own, for multiprocessing leaves its resource tracker running.
PROCESS_POOL = """
import asyncio, concurrent.futures, multiprocessing
if __name__ == "__main__":
    loop = asyncio.get_event_loop()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        loop.set_default_executor(pool)
        print(loop.run_until_complete(loop.run_in_executor(None, divmod, 7, 3)))
"""


@pytest.mark.skipif(not has_semaphores(), reason="multiprocessing cannot write to /dev/shm")
def test_a_process_pool_as_default_executor(program):
    assert run(program(PROCESS_POOL))[:2] == (0, "(2, 1)\n")


def test_a_default_executor_has_to_be_one(legacy):
    with pytest.raises(TypeError):
        asyncio.get_event_loop().set_default_executor("pool")


def test_current_loop_after_asyncio_run(legacy):
    async def main():
        return type(asyncio.get_running_loop()), asyncio.Task.current_task()

    kind, task = asyncio.run(main())
    assert kind is pyasync_hw.EventLoop and isinstance(task, asyncio.Task)
    assert not asyncio.get_event_loop().is_closed()


def test_other_threads_get_no_loop_on_demand(legacy):
    with concurrent.futures.ThreadPoolExecutor() as pool, pytest.raises(RuntimeError):
        pool.submit(asyncio.get_event_loop).result()


def test_exit_by_system_exit_in_a_callback(legacy):
    """Seed 000's exit section: exit() in a handler, the rest in `finally`."""
    order = []

    async def worker():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            order.append("cleaned up")
            raise

    def on_signal():
        for task in asyncio.Task.all_tasks():
            task.cancel()
        sys.exit(7)

    loop = asyncio.get_event_loop()
    task = asyncio.ensure_future(worker())
    loop.call_soon(on_signal)
    with pytest.raises(SystemExit, match="7"):
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(
                asyncio.gather(*asyncio.Task.all_tasks(), return_exceptions=True)
            )
            loop.close()
    assert order == ["cleaned up"]
    assert task.cancelled() and loop.is_closed()
