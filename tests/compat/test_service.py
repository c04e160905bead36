"""The service thread of programs without a loop: begun and ended anywhere."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, signal, sys, threading, time
from pyasync_hw.compat.service import service

sys.setswitchinterval(float(sys.argv[1]))
ran = 0

async def job():
    global ran
    ran += 1
    await asyncio.Event().wait()

def begin_and_end(number=None, frame=None):
    try:
        service.spawn(job())()
    except RuntimeError as exc:  # somebody else has stopped it, just before
        assert "closed" in str(exc), exc
    service.stop()

signal.signal(signal.SIGALRM, begin_and_end)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.003)
others = [threading.Thread(target=lambda: [service.stop() for _ in range(200)]) for _ in range(2)]
for other in others:
    other.start()
for _ in range(100):
    begin_and_end()
signal.setitimer(signal.ITIMER_REAL, 0)
for other in others:
    other.join()
service.stop()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(20)  # one that was stopped before it had begun ends by itself
assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
print("ended")
"""


@pytest.mark.parametrize("interval", ["0.0001", "0.05"])
def test_it_begins_and_ends_in_signal_handlers_and_threads(interval):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, interval],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
