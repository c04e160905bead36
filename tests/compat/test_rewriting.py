"""Programs whose source older Pythons took: rewritten in memory, and seen as they are written."""

import importlib
import inspect
import linecache
import os
import sys
import textwrap

import pytest
from running import run

import pyasync_hw
from pyasync_hw.compat import source


class Program:
    """A folder whose modules are rewritten."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, text, name="module.py"):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        if isinstance(text, str):
            text = textwrap.dedent(text).encode()
        path.write_bytes(text)
        return path

    def load(self, text, name="module"):
        """The module of this text, imported."""
        self.write(text, f"{name}.py")
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        linecache.clearcache()
        return importlib.import_module(name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    uninstall = source.install(str(tmp_path))
    yield Program(tmp_path)
    uninstall()
    for name in set(sys.modules) - before:
        if os.fspath(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def complete(coro):
    loop = pyasync_hw.new_event_loop()
    try:
        return loop.run_until_complete(coro)
    finally:
        loop.close()


def drive(generator):
    """Run a generator that yields what asyncio's tasks take."""

    async def wait():
        return await source.drive(generator)

    return complete(wait())


OLD_NAMES = '''\
"""async, await"""
import types

class Client:
    async = 1
    def await(self, async=False, *, await=None): return async, await

def async(x): return x + 1
client = Client()
client.async += 1
result = [client.async, client.await(async=3, await=4), async(1), lambda async: async]
for await in (async for async in "ab"): pass
result.append(await)
async def modern(): return await other()  # async
async def other():
    return "s"
try: raise ValueError
except ValueError as async: kind = type(async)
async = None
'''


def test_async_and_await_are_names(folder):
    module = folder.load(OLD_NAMES)
    assert module.result[:3] == [2, (3, 4), 2]
    assert module.result[3](5) == 5 and module.result[4] == "b"
    assert complete(module.modern()) == "s"
    assert inspect.getsource(module.other) == 'async def other():\n    return "s"\n'


PLAIN_GENERATORS = """\
import asyncio

async def answer():
    await asyncio.sleep(0)
    return 42

def delegating():
    first = yield from answer()
    second = yield from asyncio.sleep(0, 1)
    return first + second + (yield from nested())

def nested():
    inner = lambda: (yield from answer())
    return (yield from inner())

class Awaitable:
    def __await__(self):
        return (yield from answer())

class Iterable:
    def __iter__(self):
        return (yield from asyncio.sleep(0, 7))

def data():
    yield from [1, 2]
    got = yield 3
    yield got
"""


def test_a_plain_generator_delegates_to_coroutines(folder):
    module = folder.load(PLAIN_GENERATORS)
    assert drive(module.delegating()) == 85

    async def wait():
        return await module.Awaitable(), await source.uawait(module.Iterable())

    assert complete(wait()) == (42, 7)
    data = module.data()
    assert inspect.isgenerator(data) and not inspect.isawaitable(data)
    assert [next(data), next(data), next(data), data.send(5)] == [1, 2, 3, 5]


def test_under_run(program):
    path = program(
        """\
        import asyncio

        def work():
            yield from asyncio.sleep(0)
            return "done"

        async def main():
            return await asyncio.ensure_future(work())

        loop = asyncio.get_event_loop()
        print(loop.run_until_complete(asyncio.async(main())))
        """
    )
    assert run(path) == (0, "done\n", "")
    status, _out, err = run("--no-rewrite", path)
    assert status == 1 and "SyntaxError" in err
