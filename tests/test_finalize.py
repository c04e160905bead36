"""Objects that are still there when the interpreter ends, in cycles, are freed safely.

The collector then clears their types and the module first.  Only a sanitized run
(tests/sanitized) sees everything that may go wrong here.
"""

import gc
import subprocess
import sys

import pyasync_hw

PROGRAM = """
import asyncio
import pyasync_hw
from pyasync_hw import gpio, rc522, sim, spi

class Keeper:
    pass

keeper = Keeper()
keeper.me = keeper
pyasync_hw._core.mine = pyasync_hw.VirtualClock(), pyasync_hw._core.Watchdog()
keeper.clock, keeper.token = pyasync_hw.VirtualClock(), pyasync_hw.CancelToken()
keeper.board = board = sim.Board(clock=keeper.clock)
board.attach_rc522()
keeper.reader = rc522.Reader(board=board)
keeper.input = gpio.Input(17, board=board)
keeper.edges = keeper.input.edges()
keeper.device = spi.Device("spi0.1", board=board)
keeper.loop = loop = pyasync_hw.new_event_loop()
keeper.handles = loop.call_soon(print), loop.call_later(1, print, keeper)
asyncio.set_event_loop(loop)
print(sum(map(bool, pyasync_hw._core._live().values())))
"""


def test_objects_in_cycles_at_the_end_of_the_interpreter():
    for ending in ("", "del keeper, board, loop", "raise SystemExit(0)"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM + ending],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert int(done.stdout) >= 10


def test_the_module_shows_each_of_its_types_to_the_collector():
    core = pyasync_hw._core
    shown = {id(obj) for obj in gc.get_referents(core) if isinstance(obj, type)}
    types = {obj for obj in vars(core).values() if isinstance(obj, type)}
    assert len(types) > 10
    assert {kind.__name__ for kind in types if id(kind) not in shown} == set()
