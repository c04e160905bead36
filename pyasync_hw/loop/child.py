"""Child processes: how asyncio's transport hears of the exit, by pidfd.

Neither by a child watcher of the policy, nor by SIGCHLD, and by a thread only where the
kernel gives no pidfd.  How it starts the program is in spawn.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import subprocess
import sys
import threading
from asyncio import tasks, unix_events
from asyncio.log import logger
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .._core import Child, VirtualClock
from .spawn import Popen

if TYPE_CHECKING:
    from . import EventLoop

__all__ = ["SubprocessTransport", "make_transport"]

_StandardPopen = subprocess.Popen
_standard_execute_child = subprocess.Popen._execute_child  # type: ignore[attr-defined]

if sys.version_info < (3, 14):
    _HARMLESS_WATCHERS = (unix_events.PidfdChildWatcher, unix_events.ThreadedChildWatcher)

# What asyncio's watchers by pidfd and by thread say when somebody else was first.
_READ_ALREADY = "child process pid %d exit status already read:  will report returncode 255"
_UNKNOWN_CHILD = "Unknown child process pid %d, will report returncode 255"
_NOT_TOLD = "child process pid %d: exit status is not to be had (%s), will report returncode 255"

_KILLED_IN_TIME = 1.0  # seconds that a child gets to die of SIGKILL when its loop is closed


class SubprocessTransport(unix_events._UnixSubprocessTransport):  # type: ignore[name-defined,misc]
    """asyncio's transport, started by our Popen; closing it outlives its loop."""

    _closed: bool
    _proc: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except BaseException:  # a task factory, or Ctrl+C: nobody gets what could end it
            if self._proc is not None:
                self.close()
                self.collect()
            raise

    def _start(self, **kwargs: Any) -> None:
        standard = (
            subprocess.Popen is _StandardPopen
            and _StandardPopen._execute_child is _standard_execute_child  # type: ignore[attr-defined]
        )
        self._proc = (Popen if standard else subprocess.Popen)(**kwargs, universal_newlines=False)

    def close(self) -> None:
        if self._closed or self._loop is None or not self._loop.is_closed():
            super().close()
            return
        # Pipes can't be closed through a closed loop: they close themselves.
        self._closed = True
        if self._returncode is None and self._proc is not None:
            if self._proc.poll() is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    self._proc.kill()
            self.collect()

    def collect(self) -> None:
        """The loop is closed and nobody will hear of the exit: leave no zombie."""
        proc = self._proc
        if proc is not None and self._returncode is None:
            if self._closed:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    proc.wait(_KILLED_IN_TIME)
            else:
                proc.poll()


class _Hold:
    """Holds a virtual clock until it is released, or until nobody has it any more."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock: VirtualClock | None = clock
        self._pid = os.getpid()
        clock._hold_child()

    def release(self) -> None:
        clock, self._clock = self._clock, None
        if clock is not None and self._pid == os.getpid():  # nobody holds it in a fork
            clock._release_child()

    __del__ = release


def policy_has_own_watcher() -> bool:
    """Has the program set a child watcher that collects children in a way of its own?

    Such a watcher may collect every child; then it is the one who knows the status.
    """
    if sys.version_info >= (3, 14):
        return False
    watcher = getattr(asyncio.get_event_loop_policy(), "_watcher", None)
    return watcher is not None and type(watcher) not in _HARMLESS_WATCHERS


def make_transport(
    loop: EventLoop, asyncios: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
) -> Awaitable[Any]:
    """What _make_subprocess_transport() returns; `asyncios` is its own."""
    if policy_has_own_watcher():
        return _make_for_watcher(loop, asyncios, *args, **kwargs)
    return _make_transport(loop, *args, **kwargs)


async def _make_transport(
    loop: EventLoop,
    protocol: Any,
    args: Any,
    shell: Any,
    stdin: Any,
    stdout: Any,
    stderr: Any,
    bufsize: int,
    extra: Any = None,
    **kwargs: Any,
) -> SubprocessTransport:
    """What asyncio's _make_subprocess_transport() does, without a child watcher."""
    hold = None if loop.clock is None else _Hold(loop.clock)
    waiter = loop.create_future()
    try:
        transport = SubprocessTransport(
            loop, protocol, args, shell, stdin, stdout, stderr, bufsize,
            waiter=waiter, extra=extra, **kwargs,
        )  # fmt: skip
        try:
            _wait_for_exit(loop, transport, hold)
        except BaseException:
            waiter.cancel()
            transport.close()
            transport.collect()
            raise
    except BaseException:
        if hold is not None:
            hold.release()
        raise
    try:
        await waiter
    except (SystemExit, KeyboardInterrupt):
        raise
    except GeneratorExit:  # it was dropped: nobody goes on with it
        transport.close()
        raise
    except BaseException:
        transport.close()
        await tasks.shield(transport._wait())
        raise
    return transport


async def _make_for_watcher(
    loop: EventLoop, asyncios: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
) -> Any:
    """Leave it to asyncio, and so to the watcher that the program has set."""
    if loop.clock is None:
        return await asyncios(*args, **kwargs)
    loop.clock._hold_child()
    try:
        return await asyncios(*args, **kwargs)
    except BaseException:
        loop.clock._release_child()
        raise


# -- the exit ----------------------------------------------------------------


def _wait_for_exit(loop: EventLoop, transport: SubprocessTransport, hold: _Hold | None) -> None:
    exited = functools.partial(_exited, loop, transport, hold, _READ_ALREADY)
    proc = transport._proc
    child = getattr(proc, "child", None)
    try:
        if isinstance(child, Child):
            proc.child = None
        if not isinstance(child, Child) or child.fileno() < 0:
            child = Child(transport.get_pid())
        child.watch(loop, exited)
    except OSError:
        # No pidfd to be had, by the kernel, a container's filter or the limit of files.
        _wait_in_thread(loop, transport, hold)
    loop._children.add(transport)


def _exited(
    loop: EventLoop,
    transport: SubprocessTransport,
    hold: _Hold | None,
    message: str,
    result: int | OSError | None,
) -> None:
    """result: the code; None: somebody else has collected the child; or what failed."""
    loop._children.discard(transport)
    returncode = result if isinstance(result, int) else transport._proc.returncode
    if returncode is None:
        returncode = 255
        if isinstance(result, OSError):
            logger.warning(_NOT_TOLD, transport.get_pid(), result)
        else:
            logger.warning(message, transport.get_pid())
    transport._process_exited(returncode)
    if hold is not None:
        loop.call_soon(hold.release)


def _wait_in_thread(loop: EventLoop, transport: SubprocessTransport, hold: _Hold | None) -> None:
    pid = transport.get_pid()
    context = contextvars.copy_context()

    def wait() -> None:
        result: int | OSError | None = None
        try:
            result = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if loop.get_debug():
                logger.debug("process %s exited with returncode %s", pid, result)
        except ChildProcessError:
            pass  # somebody else was first
        except OSError as exc:
            result = exc
        try:
            loop.call_soon_threadsafe(
                _exited, loop, transport, hold, _UNKNOWN_CHILD, result, context=context
            )
        except RuntimeError:
            logger.warning("Loop %r that handles pid %r is closed", loop, pid)

    threading.Thread(target=wait, name=f"asyncio-waitpid-{pid}", daemon=True).start()
