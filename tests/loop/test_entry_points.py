"""The four ways to put the loop under a program."""

import asyncio
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
    monkeypatch.delitem(sys.modules, "pyasync_hw.policy", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(asyncio, "DefaultEventLoopPolicy"):
            monkeypatch.setattr(asyncio, "DefaultEventLoopPolicy", None)
    with pytest.raises(ImportError, match=r"loop_factory=pyasync_hw\.new_event_loop"):
        import pyasync_hw.policy  # noqa: F401
    monkeypatch.delitem(sys.modules, "pyasync_hw.policy", raising=False)


def test_modules_are_imported_when_they_are_asked_for():
    code = (
        "import sys, pyasync_hw\n"
        "names = 'executor', 'gpio', 'insight', 'rc522', 'sim', 'spi'\n"
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
