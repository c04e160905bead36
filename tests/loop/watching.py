"""What the tests of slow callbacks and slow iterations share."""

import inspect
import logging
import os
import subprocess
import sys
import threading
import time

FILE = __file__  # where block() is
BLOCK = 0.15
THRESHOLD = 0.02
WATCHDOG = "pyasync_hw watchdog"


class Reports(list):
    """Of what blocked on purpose; on a loaded machine, anything may take THRESHOLD."""

    def append(self, report):
        if report.duration >= BLOCK:
            super().append(report)


def block():
    time.sleep(BLOCK)  # the line that blocks


def line_that_blocks():
    lines, first = inspect.getsourcelines(block)
    return first + next(i for i, line in enumerate(lines) if "the line that blocks" in line)


def nothing():
    pass


def run_soon(loop, *callbacks):
    for callback in callbacks:
        loop.call_soon(callback)
    loop.call_soon(loop.stop)
    loop.run_forever()


def watchdogs():
    return [thread for thread in threading.enumerate() if thread.name == WATCHDOG]


def warnings_of(caplog, name="block"):
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    return [record for record in warnings if name in record.getMessage()]


PRELUDE = """
import asyncio, os, sys, threading, time
import pyasync_hw
from pyasync_hw import insight

def block():
    time.sleep(0.06)
"""


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
