"""Watching where a process or an interpreter ends, or forks."""

import sys

import pytest
from test_subinterpreters import SCENARIOS, check
from watching import run_python


def test_the_interpreter_ends_while_a_daemon_thread_watches():
    done = run_python("""
running = threading.Event()

def run():
    loop = pyasync_hw.new_event_loop()
    insight.watch(loop, 0.01)
    loop.call_soon(running.set)
    loop.run_forever()

threading.Thread(target=run, daemon=True).start()
assert running.wait(10)
print("end")
""")
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_the_interpreter_ends_while_a_callback_blocks_under_watch():
    done = run_python("""
running = threading.Event()

def block_for_long():
    running.set()
    time.sleep(60)

def run():
    loop = pyasync_hw.new_event_loop()
    insight.watch(loop, 0.01)
    loop.call_soon(block_for_long)
    loop.run_forever()

threading.Thread(target=run, daemon=True).start()
assert running.wait(10)
time.sleep(0.05)
print("end")
""")
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_a_child_that_was_forked_while_watching_ends():
    done = run_python("""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
loop = pyasync_hw.new_event_loop()
watch = insight.watch(loop, 0.01)

def fork():
    time.sleep(0.03)  # the watchdog samples
    pid = os.fork()
    if pid == 0:
        watch.stop()
        other = asyncio.SelectorEventLoop()
        other.close()
        os._exit(7)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status))
    loop.stop()

loop.call_soon(fork)
loop.run_forever()
loop.close()
""")
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_a_child_that_unwinds_a_watched_run_ends():
    done = run_python("""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
loop = pyasync_hw.new_event_loop()
insight.watch(loop, 0.01)

def fork():
    time.sleep(0.03)
    pid = os.fork()
    if pid == 0:
        raise SystemExit(7)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
    loop.stop()

loop.call_soon(fork)
loop.run_forever()
loop.close()
""")
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_a_sub_interpreter_can_watch():
    pytest.importorskip("_testcapi")
    done = run_python("""
import _testcapi
status = _testcapi.run_in_subinterp('''
import sys
sys.path[:] = %r
import time, pyasync_hw
from pyasync_hw import insight
loop = pyasync_hw.new_event_loop()
reports = []
insight.watch(loop, 0.02, reports.append)
loop.call_soon(time.sleep, 0.06)
loop.call_later(0.07, loop.stop)
loop.run_forever()
loop.close()
assert reports[0].duration >= 0.06
print("watched", flush=True)
''' % sys.path)
assert status == 0
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "watched\n", done.stderr


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a GIL of their own came with Python 3.12")
def test_other_interpreters_are_left_alone():
    """Their threads run while ours is sampled; to look at their frames would crash."""
    watching = """
import asyncio, time, pyasync_hw
from pyasync_hw import insight
reports = []
async def main():
    ended = asyncio.get_running_loop().run_in_executor(None, work)
    while not ended.done():
        await asyncio.sleep(0)
        time.sleep(0.02)
    await ended
loop = pyasync_hw.new_event_loop()
with insight.watch(loop, 0.001, reports.append):
    loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_default_executor())
loop.close()
assert reports
"""
    check(SCENARIOS["timers and tasks"], "own", threads=2, rounds=3, main=watching)
