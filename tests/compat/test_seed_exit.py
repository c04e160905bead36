"""Seed 000's section "Exit the Program", as programs under `run`: nothing hangs.

A signal handler calls exit(), or cancels and stops; `finally` starts the loop
again, lets the tasks end and closes; a thread of the executor sits in
wait_for_tag() all the while.
"""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

import pyasync_hw

PROGRAM = textwrap.dedent(
    """\
    import asyncio, atexit, signal, sys
    from pirc522 import RFID

    def say(*words):
        print(*words, flush=True)

    async def read_tags(reader):
        loop = asyncio.get_event_loop()
        try:
            while True:
                await asyncio.run_in_executor(None, reader.wait_for_tag)
        except asyncio.CancelledError:
            reader.irq.set()
            reader.cleanup()
            await asyncio.sleep(0)
            say("reader is free")
            raise

    async def tick():
        while True:
            await asyncio.sleep(0.01)

    def by_exit():
        [task.cancel() for task in asyncio.Task.all_tasks()]
        exit(3)

    def by_stop():
        [task.cancel() for task in asyncio.Task.all_tasks()]
        loop.stop()

    atexit.register(say, "atexit: loop closed is", True)
    reader = RFID()
    loop = asyncio.get_event_loop()
    atexit.register(lambda: say("atexit:", loop.is_closed()))
    loop.add_signal_handler(signal.SIGTERM, globals()[sys.argv[1]])
    tasks = [asyncio.ensure_future(read_tags(reader)), asyncio.ensure_future(tick())]
    loop.call_later(0.05, say, "ready")
    try:
        loop.run_forever()
    finally:
        results = loop.run_until_complete(
            asyncio.gather(*asyncio.Task.all_tasks().union(tasks), return_exceptions=True))
        say(sorted(type(result).__name__ for result in results))
        loop.close()
    say("end of main")
    """
)


@pytest.mark.parametrize(
    ("way", "status", "last"), [("by_exit", 3, []), ("by_stop", 0, ["end of main"])]
)
def test_exit(tmp_path, way, status, last):
    path = tmp_path / "app.py"
    path.write_text(PROGRAM)
    source = os.path.dirname(os.path.dirname(pyasync_hw.__file__))
    child = subprocess.Popen(
        [sys.executable, "-m", "pyasync_hw", "run", "--hw=sim", path, way],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    try:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=10)
    finally:
        child.kill()
        child.communicate()
    assert (child.returncode, err) == (status, "")
    assert out.splitlines() == [
        "reader is free",
        "['CancelledError', 'CancelledError']",
        *last,
        "atexit: True",
        "atexit: loop closed is True",
    ]
