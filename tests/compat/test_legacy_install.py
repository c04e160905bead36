"""compat.install(): what `run` does, but for the hardware, asked for by the program."""

import asyncio
import importlib.util
import inspect
import sys

import pytest

import pyasync_hw
from pyasync_hw import compat

# asyncio.__all__ of Python 3.4 to 3.7.
OLD_ALL = """
    AbstractChildWatcher AbstractEventLoop AbstractEventLoopPolicy AbstractServer BaseEventLoop
    BaseProtocol BaseTransport BoundedSemaphore CancelledError Condition DatagramProtocol
    DatagramTransport DefaultEventLoopPolicy Event FIRST_COMPLETED FIRST_EXCEPTION
    ALL_COMPLETED FastChildWatcher Future Handle IncompleteReadError InvalidStateError
    JoinableQueue LifoQueue LimitOverrunError Lock PriorityQueue Protocol Queue QueueEmpty
    QueueFull ReadTransport SafeChildWatcher SelectorEventLoop Semaphore StreamReader
    StreamReaderProtocol StreamWriter SubprocessProtocol SubprocessTransport Task
    TimeoutError TimerHandle Transport WriteTransport as_completed async coroutine
    create_subprocess_exec create_subprocess_shell ensure_future gather get_child_watcher
    get_event_loop get_event_loop_policy iscoroutine iscoroutinefunction isfuture
    new_event_loop open_connection open_unix_connection run_coroutine_threadsafe
    set_child_watcher set_event_loop set_event_loop_policy shield sleep start_server
    start_unix_server wait wait_for wrap_future
"""


@pytest.fixture
def installed():
    def install(*args, **options):
        compat.install(*args, **options)
        return asyncio.get_event_loop()

    yield install
    if hasattr(asyncio, "coroutine"):
        asyncio.get_event_loop().close()
    compat.uninstall()


def state():
    owners = (asyncio, asyncio.tasks, asyncio.Lock, asyncio.Queue, asyncio.AbstractEventLoop)
    named = {(owner, name): value for owner in owners for name, value in vars(owner).items()}
    return named, sys.meta_path.copy(), "asyncio.compat" in sys.modules


def test_it_is_idempotent_and_leaves_nothing_behind(installed):
    asyncio.get_event_loop_policy  # noqa: B018  # lazily made names are there before
    before = state()
    loop = installed()
    assert type(loop) is pyasync_hw.EventLoop and installed() is loop
    assert loop.run_until_complete(asyncio.sleep(0, "slept", loop=loop)) == "slept"
    assert importlib.util.find_spec("spidev").loader is not None
    import spidev

    assert spidev.__name__.startswith("pyasync_hw.")
    loop.close()
    compat.uninstall()
    compat.uninstall()
    assert state() == before
    assert "loop" not in inspect.signature(asyncio.sleep).parameters


@pytest.mark.parametrize("shims", ["none", (), [], "RPi.GPIO", ["RPi.GPIO"]])
def test_shims_are_chosen_as_for_run(shims, installed):
    installed(shims)
    ours = [name for name in ("RPi.GPIO", "pirc522") if _is_ours(name)]
    assert ours == (["RPi.GPIO"] if "RPi.GPIO" in shims else [])


def _is_ours(name):
    root = name.partition(".")[0]
    finders = [finder for finder in sys.meta_path if type(finder).__module__.startswith("pyasync")]
    return any(finder.find_spec(root) is not None for finder in finders)


def test_an_unknown_shim_is_named_and_nothing_is_installed(installed):
    with pytest.raises(ValueError, match="no shim is called 'gpio'"):
        compat.install(["gpio"])
    assert not hasattr(asyncio, "coroutine")


def test_star_import_has_the_old_names(installed):
    installed("none")
    names = {}
    exec("from asyncio import *", names)
    assert [name for name in OLD_ALL.split() if name not in names] == []
    assert names["sleep"] is asyncio.sleep and names["Task"] is asyncio.Task


@pytest.mark.parametrize(
    "module, names",
    [
        ("asyncio.base_events", "BaseEventLoop Server"),
        ("asyncio.base_futures", "CancelledError Error InvalidStateError TimeoutError"),
        ("asyncio.compat", "PY34 PY35 PY352 flatten_list_bytes"),
        ("asyncio.coroutines", "CoroWrapper _DEBUG coroutine iscoroutine iscoroutinefunction"),
        (
            "asyncio.events",
            "AbstractEventLoopPolicy BaseDefaultEventLoopPolicy get_child_watcher "
            "get_event_loop_policy set_child_watcher set_event_loop_policy",
        ),
        ("asyncio.futures", "CancelledError Error Future InvalidStateError TimeoutError"),
        ("asyncio.locks", "Lock _ContextManager coroutine"),
        ("asyncio.log", "logger"),
        ("asyncio.queues", "JoinableQueue Queue QueueEmpty coroutine"),
        ("asyncio.streams", "IncompleteReadError LimitOverrunError StreamWriter coroutine"),
        ("asyncio.subprocess", "DEVNULL PIPE Process STDOUT coroutine"),
        ("asyncio.tasks", "async coroutine ensure_future iscoroutine iscoroutinefunction"),
        ("asyncio.test_utils", "dummy_ssl_context run_briefly run_once run_until"),
        (
            "asyncio.unix_events",
            "AbstractChildWatcher BaseChildWatcher DefaultEventLoopPolicy FastChildWatcher "
            "SafeChildWatcher SelectorEventLoop",
        ),
        ("asyncio", "compat selectors test_utils subprocess log JoinableQueue run_in_executor"),
    ],
)
def test_names_that_moved(module, names, installed):
    installed("none")
    found = vars(importlib.import_module(module))
    assert [name for name in names.split() if name not in found] == []


def test_errors_are_one_class_by_all_their_names(installed):
    installed("none")
    import concurrent.futures
    from asyncio import futures, streams

    assert asyncio.CancelledError is concurrent.futures.CancelledError is futures.CancelledError
    assert asyncio.TimeoutError is concurrent.futures.TimeoutError is futures.TimeoutError
    assert asyncio.InvalidStateError is futures.InvalidStateError
    assert asyncio.IncompleteReadError is streams.IncompleteReadError


def test_test_utils(installed):
    loop = installed("none")
    from asyncio import compat as asyncio_compat
    from asyncio import test_utils

    assert asyncio_compat.flatten_list_bytes([b"a", b"b"]) == b"ab"
    seen = []
    loop.call_soon(seen.append, 1)
    test_utils.run_briefly(loop)
    loop.call_soon(seen.append, 2)
    test_utils.run_once(loop)
    assert seen == [1, 2]
    loop.call_later(0.01, seen.append, 3)
    test_utils.run_until(loop, lambda: 3 in seen)
    with pytest.raises(asyncio.TimeoutError):
        test_utils.run_until(loop, lambda: False, timeout=0)
    assert not test_utils.dummy_ssl_context().check_hostname
