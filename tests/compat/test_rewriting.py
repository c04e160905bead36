"""Programs whose source older Pythons took: rewritten in memory, and seen as they are written."""

import ast
import contextlib
import importlib.util
import inspect
import linecache
import os
import runpy
import sys
import textwrap
import time
import traceback
import types
import zipfile

import pytest
from running import ENVIRONMENT, as_python_does, run

import pyasync_hw
from pyasync_hw.compat import source, upy


class Program:
    """A folder whose modules are rewritten."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, text, name):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(textwrap.dedent(text).encode() if isinstance(text, str) else text)
        return path

    def load(self, text, name="module"):
        """The module of this text, imported."""
        self.write(text, f"{name}.py")
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        linecache.clearcache()
        return importlib.import_module(name)

    def cached(self):
        return sorted(path.name for path in self.folder.rglob("*.pyc"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    uninstall = source.install(str(tmp_path))
    yield Program(tmp_path)
    uninstall()
    for name in set(sys.modules) - before:
        if os.fspath(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def complete(awaitable):
    """What it comes to on a loop of ours; a generator of MicroPython is one, too."""

    async def wait():
        return await source.uawait(awaitable)

    loop = pyasync_hw.new_event_loop()
    try:
        return loop.run_until_complete(wait())
    finally:
        loop.close()


def test_async_and_await_are_names(folder):
    module = folder.load(
        '''\
        """async, await"""
        import math as async
        from os import path as await

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
        '''
    )
    assert module.result[:3] == [2, (3, 4), 2]
    assert module.result[3](5) == 5 and module.result[4] == "b" and module.kind is ValueError
    assert complete(module.modern()) == "s" and inspect.iscoroutinefunction(module.modern)
    assert inspect.getsource(module.other) == 'async def other():\n    return "s"\n'
    assert folder.cached() == []


def test_a_module_may_be_called_async(folder):
    folder.write("", "package/__init__.py")
    folder.write("names = []\n", "package/async.py")
    module = folder.load(
        """\
        from package.async import names
        import package.async as async
        import package.async
        same = async.names is names is package.async.names
        """
    )
    assert module.same


NAMES_ONLY_IF_BOUND = [
    "await (1)\n",
    "x = [await (y) for y in ()]\n",
    "def f():\n    return await (1)\n",
    "async with f():\n    pass\n",
    "def f():\n    await g()\n",
]


@pytest.mark.parametrize("text", NAMES_ONLY_IF_BOUND)
def test_a_keyword_in_the_wrong_place_is_one(folder, text):
    with pytest.raises(SyntaxError) as raised:
        folder.load(text)
    with pytest.raises(SyntaxError) as expected:
        compile(text, str(folder.folder / "module.py"), "exec")
    assert str(raised.value) == str(expected.value)


def test_source_encodings(folder):
    latin = folder.load(
        b"# -*- coding: latin-1 -*-\r\nasync = 'caf\xe9'\r\nprint(async, end='')\r\n"
    )
    assert vars(latin)["async"] == "café"
    bom = folder.load(
        b"\xef\xbb\xbfasync = '\xc3\xa9'; b = '\xc3\xa9' + async; assert b == async * 2\n"
    )
    assert bom.b == "éé"
    tabs = folder.load("if 1:\n\tdef f(async):\n\t\tyield from async\n\tg = [*f([1])]\n")
    assert tabs.g == [1]
    future = folder.load("from __future__ import annotations\ndef f(async: x): yield from async\n")
    assert future.f.__annotations__ == {"async": "x"}

    with pytest.raises((SyntaxError, ValueError)):  # the second is that of Python 3.11
        folder.load(b"async = 1\n\0\n", "null")
    text = "# coding: latin-1\nasync = 'é'; result.append(async)\n"  # of -c: is not looked at
    result = []
    exec(source.compile_program(text, "<string>"), {"result": result})
    assert result == ["é"]


def test_a_plain_generator_delegates_to_coroutines(folder):
    module = folder.load(
        """\
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

        class OnlyAwaitable:
            def __await__(self):
                return answer().__await__()

        def by_await():
            return (yield from OnlyAwaitable())

        def data():
            yield from [1, 2]
            got = yield 3
            yield got

        @asyncio.coroutine
        def decorated():
            return (yield from answer())
        """.replace("@asyncio.coroutine", "@__import__('types').coroutine")
    )
    assert complete(module.delegating()) == 85
    assert complete(module.Awaitable()) == 42
    assert complete(module.Iterable()) == 7
    assert complete(module.by_await()) == 42
    assert complete(module.decorated()) == 42
    data = module.data()
    assert inspect.isgenerator(data) and not inspect.isawaitable(data)
    assert [next(data), next(data), next(data), data.send(5)] == [1, 2, 3, 5]
    assert inspect.isgeneratorfunction(module.delegating)


def test_a_delegating_generator_is_thrown_into_and_closed(folder):
    module = folder.load(
        """\
        import asyncio
        seen = []

        async def wait():
            try:
                await asyncio.Event().wait()
            except BaseException as exc:
                seen.append(type(exc))
                raise

        def delegating():
            yield from wait()
        """
    )
    for end in (lambda g: g.throw(KeyError("x")), lambda g: g.close()):
        generator = module.delegating()
        loop = pyasync_hw.new_event_loop()

        async def begin(generator=generator, end=end):
            next(generator)
            with contextlib.suppress(KeyError):
                end(generator)

        loop.run_until_complete(begin())
        loop.close()
    assert module.seen == [KeyError, GeneratorExit]


def test_raise_stopiteration_ends_a_generator(folder):
    module = folder.load(
        """\
        def numbers():
            yield 1
            raise StopIteration
        def result():
            try:
                yield 1
            finally:
                raise StopIteration(5)
        def delegating(): return (yield from result())
        def caught():
            try:
                raise StopIteration(1)
            except StopIteration as stop:
                yield stop.value
        class Iterator:
            def __iter__(self): return self
            def __next__(self): raise StopIteration
        """
    )
    assert list(module.numbers()) == [1]
    generator = module.delegating()
    assert next(generator) == 1
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == 5
    assert list(module.caught()) == [1] and list(module.Iterator()) == []


def test_aiter_as_in_python_3_5(folder):
    module = folder.load(
        """\
        import asyncio, types

        def same(function): return function

        class Ticker:
            def __init__(self): self.left = 3
            @same
            async def __aiter__(self):
                await asyncio.sleep(0)
                return self
            async def __anext__(self):
                if not self.left: raise StopAsyncIteration
                self.left -= 1
                return self.left

        class Generator:
            async def __aiter__(self):
                yield 1

        class Old(Ticker):
            @types.coroutine
            def __aiter__(self):
                yield from asyncio.sleep(0)
                return self

        async def collect(iterable):
            return [x async for x in iterable]

        async def by_hand():
            return type(await Ticker().__aiter__())
        """
    )
    assert complete(module.collect(module.Ticker())) == [2, 1, 0]
    assert complete(module.collect(module.Old())) == [2, 1, 0]
    assert complete(module.collect(module.Generator())) == [1]
    assert complete(module.by_hand()) is module.Ticker
    assert inspect.getsource(module.Ticker.__aiter__).startswith(
        "    @same\n    async def __aiter__"
    )
    assert inspect.isasyncgenfunction(module.Generator.__aiter__)


def test_global_after_use(folder):
    module = folder.load(
        '''\
        total = 1
        global total

        def add(x):
            """Doc."""
            total = x
            if x:
                global total
            def inner():
                y = 1
                def innermost():
                    y = 2
                    nonlocal y
                innermost()
                return y
            return inner()
        '''
    )
    assert module.add(5) == 2 and module.total == 5 and module.add.__doc__ == "Doc."


def test_leading_zeros_on_a_board(folder):
    text = """\
        # 07
        from micropython import const
        when = (const(2023),05,00, 010, -007, 0, 0.5, 0x05, "05 08", 1.05)
        é = "é", 08, "é", 09
        """
    with pytest.raises(SyntaxError, match="leading zeros"):
        folder.load(text, "elsewhere")
    uninstall = upy.install()
    try:
        module = folder.load(text)
    finally:
        uninstall()
    assert module.when == (2023, 5, 0, 10, -7, 0, 0.5, 5, "05 08", 1.05)
    assert module.é == ("é", 8, "é", 9)


def test_own_modules_with_a_boards_names_may_import_each_other(folder):
    folder.write("import network\nasync = 1\n", "machine.py")
    folder.write("import machine\nfrom machine import *\n", "network.py")
    machine = folder.load("import machine\nimport network\n").machine
    assert vars(machine)["async"] == 1


UASYNC = """\
import uasyncio
log = []

async def pause():
    got = yield
    log.append(got)

async def speak():
    log.append((yield 5))
    return "spoken"

async def delegate():
    yield from pause()
    return (yield from speak())

def plain():
    yield
    return 8

def awaits():
    return (await plain())

class Awaitable:
    def __iter__(self):
        yield from pause()
        return 9

async def main(x=(lambda: (yield))):
    await pause()
    return [await delegate(), await plain(), await awaits(), await Awaitable()]

async def readings():
    yield 1

async def __aiter__(self):
    yield 1

async def iterate():
    return [x async for x in readings()]
"""


@pytest.fixture
def yields():
    """What `yield` of MicroPython was given; its answer is the value twice."""
    values = []

    async def uyield(value):
        values.append(value)
        return value and value * 2

    source.set_uyield(uyield)
    yield values
    source.set_uyield(None)


def test_micropythons_yield_is_an_await(folder, yields):
    folder.write("", "uasyncio.py")
    module = folder.load(UASYNC)
    assert complete(module.main()) == ["spoken", 8, 8, 9]
    assert module.log == [None, None, 10, None]
    assert yields == [None, None, 5, None, None, None]
    assert inspect.iscoroutinefunction(module.pause)
    assert complete(module.iterate()) == [1]
    assert inspect.isasyncgenfunction(module.readings)
    # Of the same program, and it need not import uasyncio itself.
    other = folder.load(
        """\
        from contextlib import asynccontextmanager
        async def wait():
            yield 3
        @asynccontextmanager
        async def manager():
            yield 4
        async def readings():
            yield 1
        async def undecorated():
            yield 5
        other_manager = asynccontextmanager(undecorated)
        async def use():
            async with manager() as four, other_manager() as five:
                return four, five
        """,
        "other",
    )
    complete(other.wait())
    assert yields[-1] == 3
    assert complete(other.use()) == (4, 5)
    assert inspect.isasyncgenfunction(other.readings)  # module iterates it


def test_other_programs_have_asynchronous_generators(folder):
    text = UASYNC.replace("import uasyncio", "# import uasyncio").replace("yield from", "yield")
    text = text.replace("(await plain())", "0").replace('return "spoken"', "return")
    text = text.replace("return (yield speak())", "return")
    module = folder.load(text)
    assert inspect.isasyncgenfunction(module.pause)
    assert folder.cached() != []  # by Python's own loader


FAILING = """\
import asyncio
import types

def same(function): return function

async def deep(value):
    await asyncio.sleep(0)
    return [1][value]

@DECORATOR
def middle(value):
    x = 1; y = yield from deep(value if x else (yield from deep(0))); return y

@DECORATOR
def outer(value):
    é = "é"; return ((yield from middle(value)), é)

@DECORATOR
def iterates(value):
    return value and (yield from (lambda: value)())
"""


def _failure(function):
    try:
        complete(source.drive(function(5)))
    except Exception as exc:
        stack = traceback.TracebackException.from_exception(exc)
        own = [frame for frame in stack.stack if frame.filename.endswith("module.py")]
        return "".join(traceback.StackSummary.from_list(own).format()) + str(exc)


def test_tracebacks_show_what_is_written(folder):
    plain = folder.load(FAILING.replace("@DECORATOR", "@types.coroutine"))
    assert folder.cached() != []
    expected = [_failure(function) for function in (plain.outer, plain.iterates)]
    rewritten = folder.load(FAILING.replace("@DECORATOR", "@same"))
    assert [_failure(function) for function in (rewritten.outer, rewritten.iterates)] == expected
    assert "yield from deep(value if x" in expected[0] and "^" in expected[0]


def _positions(code):
    yield from code.co_positions()
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _positions(constant)


def test_no_position_is_new(folder, yields):
    """Of each instruction: it is that of a node of the text."""
    folder.write("", "uasyncio.py")
    module = folder.load(UASYNC)
    known = {
        (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
        for node in ast.walk(ast.parse(UASYNC))
        if hasattr(node, "lineno")
    }
    for name in ("main", "delegate", "speak", "awaits", "plain"):
        code = getattr(module, name).__code__
        own = {p for p in _positions(code) if p[0] != p[1] or p[2] != p[3]}  # RESUME has none
        assert own <= known | {(code.co_firstlineno, code.co_firstlineno, 0, 0)}, name


def test_syntax_errors_are_pythons_own(program, tmp_path):
    names = []
    for number, text in enumerate(
        [
            *NAMES_ONLY_IF_BOUND,
            "print 'hello'\n",
            "async = 1\nx = (\n",
            "def f():\n    yield from x\n  y = 1\n",
            "def f(async):\n\treturn 1\n        return 2\n",
            "async def f():\n    yield from g()\n",
            "async def f():\n    yield 1\n    return 2\n",
            "def f(x):\n    global x\n",
            "# coding: no-such-codec\nasync = 1\n",
            "async = '\xff'\n".encode("latin-1"),
        ]
    ):
        names.append(f"bad{number}")
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / f"bad{number}.py").write_bytes(data)
    path = program(
        f"""\
        import traceback
        for name in {names}:
            try:
                __import__(name)
            except Exception:
                traceback.print_exc()
            else:
                print(name)
        """
    )
    expected = as_python_does(path)
    assert run(path) == expected
    assert expected[1] == "" and expected[2].count("Error") == len(names)
    for name in names[:1] + names[-5:-2]:
        bad = str(tmp_path / f"{name}.py")
        assert run(bad) == as_python_does(bad)


def test_what_is_not_the_programs_is_not_rewritten(folder, monkeypatch):
    text = "async = 1\n"
    folder.write(text, "venv/lib/site-packages/installed.py")
    monkeypatch.syspath_prepend(str(folder.folder / "venv/lib/site-packages"))
    with pytest.raises(SyntaxError):
        importlib.import_module("installed")
    outside = folder.folder.parent / f"{folder.folder.name}-other"
    outside.mkdir()
    (outside / "beside.py").write_text(text)
    monkeypatch.syspath_prepend(str(outside))
    with pytest.raises(SyntaxError):
        importlib.import_module("beside")


def test_python_never_meets_rewritten_code_in_its_cache(folder, monkeypatch):
    text = "def f():\n    yield from g\n"
    path = folder.write(text, "module.py")
    environment = {**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": ""}
    options = {"cwd": folder.folder, "env": environment}
    assert as_python_does("-c", "import module", **options)[0] == 0
    (cache,) = folder.folder.rglob("*.pyc")
    before = cache.read_bytes()[16:]  # after the source's time stamp
    module = folder.load(text)
    assert "__delegate__" in module.f.__code__.co_names
    assert cache.read_bytes()[16:] == before
    cache.unlink()
    assert "__delegate__" in folder.load(text).f.__code__.co_names
    assert cache.read_bytes()[16:] == before
    assert module.__spec__.cached == str(cache) and module.__file__ == str(path)
    assert module.__loader__.get_source("module") == text


def test_what_needs_nothing_has_pythons_own_loader(folder):
    from importlib.machinery import SourceFileLoader

    module = folder.load("# async or not\nasync def f():\n    await g()\nglobal x\n")
    assert type(module.__loader__) is SourceFileLoader
    assert len(folder.cached()) == 1


def test_a_module_is_reloaded_as_it_is_rewritten(folder):
    module = folder.load("async = 1\n")
    folder.write("async = 22\n", "module.py")
    assert vars(importlib.reload(module))["async"] == 22


def test_a_plug_in_is_imported_by_its_path(folder):
    path = folder.write("async = __name__\n", "plugins/one.py")
    spec = importlib.util.spec_from_file_location("one", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert vars(module)["async"] == "one" and module.__file__ == str(path)
    assert runpy.run_path(str(path))["async"] == "<run_path>"


def test_a_stand_in_of_the_programs_own_is_no_board(folder, monkeypatch):
    """As tests put one into sys.modules, which has no spec."""
    monkeypatch.setitem(sys.modules, "machine", types.ModuleType("machine"))
    path = folder.write("import machine\nimport time\n", "uses_it.py")
    assert runpy.run_path(str(path))["time"] is time


PROGRAM = """\
import asyncio, inspect, sys
import pkg.helper

def work():
    yield from asyncio.sleep(0)
    return "done"

async def main():
    return await asyncio.ensure_future(work())

if __name__ == "__main__":
    loop = asyncio.get_event_loop()
    print(loop.run_until_complete(asyncio.async(main())), pkg.helper.value)
"""


def test_under_run(program, tmp_path):
    """A file, a folder, a zip file, -m, -c, - and a child that multiprocessing spawns."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "helper.py").write_text("def f(async): return async\nvalue = f(async=3)\n")
    path = program(PROGRAM)
    program(PROGRAM, "__main__.py")
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        for name in ("__main__.py", "pkg/__init__.py", "pkg/helper.py"):
            archive.write(tmp_path / name, name)
    here = {"cwd": tmp_path}
    for args, options in [
        ([path], {}),
        ([str(tmp_path)], {}),
        (["app.zip"], here),
        (["-m", "app"], here),
        (["-c", PROGRAM], here),
        (["-"], {**here, "input": PROGRAM}),
    ]:
        assert run(*args, **options) == (0, "done 3\n", ""), args
    spawning = program(
        """\
        import multiprocessing

        def child(async): print("child", async)

        if __name__ == "__main__":
            process = multiprocessing.get_context("spawn").Process(target=child, args=(1,))
            process.start()
            process.join()
        """,
        "spawning.py",
    )
    assert run(spawning) == (0, "child 1\n", "")
    status, _out, err = run("--no-rewrite", path)
    assert status == 1 and "SyntaxError" in err
