"""`with (yield from lock)` and `with await lock`, as up to Python 3.8."""

import asyncio

import pytest

MAKERS = [asyncio.Lock, asyncio.Condition, asyncio.Semaphore, asyncio.BoundedSemaphore]


@pytest.mark.parametrize("make", MAKERS)
def test_with_yield_from_and_with_await(make, legacy):
    lock = make()
    order = []

    @asyncio.coroutine
    def old(name):
        with (yield from lock) as nothing:
            assert nothing is None and lock.locked()
            order.append(name)
            yield from asyncio.sleep(0)
            order.append(name)

    async def newer(name):
        with await lock:
            order.append(name)
            await asyncio.sleep(0)
            order.append(name)

    loop = asyncio.get_event_loop()
    loop.run_until_complete(asyncio.gather(old("a"), newer("b"), old("c")))
    assert order == ["a", "a", "b", "b", "c", "c"]
    assert not lock.locked()


@pytest.mark.parametrize("make", MAKERS)
def test_an_error_lets_it_go_and_a_plain_with_is_refused(make, legacy):
    lock = make()

    @asyncio.coroutine
    def fail():
        with (yield from lock):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.get_event_loop().run_until_complete(fail())
    assert not lock.locked()
    with pytest.raises(RuntimeError, match='"yield from" should be used'), lock:
        pass
    assert not lock.locked()


def test_a_condition_hands_on(legacy):
    loop = asyncio.get_event_loop()
    condition, items = asyncio.Condition(loop=loop), []

    @asyncio.coroutine
    def consume():
        with (yield from condition):
            yield from condition.wait_for(lambda: items)
            return items.pop()

    @asyncio.coroutine
    def produce():
        with (yield from condition):
            items.append("item")
            condition.notify()

    assert loop.run_until_complete(asyncio.gather(consume(), produce())) == ["item", None]


def test_without_install_locks_are_today_s():
    for make in MAKERS:
        assert not hasattr(make, "__enter__") and not hasattr(make, "__await__")
    with pytest.raises(TypeError):
        asyncio.Queue(loop=None)
