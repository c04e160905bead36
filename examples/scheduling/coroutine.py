"""What @asyncio.coroutine was: generators and functions that return futures, made awaitable."""

import asyncio
import functools
import inspect
import types
from asyncio.futures import Future


def coroutine(function):
    if inspect.isgeneratorfunction(function):
        return types.coroutine(function)

    @functools.wraps(function)
    def waits(*args, **kwargs):
        result = function(*args, **kwargs)
        if isinstance(result, Future) or inspect.isgenerator(result):
            result = yield from result
        return result

    return types.coroutine(waits)


@coroutine
def boil(minutes):
    yield from asyncio.sleep(minutes / 100)
    return "boiled for {} minutes".format(minutes)


@coroutine
def egg():
    return loop.create_task(boil(5))


async def breakfast():
    print("an egg,", await egg())


loop = asyncio.get_event_loop()
loop.run_until_complete(loop.create_task(breakfast()))
loop.close()
