"""Signals and Ctrl+C."""

import asyncio
import os
import signal
import socket
import threading

import pytest

import pyasync_hw


def test_ctrl_c_cancels_the_main_task():
    async def main():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    cancelled = []
    with pytest.raises(KeyboardInterrupt):
        pyasync_hw.run(main())
    assert cancelled == [True]


def test_ctrl_c_wakes_an_idle_loop():
    loop = pyasync_hw.new_event_loop()
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    timer.join()
    loop.close()
    assert signal.set_wakeup_fd(-1) == -1


def test_signal_handlers_run_in_the_loop():
    loop = pyasync_hw.new_event_loop()
    seen = []
    loop.add_signal_handler(signal.SIGUSR1, lambda: (seen.append(1), loop.stop()))
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    loop.run_forever()
    assert seen == [1]
    assert loop.remove_signal_handler(signal.SIGUSR1)
    assert not loop.remove_signal_handler(signal.SIGUSR1)
    loop.close()


def test_ctrl_c_still_works_after_the_last_handler_was_removed():
    loop = pyasync_hw.new_event_loop()
    loop.add_signal_handler(signal.SIGUSR1, print)

    def remove():
        loop.remove_signal_handler(signal.SIGUSR1)
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()

    loop.call_soon(remove)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    loop.close()


def test_a_python_signal_handler_runs_while_the_loop_sleeps():
    loop = pyasync_hw.new_event_loop()
    old = signal.signal(signal.SIGUSR2, lambda *_: loop.call_soon_threadsafe(loop.stop))
    try:
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR2)).start()
        loop.run_forever()
    finally:
        signal.signal(signal.SIGUSR2, old)
        loop.close()


def test_somebody_elses_wakeup_descriptor_is_left_alone():
    r, w = os.pipe()
    os.set_blocking(w, False)
    old = signal.set_wakeup_fd(w)
    try:
        pyasync_hw.run(asyncio.sleep(0))
        assert signal.set_wakeup_fd(old) == w
    finally:
        os.close(r)
        os.close(w)


def test_a_wakeup_descriptor_set_while_the_loop_runs_stays():
    r, w = os.pipe()
    os.set_blocking(w, False)

    async def main():
        signal.set_wakeup_fd(w)

    try:
        pyasync_hw.run(main())
        assert signal.set_wakeup_fd(-1) == w
    finally:
        os.close(r)
        os.close(w)


@pytest.mark.parametrize("virtual", [False, True], ids=["real", "virtual"])
def test_what_a_python_signal_handler_raises_ends_a_run_without_python_code(virtual):
    """Callbacks in C give the interpreter no chance to run the handler."""

    class OverError(BaseException):
        pass

    def handle(number, frame):
        raise OverError

    loop = pyasync_hw.new_event_loop(pyasync_hw.VirtualClock() if virtual else None)
    loop.set_exception_handler(lambda loop, context: pytest.fail("reported instead"))
    readable, writable = socket.socketpair()
    old = signal.signal(signal.SIGALRM, handle)
    try:
        with readable, writable:
            loop.add_writer(writable, int)  # is called in each turn
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            with pytest.raises(OverError):
                loop.run_forever()
            loop.remove_writer(writable)
        assert not loop.is_running()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
        loop.close()
