"""The four ways to put the loop under a program."""

import asyncio
import gc
import subprocess
import sys
import warnings

import pytest

import pyasync_hw

HAS_POLICIES = sys.version_info < (3, 16)


async def which():
    return type(asyncio.get_running_loop())


def test_run():
    assert pyasync_hw.run(which()) is pyasync_hw.EventLoop


def refusal_of(function):
    """What it raises, having warned of nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(Exception) as refused:
            function()
        answer = refused.type, str(refused.value)
        del refused
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    return answer


def test_run_in_a_running_loop_says_what_asyncio_says():
    async def main():
        said = refusal_of(lambda: pyasync_hw.run(which()))
        of_value = refusal_of(lambda: pyasync_hw.run(42))
        in_thread = await asyncio.to_thread(pyasync_hw.run, which())
        coroutine = which()
        with pytest.raises(RuntimeError) as of_asyncio:
            asyncio.run(coroutine)
        coroutine.close()
        return said, of_value, in_thread, (RuntimeError, str(of_asyncio.value))

    for run in (pyasync_hw.run, asyncio.run):  # inside a loop of ours, and of asyncio's
        said, of_value, in_thread, right = run(main())
        assert said == of_value == right
        assert in_thread is pyasync_hw.EventLoop


def test_run_of_something_else_says_what_asyncio_says():
    for value in (42, which):
        with pytest.raises((ValueError, TypeError)) as of_asyncio:
            asyncio.run(value)
        assert refusal_of(lambda value=value: pyasync_hw.run(value)) == (
            of_asyncio.type,
            str(of_asyncio.value),
        )


def test_run_that_gets_no_loop_leaves_no_warning():
    kind, _ = refusal_of(lambda: pyasync_hw.run(which(), clock="noon"))
    assert kind is TypeError


def test_a_coroutine_that_ran_is_left_as_it_is():
    async def fail():
        raise LookupError("inside")

    coroutine = fail()
    assert refusal_of(lambda: pyasync_hw.run(coroutine)) == (LookupError, "inside")


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_runner_and_run_until_complete_in_a_running_loop_say_what_asyncio_says():
    async def main(new_loop):
        said = []
        other = new_loop()
        runner = asyncio.Runner(loop_factory=new_loop)
        runner.get_loop()
        for run in (runner.run, asyncio.get_running_loop().run_until_complete,
                    other.run_until_complete, lambda coroutine: other.run_forever()):  # fmt: skip
            coroutine = which()
            with pytest.raises(RuntimeError) as refused:
                run(coroutine)
            said.append(str(refused.value))
            coroutine.close()
        other.close()
        runner.get_loop().close()
        return said

    ours = asyncio.run(main(pyasync_hw.new_event_loop))
    assert ours == asyncio.run(main(asyncio.SelectorEventLoop))


def test_loop_factory():
    with asyncio.Runner(loop_factory=pyasync_hw.new_event_loop) as runner:
        assert runner.run(which()) is pyasync_hw.EventLoop


@pytest.mark.skipif(not HAS_POLICIES, reason="this Python has no event loop policies")
def test_policy_and_install():
    code = (
        "import asyncio, pyasync_hw\n"
        "async def which(): return type(asyncio.get_running_loop())\n"
        "pyasync_hw.install()\n"
        "assert asyncio.run(which()) is pyasync_hw.EventLoop\n"
        "assert isinstance(asyncio.get_event_loop_policy(), pyasync_hw.EventLoopPolicy)\n"
        "loop = asyncio.new_event_loop(); loop.close()\n"
        "assert type(loop) is pyasync_hw.EventLoop\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_importing_warns_of_nothing():
    subprocess.run(
        [sys.executable, "-W", "error", "-c", "import pyasync_hw"], check=True, timeout=60
    )


def test_no_policies_is_said_clearly(monkeypatch):
    monkeypatch.delitem(sys.modules, "pyasync_hw.loop.policy", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(asyncio, "DefaultEventLoopPolicy"):
            monkeypatch.setattr(asyncio, "DefaultEventLoopPolicy", None)
    with pytest.raises(ImportError, match=r"loop_factory=pyasync_hw\.new_event_loop"):
        import pyasync_hw.loop.policy  # noqa: F401
    monkeypatch.delitem(sys.modules, "pyasync_hw.loop.policy", raising=False)


def test_modules_are_imported_when_they_are_asked_for():
    code = (
        "import sys, pyasync_hw\n"
        "names = 'executor', 'gpio', 'insight', 'rc522', 'sim', 'spi', 'tags'\n"
        "assert set(names) <= set(dir(pyasync_hw))\n"
        "assert not {f'pyasync_hw.{name}' for name in names} & set(sys.modules)\n"
        "for name in names:\n"
        "    assert getattr(pyasync_hw, name) is sys.modules[f'pyasync_hw.{name}']\n"
        "assert pyasync_hw.executor.current_token() is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pyasync_hw.nothing  # noqa: B018


def test_a_selector_is_refused():
    import selectors

    with pytest.raises(TypeError, match="poller of its own"):
        pyasync_hw.EventLoop(selectors.SelectSelector())


def test_async_generators_are_finalized():
    closed = []

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    async def main():
        async for _ in numbers():
            break

    pyasync_hw.run(main())
    assert closed == [True]


def test_a_subinterpreter_with_its_own_gil():
    interpreters = pytest.importorskip(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    )
    if sys.version_info < (3, 12):
        pytest.skip("interpreters with their own GIL came with Python 3.12")
    interp = interpreters.create()
    try:
        code = (
            "import asyncio, sys\n"
            f"sys.path[:] = {sys.path!r}\n"
            "import pyasync_hw\n"
            "async def main():\n"
            "    await asyncio.sleep(0.001)\n"
            "pyasync_hw.run(main())\n"
        )
        failure = interpreters.run_string(interp, code)
        assert failure is None, failure
    finally:
        interpreters.destroy(interp)


LOADED = """
import asyncio, sys
import pyasync_hw

loop = pyasync_hw.new_event_loop()
loop.run_until_complete(asyncio.sleep(0))
loop.close()
print(*sorted(name for name in sys.modules if name.startswith("pyasync_hw.")))
"""


def test_a_loop_that_runs_callbacks_needs_few_modules():
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60
    )
    of_loop = ("forked", "patches", "selector_view")
    loaded = [f"pyasync_hw.{name}" for name in ("_core", "loop", *(f"loop.{n}" for n in of_loop))]
    assert (done.stdout.split(), done.stderr) == (loaded, "")
