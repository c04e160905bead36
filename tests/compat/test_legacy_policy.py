"""Event loop policies, current loops and child watchers, whatever this Python has of them."""

import asyncio
import subprocess
import sys
import textwrap
import threading
import warnings

import pytest
from running import ENVIRONMENT

import pyasync_hw


def test_the_default_policy_makes_our_loops(legacy):
    policy = asyncio.get_event_loop_policy()
    assert isinstance(policy, asyncio.DefaultEventLoopPolicy)
    assert isinstance(policy, asyncio.AbstractEventLoopPolicy)
    loops = [policy.new_event_loop(), asyncio.new_event_loop()]
    assert all(type(loop) is pyasync_hw.EventLoop for loop in loops)
    for loop in loops:
        loop.close()


def test_a_policy_of_the_program(legacy):
    made = []

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self):
            made.append(super().new_event_loop())
            return made[-1]

    asyncio.set_event_loop_policy(Policy())
    loop = asyncio.get_event_loop()
    assert made == [loop] and asyncio.run(asyncio.sleep(0, "slept")) == "slept" and len(made) == 2
    loop.close()
    asyncio.set_event_loop_policy(None)
    assert type(asyncio.get_event_loop()) is pyasync_hw.EventLoop
    with pytest.raises((TypeError, AssertionError)):
        asyncio.set_event_loop_policy("policy")


def test_a_current_loop_comes_back_after_none_and_after_run(legacy):
    asyncio.get_event_loop().close()
    assert asyncio.get_event_loop().is_closed()  # as in Python 3.5
    asyncio.set_event_loop(None)
    assert not asyncio.get_event_loop().is_closed()
    asyncio.get_event_loop().close()
    asyncio.run(asyncio.sleep(0))
    assert not asyncio.get_event_loop().is_closed()


def test_other_threads_have_a_loop_when_they_set_one(legacy):
    results = []

    def work():
        with pytest.raises(RuntimeError, match="no current event loop"):
            asyncio.get_event_loop()
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        results.append(asyncio.get_event_loop() is loop)
        results.append(loop.run_until_complete(asyncio.sleep(0, "slept", loop=loop)))
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [True, "slept"]


@pytest.mark.parametrize(
    "name",
    [f"{kind}ChildWatcher" for kind in ("Safe", "Fast", "Pidfd", "Threaded", "MultiLoop")],
)
def test_child_watchers(name, legacy):
    warnings.simplefilter("ignore")  # those of Python 3.12 and 3.13
    loop = asyncio.get_event_loop()
    watcher = getattr(asyncio, name)()
    assert isinstance(watcher, asyncio.AbstractChildWatcher)
    watcher.attach_loop(loop)
    asyncio.set_child_watcher(watcher)
    assert asyncio.get_child_watcher() is watcher
    exits = []

    @asyncio.coroutine
    def main():
        exited = loop.create_future()
        with watcher:
            child = subprocess.Popen(["sh", "-c", "exit 7"])
            watcher.add_child_handler(
                child.pid, lambda *result: loop.call_soon_threadsafe(exited.set_result, result)
            )
        exits.append((yield from exited)[1:])
        child.returncode = 7
        other = yield from asyncio.create_subprocess_exec("true", loop=loop)
        exits.append((yield from other.wait()))

    loop.run_until_complete(main())
    watcher.close()
    asyncio.set_child_watcher(None)
    assert exits == [(7,), 0] or exits == [(7, "arg"), 0]


def test_a_python_without_policies():
    """Python 3.16 has none: what this one has of them is taken away first."""
    program = textwrap.dedent(
        """
        import asyncio, warnings
        from asyncio import events, unix_events
        for module in (asyncio, events, unix_events):
            for name in [name for name in vars(module) if "Policy" in name or "policy" in name]:
                delattr(module, name)
            for name in ("get_event_loop", "set_event_loop", "new_event_loop", "__getattr__"):
                vars(module).pop(name, None)
        warnings.simplefilter("error", DeprecationWarning)
        from pyasync_hw import compat, EventLoop
        compat.install("none")
        loop = asyncio.get_event_loop()
        assert type(loop) is EventLoop and asyncio.get_event_loop() is loop
        assert loop.run_until_complete(asyncio.sleep(0, 1)) == 1

        class Policy(asyncio.DefaultEventLoopPolicy):
            pass

        asyncio.set_event_loop_policy(Policy())
        assert type(asyncio.get_event_loop_policy()) is Policy
        assert asyncio.get_event_loop() is not loop
        asyncio.set_event_loop_policy(None)
        asyncio.set_event_loop(loop)
        assert asyncio.get_event_loop() is loop
        for wrong in (asyncio.set_event_loop, asyncio.set_event_loop_policy):
            try:
                wrong("something")
            except TypeError as exc:
                assert "must be an instance of" in str(exc)
            else:
                raise AssertionError
        async def running():
            return asyncio.get_event_loop()
        assert loop.run_until_complete(running()) is loop
        print("as before")
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("as before\n", "")
