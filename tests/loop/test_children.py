"""Child processes on the loop: watched by pidfd, never lost, nothing left behind."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from asyncio.subprocess import DEVNULL, PIPE

import pytest
from processes import children, nothing_left

import pyasync_hw

SLEEPER = ["/bin/sleep", "600"]


@pytest.fixture(autouse=True)
def _nothing_left():
    with nothing_left():
        yield


def sh(script, **kwargs):
    return asyncio.create_subprocess_exec("/bin/sh", "-c", script, **kwargs)


def run_script(script, *, ok="ok"):
    """Run a program that changes its process for good; it prints `ok` at the end."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ok), done.stderr
    return done.stderr


# -- the exit ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", -9)]
)
def test_the_exit_status_is_told(script, code):
    async def main():
        child = await sh(script)
        assert await child.wait() == code
        return child.returncode

    assert pyasync_hw.run(main()) == code


def test_pipes_carry_both_ways():
    async def main():
        child = await sh("cat; echo err >&2; exit 3", stdin=PIPE, stdout=PIPE, stderr=PIPE)
        assert await child.communicate(b"x" * 300_000) == (b"x" * 300_000, b"err\n")
        return child.returncode

    assert pyasync_hw.run(main()) == 3


def test_no_thread_no_signal_handler_and_no_child_watcher_is_used(monkeypatch):
    def forbidden(*args):
        raise AssertionError("a child watcher was asked for")

    if hasattr(asyncio.events, "get_child_watcher"):
        monkeypatch.setattr(asyncio.events, "get_child_watcher", forbidden)

    async def main():
        threads = threading.active_count()
        child = await asyncio.create_subprocess_exec(*SLEEPER)
        seen = threading.active_count() - threads, signal.getsignal(signal.SIGCHLD)
        child.kill()
        return await child.wait(), seen

    assert pyasync_hw.run(main()) == (-9, (0, signal.SIG_DFL))


def test_the_subprocess_of_a_transport_is_a_popen():
    async def main():
        child = await asyncio.create_subprocess_exec("/bin/true")
        popen = child._transport.get_extra_info("subprocess")
        assert isinstance(popen, subprocess.Popen)
        assert (popen.pid, popen.args) == (child.pid, ("/bin/true",))
        await child.wait()
        assert popen.returncode == 0

    pyasync_hw.run(main())


def test_the_users_own_sigchld_handlers_keep_working():
    async def main():
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        loop.add_signal_handler(signal.SIGCHLD, told.set)
        child = await sh("exit 4")
        codes = await asyncio.gather(child.wait(), asyncio.wait_for(told.wait(), 10))
        loop.remove_signal_handler(signal.SIGCHLD)
        return codes[0]

    assert pyasync_hw.run(main()) == 4

    calls = []
    old = signal.signal(signal.SIGCHLD, lambda *args: calls.append(args))
    try:

        async def second():
            return await (await sh("exit 5")).wait()

        assert pyasync_hw.run(second()) == 5
    finally:
        signal.signal(signal.SIGCHLD, old)
    assert calls


def test_a_childs_status_that_the_kernel_drops_is_255_and_a_warning(caplog):
    async def main():
        return await (await sh("exit 6")).wait()

    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert pyasync_hw.run(main()) == 255
    finally:
        signal.signal(signal.SIGCHLD, old)
    assert [(r.levelname, r.name) for r in caplog.records] == [("WARNING", "asyncio")]
    assert "exit status already read:  will report returncode 255" in caplog.text


def test_a_child_that_somebody_else_collects_is_255_and_a_warning(caplog):
    async def main():
        child = await sh("read x; exit 6", stdin=PIPE)
        child.stdin.write(b"\n")
        assert os.waitpid(child.pid, 0)[1] == 6 << 8
        return await child.wait()

    assert pyasync_hw.run(main()) == 255
    assert "returncode 255" in caplog.text


def test_what_the_popen_has_collected_is_not_lost(caplog):
    async def main():
        child = await sh("read x; exit 6", stdin=PIPE)
        child.stdin.write(b"\n")
        assert child._transport.get_extra_info("subprocess").wait() == 6
        return await child.wait()

    assert pyasync_hw.run(main()) == 6
    assert not caplog.records


def test_the_exit_is_told_in_the_context_of_the_spawn():
    import contextvars

    var = contextvars.ContextVar("var", default="outside")
    seen = []

    class Protocol(asyncio.SubprocessProtocol):
        def process_exited(self):
            seen.append(var.get())

        def connection_lost(self, exc):
            done.set()

    async def main():
        loop = asyncio.get_running_loop()
        var.set("inside")
        await loop.subprocess_exec(Protocol, "/bin/true", stdin=None, stdout=None, stderr=None)
        var.set("later")
        await done.wait()

    done = asyncio.Event()
    pyasync_hw.run(main())
    assert seen == ["inside"]


# -- without a pidfd ---------------------------------------------------------


FILTER = """
    import ctypes, platform, struct, sys
    if platform.machine() not in ("x86_64", "aarch64"):
        print("ok"); sys.exit()
    libc = ctypes.CDLL(None, use_errno=True)

    def forbid(errno, *calls):
        # if the call's number is one of these: errno, else allow
        code = [(0x20, 0, 0, 0)]
        for i, number in enumerate(calls):
            code.append((0x15, len(calls) - i, 0, number))
        code += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050000 | errno)]
        program = b"".join(struct.pack("HBBI", *step) for step in code)
        buffer = ctypes.create_string_buffer(program)

        class Fprog(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

        fprog = Fprog(len(code), ctypes.cast(buffer, ctypes.c_void_p))
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(fprog), 0, 0):
            sys.exit("no seccomp here")
"""


@pytest.mark.parametrize(
    ("error", "calls", "threads"),
    [
        ("ENOSYS", "PIDFD_OPEN, CLONE3, CLOSE_RANGE", 1),
        ("EPERM", "PIDFD_OPEN, CLOSE_RANGE", 0),  # without clone3, EPERM forbids all threads
    ],
    ids=["no pidfd at all", "a pidfd by clone3 only"],
)
def test_under_an_old_containers_filter(error, calls, threads):
    script = f"""
    import asyncio, errno, os, threading
    from subprocess import PIPE
    import pyasync_hw

    PIDFD_OPEN, CLONE3, CLOSE_RANGE = 434, 435, 436
    forbid(errno.{error}, {calls})

    async def main():
        fds = set(os.listdir("/proc/self/fd"))
        child = await asyncio.create_subprocess_exec("/bin/cat", stdin=PIPE, stdout=PIPE)
        names = [thread.name for thread in threading.enumerate()]
        assert names.count(f"asyncio-waitpid-{{child.pid}}") == {threads}, names
        assert await child.communicate(b"hello") == (b"hello", None)
        assert child.returncode == 0
        try:
            await asyncio.create_subprocess_exec("/nowhere")
        except FileNotFoundError as exc:
            assert exc.filename == "/nowhere"
        leak, keep = os.dup(0), os.dup(0)
        for fd in leak, keep:
            os.set_inheritable(fd, True)
        child = await asyncio.create_subprocess_exec(
            "/bin/ls", "/proc/self/fd", stdout=PIPE, pass_fds=[keep]
        )
        listed = {{int(fd) for fd in (await child.communicate())[0].split()}}
        assert keep in listed and leak not in listed, listed
        for fd in leak, keep:
            os.close(fd)
        return set(os.listdir("/proc/self/fd")) == fds

    assert pyasync_hw.run(main())
    print("ok")
    """
    run_script(textwrap.dedent(FILTER) + textwrap.dedent(script))


@pytest.mark.parametrize(
    ("calls", "told"),
    [("WAITID", True), ("WAITID, WAIT4", False)],
    ids=["the child is collected by its number", "the exit is not to be had"],
)
def test_what_waitid_refuses_is_not_somebody_elses_doing(calls, told):
    script = f"""
    import asyncio, errno, logging, platform
    import pyasync_hw

    x86 = platform.machine() == "x86_64"
    WAITID, WAIT4 = (247, 61) if x86 else (95, 260)
    forbid(errno.EPERM, {calls})
    records = []
    logging.getLogger("asyncio").addFilter(lambda record: records.append(record.getMessage()))

    async def main():
        child = await asyncio.create_subprocess_exec("/bin/sh", "-c", "exit 3")
        return await child.wait()

    code = pyasync_hw.run(main())
    if {told}:
        assert (code, records) == (3, []), (code, records)
    else:
        assert code == 255
        assert "not to be had ([Errno 1]" in records[0], records
    print("ok")
    """
    run_script(textwrap.dedent(FILTER) + textwrap.dedent(script))


def test_no_descriptor_left_for_a_pidfd_leaves_a_thread():
    async def main():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            child = await asyncio.create_subprocess_exec("/bin/sh", "-c", "read x; exit 3", stdin=r)
            names = [thread.name for thread in threading.enumerate()]
        finally:
            for fd in taken:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.write(w, b"\n")
        return await child.wait(), f"asyncio-waitpid-{child.pid}" in names

    r, w = os.pipe()
    try:
        assert pyasync_hw.run(main()) == (3, True)
    finally:
        os.close(r)
        os.close(w)


def test_a_loop_closed_before_its_waiting_thread_is_told(monkeypatch, caplog):
    monkeypatch.setattr(pyasync_hw.loop.child, "Child", _NoPidfd)
    loop = pyasync_hw.new_event_loop()
    # preexec_fn: not by the native spawn, which would have a pidfd.
    child = loop.run_until_complete(asyncio.create_subprocess_exec(*SLEEPER, preexec_fn=os.getpid))
    loop.close()
    os.kill(child.pid, signal.SIGKILL)
    for thread in threading.enumerate():
        if thread.name == f"asyncio-waitpid-{child.pid}":
            thread.join(10)
    assert f"that handles pid {child.pid} is closed" in caplog.text
    child._transport.close()
    caplog.clear()  # a record holds the loop


class _NoPidfd:
    def __init__(self, pid):
        raise PermissionError(1, "no pidfd here")


# -- threads, loops, numbers -------------------------------------------------


def test_loops_in_many_threads_each_have_their_children():
    codes = {}

    def work(number):
        async def main():
            children = [await sh(f"exit {number}") for _ in range(3)]
            return {await child.wait() for child in children}

        codes[number] = pyasync_hw.run(main())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {n: {n} for n in range(1, 9)}


def test_threads_spawn_at_once_with_our_popen_and_the_standard_one():
    from pyasync_hw.loop.child import Popen

    wrong = []

    def work(popen, number):
        for _ in range(15):
            with popen(["/bin/sh", "-c", f"echo {number}; exit {number}"], stdout=PIPE) as child:
                said = child.communicate()[0]
            if (said, child.returncode) != (b"%d\n" % number, number):
                wrong.append((said, child.returncode))

    kinds = [Popen, Popen, Popen, subprocess.Popen]
    threads = [threading.Thread(target=work, args=(k, n)) for n, k in enumerate(kinds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_two_hundred_children_at_once():
    async def one(number):
        child = await sh(f"read x; exit {number}", stdin=PIPE)
        return child, number

    async def main():
        started = await asyncio.gather(*(one(n % 256) for n in range(200)))
        for child, _ in started:
            child.stdin.write(b"\n")
        return [(await child.wait(), number) for child, number in started]

    pairs = pyasync_hw.run(main())
    assert len(pairs) == 200
    assert all(code == number for code, number in pairs)


def test_a_storm_of_signals_reaches_only_the_parent():
    count = 0

    def handler(*args):
        nonlocal count
        count += 1

    async def main():
        return [await (await asyncio.create_subprocess_exec("/bin/true")).wait() for _ in range(60)]

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        codes = pyasync_hw.run(main())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert set(codes) == {0}
    assert count > 20


# -- any order of cancel, close and kill ---------------------------------------


@pytest.mark.parametrize("pipes", [False, True], ids=["no pipes", "pipes"])
@pytest.mark.parametrize("turns", range(8))
def test_cancel_while_spawning(turns, pipes):
    kwargs = dict.fromkeys(("stdin", "stdout", "stderr"), PIPE) if pipes else {}

    async def main():
        task = asyncio.create_task(asyncio.create_subprocess_exec(*SLEEPER, **kwargs))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        try:
            child = await task
        except asyncio.CancelledError:
            assert not children()
        else:
            child._transport.close()
            await child.wait()

    pyasync_hw.run(main())


def test_a_creation_that_is_dropped_in_the_middle_ends_there():
    async def main():
        creation = asyncio.create_subprocess_exec(*SLEEPER)
        creation.send(None)
        assert children()
        creation.close()  # as the collector does it; it may wait for nothing
        while children():
            await asyncio.sleep(0.001)

    pyasync_hw.run(main())


@pytest.mark.parametrize("pipes", [False, True], ids=["no pipes", "pipes"])
def test_a_loop_closed_while_a_child_runs(pipes):
    kwargs = dict.fromkeys(("stdin", "stdout", "stderr"), PIPE) if pipes else {}
    loop = pyasync_hw.new_event_loop()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        child = loop.run_until_complete(asyncio.create_subprocess_exec(*SLEEPER, **kwargs))
        pid = child.pid
        loop.close()
        assert children().get(pid) in ("S", "R")  # as long as somebody has it
        del child
        gc.collect()
    assert pid not in children()
    assert any("unclosed transport <SubprocessTransport" in str(w.message) for w in caught)


def test_a_loop_closed_after_the_kill():
    loop = pyasync_hw.new_event_loop()
    child = loop.run_until_complete(asyncio.create_subprocess_exec(*SLEEPER))
    child._transport.close()
    loop.close()
    assert child.pid not in children()


def test_a_loop_closed_after_the_exit():
    loop = pyasync_hw.new_event_loop()
    child = loop.run_until_complete(sh("read x", stdin=PIPE))
    child.stdin.write(b"\n")
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    loop.close()
    assert child.pid not in children()
    child._transport.close()


def test_a_loop_dropped_while_a_child_runs():
    loop = pyasync_hw.new_event_loop()
    child = loop.run_until_complete(asyncio.create_subprocess_exec(*SLEEPER))
    pid = child.pid
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del loop, child
        gc.collect()
    assert pid not in children()


@pytest.mark.parametrize("order", ["kill close", "close kill", "close close", "terminate close"])
def test_ends_in_any_order(order):
    async def main():
        child = await asyncio.create_subprocess_exec(*SLEEPER, stdout=PIPE, stdin=PIPE)
        for verb in order.split():
            getattr(child._transport, verb)()
        return await child.wait()

    assert pyasync_hw.run(main()) in (-9, -15)


def test_a_failed_exec_leaves_nothing():
    async def main():
        for _ in range(20):
            for program, error in [("/nowhere", FileNotFoundError), ("/tmp", PermissionError)]:
                with pytest.raises(error) as caught:
                    await asyncio.create_subprocess_exec(
                        program, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
                    )
                assert caught.value.filename == program
                del caught

    pyasync_hw.run(main())


def test_a_task_factory_that_fails_after_the_start_leaves_nothing():
    def refuse(loop, coro, **keywords):
        coro.close()
        raise ZeroDivisionError

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(refuse)
        with pytest.raises(ZeroDivisionError):
            await asyncio.create_subprocess_exec(*SLEEPER, stdin=PIPE, stdout=PIPE)
        loop.set_task_factory(None)
        assert not children()

    pyasync_hw.run(main())


def test_an_unclosed_transport_is_told():
    async def main():
        child = await asyncio.create_subprocess_exec(*SLEEPER)
        with pytest.warns(ResourceWarning, match="unclosed transport"):
            child._transport.__del__()
        await child.wait()

    pyasync_hw.run(main())


# -- the clock ---------------------------------------------------------------


def test_a_childs_hold_of_the_clock_ends_with_its_loop():
    clock = pyasync_hw.VirtualClock()
    loop = pyasync_hw.new_event_loop(clock)
    child = loop.run_until_complete(asyncio.create_subprocess_exec(*SLEEPER))
    child._transport.close()
    loop.close()
    pyasync_hw.run(asyncio.sleep(3600), clock=clock)  # would wait for the child for ever
    assert clock.time() == 3600


def test_failed_and_cancelled_spawns_do_not_hold_the_clock():
    async def main():
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec("/nowhere")
        task = asyncio.create_task(asyncio.create_subprocess_exec(*SLEEPER))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(3600)

    pyasync_hw.run(main(), clock=pyasync_hw.VirtualClock())


# -- child watchers of the policy --------------------------------------------


old_watchers = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="child watchers ended with Python 3.13"
)


@contextlib.contextmanager
def watcher_set(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        watcher = getattr(asyncio, name)()
        policy = asyncio.get_event_loop_policy()
        policy.set_child_watcher(watcher)
        try:
            yield watcher
        finally:
            watcher.close()
            policy.set_child_watcher(None)


@old_watchers
def test_a_program_that_asks_the_policy_for_its_watcher_gets_it():
    async def main():
        loop = asyncio.get_running_loop()
        told = loop.create_future()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            watcher = asyncio.get_child_watcher()
        with watcher:
            pid = os.spawnv(os.P_NOWAIT, "/bin/sh", ["sh", "-c", "exit 9"])
            watcher.add_child_handler(
                pid, lambda *args: loop.call_soon_threadsafe(told.set_result, args)
            )
        assert await told == (pid, 9)
        return await (await sh("exit 8")).wait()

    assert pyasync_hw.run(main()) == 8


@old_watchers
@pytest.mark.parametrize("name", ["FastChildWatcher", "SafeChildWatcher", "PidfdChildWatcher"])
def test_a_watcher_that_the_program_sets_is_used_or_does_no_harm(name, caplog):
    async def main():
        watcher.attach_loop(asyncio.get_running_loop())
        codes = [await (await sh(f"exit {n}")).wait() for n in (1, 2, 3)]
        watcher.attach_loop(None)
        return codes

    with watcher_set(name) as watcher:
        assert pyasync_hw.run(main()) == [1, 2, 3]
    assert "255" not in caplog.text
