"""The end of an interpreter with threads of ours: as with concurrent.futures, no hang."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pyasync_hw

PRELUDE = """
import asyncio, atexit, gc, os, sys, threading, time
import pyasync_hw
from pyasync_hw import executor
from pyasync_hw.executor import ThreadPoolExecutor
"""


def run_program(program: str, *options: str, status: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, *options, "-c", PRELUDE + textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": str(Path(pyasync_hw.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def test_running_and_queued_jobs_are_finished() -> None:
    out, err = run_program("""
        pool = ThreadPoolExecutor(1)
        for i in range(3):
            pool.submit(lambda i=i: (time.sleep(0.05), print(i)))
    """)
    assert (out.split(), err) == (["0", "1", "2"], "")


def test_after_shutdown_without_wait() -> None:
    out, err = run_program("""
        pool = ThreadPoolExecutor(3)
        pool.submit(lambda: (time.sleep(0.2), print("apple")))
        pool.shutdown(wait=False)
    """)
    assert (out.strip(), err) == ("apple", "")


def test_idle_threads_end_at_once() -> None:
    out, err = run_program("""
        pool = ThreadPoolExecutor(8)
        barrier = threading.Barrier(8)
        list(pool.map(lambda _: barrier.wait(), range(8)))
        began = time.monotonic()
        atexit.register(lambda: print(time.monotonic() - began < 5, threading.active_count()))
    """)
    assert (out.split(), err) == (["True", "1"], "")


def test_a_loop_that_was_never_closed() -> None:
    out, err = run_program(
        """
        loop = pyasync_hw.new_event_loop()
        loop.run_until_complete(loop.run_in_executor(None, int))
        loop.run_in_executor(None, lambda: (time.sleep(0.05), print("late")))
        """,
        "-Wignore::ResourceWarning",
    )
    assert (out.strip(), err) == ("late", "")


@pytest.mark.parametrize(
    "first_use", ["", "pool.submit(int).result()", "pool.submit(time.sleep, 0.2)"]
)
def test_submit_after_interpreter_shutdown(first_use: str) -> None:
    out, err = run_program(f"""
        pool = ThreadPoolExecutor(2)
        {first_use}
        @atexit.register
        def late():
            try:
                pool.submit(int)
            except RuntimeError as exc:
                print(exc)
    """)
    assert (out.strip(), err) == (
        "cannot schedule new futures after interpreter shutdown",
        "",
    )


def test_jobs_that_submit_while_the_interpreter_ends() -> None:
    out, err = run_program("""
        pool = ThreadPoolExecutor(2)
        def job(n):
            time.sleep(0.01)
            try:
                pool.submit(job, n + 1)
            except RuntimeError as exc:
                print(exc)
        pool.submit(job, 0)
    """)
    assert err == ""
    assert out.strip() == "cannot schedule new futures after interpreter shutdown"


def test_a_job_that_never_ends_blocks_the_exit() -> None:
    """As with concurrent.futures; a signal ends it."""
    out, err = run_program(
        """
        pool = ThreadPoolExecutor(1)
        pool.submit(threading.Event().wait)
        threading.Timer(0.3, lambda: (print("still here", flush=True), os._exit(7))).start()
        """,
        status=7,
    )
    assert (out.strip(), err) == ("still here", "")


def test_daemon_threads_that_submit() -> None:
    """Workers that are daemons, as their starter is, are joined all the same."""
    out, err = run_program("""
        pool = ThreadPoolExecutor(2)
        def use():
            pool.submit(lambda: (time.sleep(0.1), print("joined")))
        thread = threading.Thread(target=use, daemon=True)
        thread.start()
        thread.join()
    """)
    assert (out.strip(), err) == ("joined", "")


def test_keyboard_interrupt_while_jobs_run() -> None:
    out, err = run_program(
        """
        import signal
        async def main():
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
            await asyncio.to_thread(executor.sleep, 3600)
        try:
            pyasync_hw.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert (out.strip(), err) == ("interrupted", "")


def test_a_dropped_executor_is_finished_too() -> None:
    out, err = run_program("""
        def use():
            ThreadPoolExecutor(1).submit(lambda: (time.sleep(0.1), print("done")))
        use()
        gc.collect()
    """)
    assert (out.strip(), err) == ("done", "")


def subinterpreter(code: str) -> str:
    """A program that runs code in one."""
    return f"""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
interpreter = interpreters.create()
interpreters.run_string(interpreter, {code!r})
interpreters.destroy(interpreter)
print("destroyed", flush=True)
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="its subinterpreters share the GIL")
def test_in_a_subinterpreter() -> None:
    control = subprocess.run([sys.executable, "-c", subinterpreter("import asyncio, threading")])
    if control.returncode != 0:
        pytest.skip(f"CPython itself does not survive it: {control.returncode}")
    code = """
        import asyncio, threading
        import pyasync_hw
        from pyasync_hw.executor import ThreadPoolExecutor
        async def main():
            loop = asyncio.get_running_loop()
            print(sum(await asyncio.gather(*[asyncio.to_thread(pow, i, 2) for i in range(100)])))
        pyasync_hw.run(main())
        with ThreadPoolExecutor(2) as pool:
            print(pool.submit(pow, 2, 10).result())
        pool = ThreadPoolExecutor(2)
        pool.submit(int)
    """
    out, err = run_program(subinterpreter(textwrap.dedent(code)))
    assert out.split() == ["328350", "1024", "destroyed"], err
