"""call_soon_threadsafe: order, nothing lost, closing, and references."""

import asyncio
import contextlib
import gc
import os
import queue
import signal
import threading
import weakref

import pytest

import pyasync_hw


@pytest.fixture
def loop():
    loop = pyasync_hw.new_event_loop()
    yield loop
    loop.close()


def run_briefly(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_order_with_call_soon_of_the_same_thread(loop):
    seen = []

    def schedule(name):
        loop.call_soon(seen.append, name + "1")
        loop.call_soon_threadsafe(seen.append, name + "2")
        loop.call_soon(seen.append, name + "3")
        loop.call_soon_threadsafe(seen.append, name + "4")

    schedule("before ")
    loop.call_soon(schedule, "running ")
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    assert seen == [f"{name} {n}" for name in ("before", "running") for n in range(1, 5)]


def test_each_thread_s_calls_arrive_once_and_in_order(loop):
    threads, calls = 4, 5000
    seen = [[] for _ in range(threads)]
    left = threads * calls

    def arrive(thread, number):
        nonlocal left
        seen[thread].append(number)
        left -= 1
        if not left:
            loop.stop()

    def send(thread):
        for number in range(calls):
            loop.call_soon_threadsafe(arrive, thread, number)

    senders = [threading.Thread(target=send, args=(n,)) for n in range(threads)]
    for sender in senders:
        sender.start()
    loop.run_forever()
    for sender in senders:
        sender.join()
    assert seen == [list(range(calls))] * threads


def test_what_came_before_the_run_is_not_slept_over(loop):
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    thread.start()
    thread.join()
    loop.run_forever()


def test_cancelled_before_it_arrives(loop):
    seen = []
    handles = [loop.call_soon_threadsafe(seen.append, n) for n in range(3)]
    handles[1].cancel()
    run_briefly(loop)
    assert seen == [0, 2]


def test_closed_loop_refuses(loop):
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.call_soon_threadsafe(print)


def test_threads_that_post_while_it_closes():
    for _ in range(20):
        loop = pyasync_hw.new_event_loop()
        accepted = []
        refused = threading.Event()

        def send(loop=loop, accepted=accepted, refused=refused):
            try:
                while True:
                    loop.call_soon_threadsafe(accepted.append, None)
            except RuntimeError as exc:
                assert str(exc) == "Event loop is closed"
                refused.set()

        thread = threading.Thread(target=send)
        thread.start()
        run_briefly(loop)
        loop.close()
        thread.join()
        assert refused.is_set()


class Argument:
    pass


def test_close_releases_what_never_ran(loop):
    argument = Argument()
    gone = weakref.ref(argument)
    loop.call_soon_threadsafe(print, argument)
    del argument
    assert gone() is not None
    loop.close()
    assert gone() is None


def test_a_dropped_loop_and_what_waits_in_it_are_collected():
    loop = pyasync_hw.new_event_loop()
    argument = Argument()
    gone = weakref.ref(argument)
    argument.loop = loop
    argument.handle = loop.call_soon_threadsafe(print, argument)
    del argument
    with pytest.warns(ResourceWarning, match="unclosed"):
        del loop
        gc.collect()
    assert gone() is None


def test_results_of_jobs_are_seen_before_virtual_time_moves():
    """A job that has ended comes before any timer, however the threads are scheduled."""

    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(300):
            began = loop.time()
            async with asyncio.timeout(3600):
                await loop.run_in_executor(None, int)
            assert loop.time() == began

    pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock())


def test_threads_that_post_without_end_do_not_starve_the_loop(loop):
    threads, calls = 4, 1_500_000
    posted = [0] * threads
    ran = 0
    behind = 0
    stop = False

    def arrive():
        nonlocal ran
        ran += 1

    def post(thread):
        nonlocal behind
        for number in range(calls):
            if stop:
                break
            loop.call_soon_threadsafe(arrive)
            if number % 1000 == 0:
                posted[thread] = number
                behind = max(behind, sum(posted) - ran)

    async def main():
        nonlocal stop
        for sender in senders:
            sender.start()
        for _ in range(20):
            await asyncio.sleep(0.005)
        stop = True

    senders = [threading.Thread(target=post, args=(thread,)) for thread in range(threads)]
    loop.run_until_complete(main())
    early = any(count < calls - 1000 for count in posted)
    for sender in senders:
        sender.join()
    assert early, "the timers waited until the threads had posted all"
    assert behind < 200_000


waits = pytest.mark.skipif(
    not hasattr(asyncio.events, "_ThreadSafeHandle"), reason="came with Python 3.14"
)


class Running:
    """A callback that runs in another thread until it is told to end."""

    def __init__(self, loop):
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.has_ended = False
        self.handle = loop.call_soon_threadsafe(self)

    def __call__(self):
        self.begun.set()
        assert self.may_end.wait(30)
        self.has_ended = True


@contextlib.contextmanager
def running_elsewhere(loop):
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@waits
def test_a_cancel_waits_for_its_own_handle_only(loop):
    first = Running(loop)
    came_back = threading.Event()
    seen = []

    def cancel():
        first.begun.wait(30)
        threading.Timer(0.05, first.may_end.set).start()
        first.handle.cancel()
        seen.append(first.has_ended)
        came_back.set()

    loop.call_soon_threadsafe(lambda: seen.append(came_back.wait(30)))
    loop.call_soon_threadsafe(loop.stop)
    thread = threading.Thread(target=cancel)
    thread.start()
    loop.run_forever()
    thread.join()
    assert sorted(seen) == [True, True]


@waits
def test_every_waiter_comes_back(loop):
    running = Running(loop)
    seen = []

    def ask(verb):
        running.begun.wait(30)
        getattr(running.handle, verb)()
        seen.append(running.has_ended)

    verbs = ["cancel", "cancelled", "_run"] * 4
    threads = [threading.Thread(target=ask, args=(verb,)) for verb in verbs]
    with running_elsewhere(loop):
        running.begun.wait(30)
        for thread in threads:
            thread.start()
        threading.Timer(0.02, running.may_end.set).start()
        for thread in threads:
            thread.join()
    assert seen == [True] * len(verbs)


@waits
def test_handles_that_run_at_once_are_waited_for_one_by_one(loop):
    """One in the loop's thread, one by hand in another: the second may end first."""
    first, second = Running(loop), Running(loop)
    with running_elsewhere(loop):
        first.begun.wait(30)
        by_hand = threading.Thread(target=second.handle._run)
        by_hand.start()
        second.begun.wait(30)
        threading.Timer(0.02, second.may_end.set).start()
        second.handle.cancel()
        assert (first.has_ended, second.has_ended) == (False, True)
        by_hand.join()
        threading.Timer(0.02, first.may_end.set).start()
        first.handle.cancel()
        assert first.has_ended


@waits
def test_a_signal_ends_the_wait(loop):
    class Alarm(Exception):
        pass

    def handler(number, frame):
        raise Alarm

    old = signal.signal(signal.SIGALRM, handler)
    running = Running(loop)
    try:
        with running_elsewhere(loop):
            running.begun.wait(30)
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(Alarm):
                running.handle.cancel()
            assert not running.has_ended
            running.may_end.set()
            running.handle.cancel()
            assert running.has_ended
    finally:
        signal.signal(signal.SIGALRM, old)


@waits
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_does_not_wait_for_its_parent_s_threads(loop):
    """It was forked by another thread while a handle ran, or by that handle itself."""
    running = Running(loop)

    def child_of(deed):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.alarm(20)
                deed()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0

    with running_elsewhere(loop):
        running.begun.wait(30)
        child_of(running.handle.cancel)
        running.may_end.set()

        pids = queue.SimpleQueue()
        loop.call_soon_threadsafe(lambda: pids.put(os.fork()))
        assert os.waitpid(pids.get(timeout=30), 0)[1] == 0
