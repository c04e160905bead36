"""What we rely on in asyncio's private code: a new CPython fails here first, in one line."""

import asyncio
import inspect
import signal
import subprocess
import sys
import threading
from asyncio import base_events, events, format_helpers, futures, selector_events, unix_events
from concurrent.futures import ThreadPoolExecutor

import pytest

import pyasync_hw
from pyasync_hw.loop import spawn

SELF_PIPE = {"_make_self_pipe", "_close_self_pipe", "_read_from_self", "_process_self_data"}
BASE_HOOKS = {
    "_check_closed": ["self"],
    "_check_running": ["self"],
    "_check_thread": ["self"],
    "_check_callback": ["self", "callback", "method"],
    "_check_default_executor": ["self"],
    "_add_callback": ["self", "handle"],
    "_add_callback_signalsafe": ["self", "handle"],
    "_timer_handle_cancelled": ["self", "handle"],
    "_run_once": ["self"],
    "_set_coroutine_origin_tracking": ["self", "enabled"],
    "_asyncgen_firstiter_hook": ["self", "agen"],
    "_asyncgen_finalizer_hook": ["self", "agen"],
    "_write_to_self": ["self"],
}
CONTEXT = ["context"] if sys.version_info >= (3, 15) else []
SELECTOR_HOOKS = {
    "_add_reader": ["self", "fd", "callback", "args", *CONTEXT],
    "_remove_reader": ["self", "fd"],
    "_add_writer": ["self", "fd", "callback", "args", *CONTEXT],
    "_remove_writer": ["self", "fd"],
    "_ensure_fd_no_transport": ["self", "fd"],
}
TRANSPORT_HOOKS = {
    "_start": ["self", "args", "shell", "stdin", "stdout", "stderr", "bufsize", "kwargs"],
    "_process_exited": ["self", "returncode"],
    "_wait": ["self"],
    "close": ["self"],
    "get_pid": ["self"],
}
POPEN_HOOKS = {
    "_execute_child": list(inspect.signature(spawn.Popen._execute_child).parameters),
    "_get_handles": ["self", "stdin", "stdout", "stderr"],
    "_close_pipe_fds": [
        "self", "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite",
    ],
}  # fmt: skip
UNIX_HOOKS = {
    "_handle_signal": ["self", "sig"],
    "_child_watcher_callback": ["self", "pid", "returncode", "transp"],
}


@pytest.mark.parametrize(
    ("cls", "hooks"),
    [
        (base_events.BaseEventLoop, BASE_HOOKS),
        (selector_events.BaseSelectorEventLoop, SELECTOR_HOOKS),
        (unix_events._UnixSelectorEventLoop, UNIX_HOOKS),
        (unix_events._UnixSubprocessTransport, TRANSPORT_HOOKS),
        (subprocess.Popen, POPEN_HOOKS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_private_hooks_have_the_signatures_we_override_or_call(cls, hooks):
    for name, parameters in hooks.items():
        assert hasattr(cls, name), f"{cls.__name__}.{name} is gone"
        found = list(inspect.signature(getattr(cls, name)).parameters)
        assert found == parameters, f"{cls.__name__}.{name} takes {found} now"


def test_self_pipe_of_the_selector_loop():
    assert set(dir(selector_events.BaseSelectorEventLoop)) >= SELF_PIPE
    loop = asyncio.SelectorEventLoop()
    try:
        assert loop._csock.fileno() >= 0  # the signal wake-up descriptor
        assert loop._ssock.fileno() >= 0
        assert isinstance(loop._signal_handlers, dict)
    finally:
        loop.close()


def test_run_forever_is_made_of_the_parts_we_call():
    source = inspect.getsource(base_events.BaseEventLoop)
    for name in ("_thread_id", "_stopping", "_closed", "_debug", "_current_handle"):
        assert f"self.{name}" in source, f"BaseEventLoop does not use {name} any more"
    if hasattr(base_events.BaseEventLoop, "_run_forever_setup"):
        assert list(inspect.signature(base_events.BaseEventLoop._run_forever_setup).parameters) == [
            "self"
        ]


def test_closing_goes_through_the_selector():
    source = inspect.getsource(selector_events.BaseSelectorEventLoop.close)
    assert "self._selector.close()" in source


def test_handles_have_the_attributes_we_answer_for():
    assert set(events.Handle.__slots__) == {
        "_callback",
        "_args",
        "_cancelled",
        "_loop",
        "_source_traceback",
        "_repr",
        "__weakref__",
        "_context",
    }
    assert set(events.TimerHandle.__slots__) == {"_scheduled", "_when"}
    assert list(inspect.signature(events.Handle._repr_info).parameters) == ["self"]


def test_format_helpers():
    parameters = list(inspect.signature(format_helpers._format_callback_source).parameters)
    assert parameters[:2] == ["func", "args"]
    assert set(parameters[2:]) <= {"debug"}
    assert callable(format_helpers.extract_stack)
    assert callable(base_events._format_handle)


def test_transports_ask_the_selector_for_a_key():
    source = inspect.getsource(selector_events._test_selector_event)
    assert "selector.get_key(fd)" in source


def test_a_loop_has_no_dict_to_look_through():
    """Every attribute that this Python's asyncio sets is a slot or a C member."""
    loop = pyasync_hw.new_event_loop()
    try:
        loop.add_signal_handler(signal.SIGUSR1, print)
        loop.run_until_complete(asyncio.sleep(0))
        loop.set_debug(True)
        loop.run_until_complete(asyncio.sleep(0))
        assert vars(loop) == {}
    finally:
        loop.close()


def test_what_the_executor_finds_in_asyncio_and_concurrent_futures():
    assert list(inspect.signature(futures._convert_future_exc).parameters) == ["exc"]
    source = inspect.getsource(base_events.BaseEventLoop)
    for name in ("_default_executor", "_executor_shutdown_called"):
        assert f"self.{name}" in source, f"BaseEventLoop does not use {name} any more"
    assert callable(threading._register_atexit)
    pool = ThreadPoolExecutor(1)
    names = {"_max_workers", "_threads", "_thread_name_prefix", "_broken", "_shutdown"}
    if sys.version_info >= (3, 14):
        names |= {"_create_worker_context"}
        context = pool._create_worker_context()
        assert callable(context.initialize) and callable(context.finalize)
    else:
        names |= {"_initializer", "_initargs"}
    assert set(vars(pool)) >= names
