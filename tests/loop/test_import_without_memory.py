"""The native module is set up without memory: a MemoryError, and then it works."""

import subprocess
import sys

import pytest

pytest.importorskip("_testcapi", reason="CPython's own test module is not installed")

# importlib's own code does not come to an end without memory, so it is left out.
SETUP = """
import _imp, _testcapi, collections, gc, importlib.util, sys
import pyasync_hw
from pyasync_hw import _core

spec = importlib.util.spec_from_file_location("pyasync_hw._core", _core.__file__)

def set_up(allocations, end):
    _testcapi.set_nomemory(allocations, end)
    try:
        module = _imp.create_dynamic(spec)
        _imp.exec_dynamic(module)
    finally:
        _testcapi.remove_mem_hooks()
    return module

def sweep(one):
    allocations = failed = 0
    complete = []
    while len(complete) < 5:
        try:
            complete.append(set_up(allocations, allocations + 1 if one else 0))
        except MemoryError:
            complete.clear()
            failed += 1
        allocations += 1
    assert failed > 100, failed
    for module in complete:
        missing = set(dir(_core)) - set(dir(module)) - {"__file__"}
        assert not missing, missing
    return failed

sweep(one=False)
if sys.version_info < (3, 13):  # later, a dict crashes or loses what is put into it
    sweep(one=True)

def growth():
    gc.collect()
    before = sys.getallocatedblocks()
    failed = sweep(one=False)
    gc.collect()
    return (sys.getallocatedblocks() - before) / failed

# CPython itself leaks some when a type fails, now more, now less.
grown = [growth() for _ in range(3)]
assert min(grown) < 1, grown
assert not any(_core._live().values())
pyasync_hw.new_event_loop().close()
print("set up")
"""


def test_without_memory_the_setup_of_the_module_fails_and_leaves_nothing():
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", SETUP],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "set up\n"), done.stderr
