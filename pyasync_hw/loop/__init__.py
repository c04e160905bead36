"""The event loop: the C core under asyncio's own SelectorEventLoop.

C owns what runs per event (scheduling, timers, polling, descriptors); what runs
per connection or per program is inherited from the Python that runs, so its
signatures and semantics are that Python's.  The private hooks of asyncio that
this relies on are asserted in tests/loop/test_contract.py.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from asyncio import format_helpers
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _core
from .._core import VirtualClock
from . import patches
from .selector_view import PollerView

if TYPE_CHECKING:  # imported where they are needed: not every program does
    from .. import insight
    from . import child, views

    T = TypeVar("T")

__all__ = ["EventLoop", "new_event_loop"]

_CANCELLED_MAX = 256
_FORMATS_DEBUG = (  # inspect.signature() takes longer than the import of a module
    "debug" in format_helpers._format_callback_source.__code__.co_varnames  # type: ignore[attr-defined]
)

observers: list[Any] = []  # who is told of every loop of the process (cli/trace.py)


class _NativeLoop(_core.Loop, asyncio.SelectorEventLoop):
    """EventLoop, but for what a program has patched."""

    # With every attribute in a slot, ours and asyncio's, an instance has no dict to
    # look through before each call of a method.
    __slots__ = (
        "_asyncgens",
        "_asyncgens_shutdown_called",
        "_cancelled_timers",
        "_children",
        "_clock_resolution",
        "_coroutine_origin_tracking_enabled",
        "_coroutine_origin_tracking_saved_depth",
        "_csock",
        "_default_executor",
        "_exception_handler",
        "_executor_shutdown_called",
        "_internal_fds",
        "_old_agen_hooks",
        "_signal_handlers",
        "_ssock",
        "_timers",
        "_transports",
        "_unix_server_sockets",
        "_watcher",
        "_watches",
    )

    def __init__(self, selector: None = None, *, clock: VirtualClock | None = None) -> None:
        if hasattr(self, "_children"):
            raise RuntimeError("this event loop was set up before: make a new one")
        self._children: set[child.SubprocessTransport] = set()  # not known to have exited
        self._cancelled_timers = 0  # of asyncio's own kind
        self._timers: views.Scheduled | None = None  # lent to who looks for them
        self._watches: list[insight.Watch] = []  # who waits for slow callbacks
        self._old_agen_hooks: Any = None  # while it runs
        self._ssock = self._csock = None
        try:
            if selector is not None:
                raise TypeError("EventLoop has a poller of its own and takes no selector")
            self._set_clock(clock)
            super().__init__(PollerView(self))
            self._look_for_patches()
        except BaseException:  # no descriptor left, or Ctrl+C: half a loop cannot close()
            self._closed = True
            self._release()
            for end in (self._ssock, self._csock):
                if end is not None:
                    end.close()
            raise
        for observer in observers:
            observer.loop_made(self)

    # -- running -----------------------------------------------------------

    if sys.version_info < (3, 13):

        def _run_forever_setup(self) -> None:
            self._check_closed()
            self._check_running()
            self._set_coroutine_origin_tracking(self._debug)
            self._old_agen_hooks = sys.get_asyncgen_hooks()
            self._thread_id = threading.get_ident()
            sys.set_asyncgen_hooks(
                firstiter=self._asyncgen_firstiter_hook,
                finalizer=self._asyncgen_finalizer_hook,
            )
            asyncio._set_running_loop(self)

        def _run_forever_cleanup(self) -> None:
            self._stopping = False
            self._thread_id = None
            asyncio._set_running_loop(None)
            self._set_coroutine_origin_tracking(False)
            if self._old_agen_hooks is not None:
                sys.set_asyncgen_hooks(*self._old_agen_hooks)
                self._old_agen_hooks = None

    def run_until_complete(self, future: Any) -> Any:
        self._look_for_patches()
        return super().run_until_complete(future)

    def run_forever(self) -> None:
        """Run until stop() is called."""
        self._check_closed()
        self._check_running()
        on_main = threading.current_thread() is threading.main_thread()
        try:
            self._run_forever_setup()
            if on_main:
                self._wake_on_signals()
            self._settle_watches()
            while True:
                self._look_for_patches()
                if self._turns_patched:
                    self._run_once()
                else:
                    self._run_turns()
                if self._stopping:
                    break
        finally:
            try:
                self._leave_run(on_main)
            except BaseException:  # Ctrl+C, just now
                self._thread_id = None  # whatever comes now, it does not run any more
                asyncio._set_running_loop(None)
                self._leave_run(on_main)
                raise

    def _leave_run(self, on_main: bool) -> None:
        """Each step may be done twice, and is done even if one before it fails."""
        try:
            if on_main and not self._signal_handlers:
                self._sleep_through_signals()
        finally:
            try:
                self._run_forever_cleanup()
            finally:
                self._settle_watches()

    def set_debug(self, enabled: bool) -> None:
        super().set_debug(enabled)
        self._settle_watches()

    def _settle_watches(self) -> None:
        if self._debug or self._watches or self._watchdog is not None:
            from .. import insight

            insight.settle(self)  # type: ignore[arg-type]

    def _wake_on_signals(self) -> None:
        """Let every signal end a poll, so that none waits for the next event.

        Between Python's last look for signals and the kernel's poll there is a
        gap; a descriptor closes it.  Somebody else's descriptor is left alone.
        """
        mine = self._csock.fileno()
        try:
            old = signal.set_wakeup_fd(mine, warn_on_full_buffer=False)
        except ValueError:  # the main thread of a subinterpreter is not the process's
            return
        if old not in (-1, mine):
            signal.set_wakeup_fd(old)

    def _sleep_through_signals(self) -> None:
        try:
            current = signal.set_wakeup_fd(-1)
        except ValueError:
            return
        if current not in (-1, self._csock.fileno()):
            signal.set_wakeup_fd(current)  # set while we ran, by somebody else

    def remove_signal_handler(self, sig: int) -> bool:
        removed = super().remove_signal_handler(sig)
        if removed and self.is_running():
            self._wake_on_signals()
        return removed

    def close(self) -> None:
        """Close the loop; a child whose transport was closed is collected."""
        if not self._closed:
            for observer in observers:
                observer.loop_closes(self)
        super().close()
        self._release()
        self._watches.clear()
        while self._children:
            self._children.pop().collect()

    def _close_self_pipe(self) -> None:
        if self._ssock is None:
            return  # by a close() that Ctrl+C ended
        if self._ssock.fileno() >= 0:
            super()._close_self_pipe()
            return
        # The collector has closed the sockets before it came to this loop.
        self._ssock = self._csock = None
        self._internal_fds -= 1

    def _call_soon(
        self, callback: Callable[..., object], args: Any, context: Any
    ) -> asyncio.Handle:
        """What asyncio's call_soon() ends in, and before 3.14 call_soon_threadsafe() too."""
        return _core.Loop.call_soon_threadsafe(self, callback, *args, context=context)

    # -- asyncio's containers, for who looks into them (views.py) ------------

    @property
    def _ready(self) -> views.Ready | deque[Any]:
        if self._closed:
            return deque()  # asyncio's close() clears it; _release() is about to
        from .views import Ready

        return Ready(self)  # type: ignore[arg-type]

    @_ready.setter
    def _ready(self, handles: Any) -> None:
        if type(handles) is not deque:
            from .views import Ready, refuse

            if isinstance(handles, Ready) and handles._loop is self:
                return  # loop._ready += ...
            refuse("_ready", handles, deque)
        self._ready_replace(self._ready_list(), handles)

    @property
    def _scheduled(self) -> views.Scheduled | list[Any]:
        if self._timers is None:
            if self._closed:
                return []
            from .views import Scheduled

            timers = Scheduled(self)  # type: ignore[arg-type]
            if self._timers is None:  # no other thread was first
                self._timers = timers
        self._timers.fetch_for(sys._getframe(1).f_code)
        return self._timers

    @_scheduled.setter
    def _scheduled(self, timers: Any) -> None:
        mine = self._timers
        if mine is not None and timers is mine:
            return  # loop._scheduled += ...
        if type(timers) is not list:
            from .views import refuse

            refuse("_scheduled", timers, list)
        if mine is not None or timers:
            self._scheduled[:] = timers

    @property
    def _timer_cancelled_count(self) -> int:
        """Of those that are lent; else a cancelled timer is gone at once."""
        if self._timers is None:
            return 0
        return sum(timer._cancelled for timer in list.__iter__(self._timers))

    @_timer_cancelled_count.setter
    def _timer_cancelled_count(self, count: int) -> None:
        pass  # asyncio's own code keeps it; here it is counted

    def _timer_handle_cancelled(self, timer: Any) -> None:
        """A timer of ours is gone by now; asyncio's own stay until somebody looks."""
        self._cancelled_timers += 1
        if self._cancelled_timers % _CANCELLED_MAX == 0:
            self._scheduled.fetch()  # none that is cancelled comes back

    # -- called by the C core ----------------------------------------------

    def _notice_patches(self) -> None:
        patches.notice(self)  # type: ignore[arg-type]

    def _callback_failed(self, handle: asyncio.Handle, exc: BaseException) -> None:
        """A callback raised: what asyncio.Handle._run() says of it."""
        if _FORMATS_DEBUG:
            callback = format_helpers._format_callback_source(  # type: ignore[attr-defined]
                handle._callback, handle._args, debug=self._debug
            )
        else:
            callback = format_helpers._format_callback_source(  # type: ignore[attr-defined]
                handle._callback, handle._args
            )
        context: dict[str, Any] = {
            "message": f"Exception in callback {callback}",
            "exception": exc,
            "handle": handle,
        }
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)

    def _slow_callback(self, handle: Any, stamp: int, seconds: float) -> None:
        from .. import insight

        insight.slow_callback(self, handle, stamp, seconds)  # type: ignore[arg-type]

    def _describe_handle(self, handle: Any) -> str:
        from .. import insight

        return insight.format_handle(handle)

    def _slow_iteration(self, count: int, seconds: float, text: str | None, slowest: float) -> None:
        from .. import insight

        insight.slow_iteration(self, count, seconds, text, slowest)  # type: ignore[arg-type]

    # -- work outside the loop holds a virtual clock -------------------------

    def _new_default_executor(self) -> Executor:
        from ..executor import new_default_executor  # not before it is needed

        self._default_executor = new_default_executor()
        return self._default_executor

    def _run_in_foreign_executor(
        self, executor: Executor, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        from .foreign_executor import run_in_foreign_executor

        return run_in_foreign_executor(self, executor, func, *args)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        if self.clock is not None:
            self.clock._hold_join()  # joining the threads takes real time
        try:
            if sys.version_info >= (3, 12):
                await super().shutdown_default_executor(timeout)
            else:
                await super().shutdown_default_executor()
        finally:
            if self.clock is not None:
                self.clock._release_join()

    def _make_subprocess_transport(self, *args: Any, **kwargs: Any) -> Any:
        from .child import make_transport  # only programs that have children pay for it

        return make_transport(self, super()._make_subprocess_transport, *args, **kwargs)  # type: ignore[arg-type]

    def _child_watcher_callback(self, pid: int, returncode: int, transp: Any) -> None:
        super()._child_watcher_callback(pid, returncode, transp)  # type: ignore[misc]
        if self.clock is not None:
            self.call_soon_threadsafe(self.clock._release_child)


class EventLoop(patches.Patches, _NativeLoop):
    """An asyncio event loop whose core is C.

    clock: a VirtualClock to run on instead of the monotonic clock.  Nothing
    then takes time: with nothing ready and no work outstanding, the loop jumps
    to what is due next, and raises SleepForeverError when nothing is.
    """

    __slots__ = ()


def new_event_loop(clock: VirtualClock | None = None) -> EventLoop:
    """Make an EventLoop; what asyncio.run() and Runner take as loop_factory."""
    return EventLoop(clock=clock)
