"""Watches that begin and end at bad moments, many times, however threads take turns.

Each runs in a process of its own, for what is looked for is a program that hangs.
"""

import pytest
from watching import run_python

INTERVALS = [1e-4, 0.1]  # who waits for the GIL gets it at once, or hardly

PREPARE = """
import gc, logging, signal
logging.disable(logging.CRITICAL)
sys.setswitchinterval(float(os.environ["INTERVAL"]))
ROUNDS = int(os.environ["ROUNDS"])

def compute(seconds=0.012):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass

def watchdogs():
    return [thread for thread in threading.enumerate() if "watchdog" in thread.name]

def check_end():
    end = time.monotonic() + 20
    while watchdogs() and time.monotonic() < end:
        time.sleep(0.001)
    assert not watchdogs()
    print("ended")
"""

LEAVING_ITS_BLOCK = """
async def main():
    loop = asyncio.get_running_loop()
    for _ in range(ROUNDS):
        with insight.watch(loop, 0.004, lambda report: None):
            await asyncio.sleep(0)
            compute()

pyasync_hw.run(main())
"""

WITHIN_ONE_STEP = """
async def main():
    loop = asyncio.get_running_loop()
    for i in range(ROUNDS):
        with insight.watch(loop, 0.004, lambda report: None):
            compute()
            with insight.watch(loop, 0.002):
                compute()
        if i % 7 == 0:
            await asyncio.sleep(0)

pyasync_hw.run(main())
"""

BY_THE_LISTENER = """
async def main():
    loop = asyncio.get_running_loop()
    told = 0
    for _ in range(ROUNDS):
        def listener(report):
            global told
            told += 1
            watch.stop()
            if told % 3 == 0:
                loop.set_debug(not loop.get_debug())
            with insight.watch(loop, 0.001):
                compute(0.003)
        told = 0
        watch = insight.watch(loop, 0.004, listener)
        await asyncio.sleep(0)
        compute()
        await asyncio.sleep(0)

pyasync_hw.run(main())
"""

BY_OTHER_THREADS = """
async def main():
    loop = asyncio.get_running_loop()
    ended = threading.Event()

    def other():
        for _ in range(ROUNDS):
            with insight.watch(loop, 0.002, lambda report: None):
                compute(0.003)

    threads = [threading.Thread(target=other) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        compute(0.004)
        await asyncio.sleep(0)

pyasync_hw.run(main())
"""

BY_A_THREAD_THAT_HAS_A_LOCK_OF_THE_CALLBACK = """
async def main():
    loop = asyncio.get_running_loop()
    lock = threading.RLock()

    def other():
        for _ in range(ROUNDS):
            watch = insight.watch(loop, 0.002, lambda report: None)
            compute(0.004)
            with lock:
                watch.stop()

    thread = threading.Thread(target=other)
    thread.start()
    while thread.is_alive():
        with lock:
            compute(0.004)
        await asyncio.sleep(0)

pyasync_hw.run(main())
"""

BY_A_SIGNAL_HANDLER = """
async def main():
    loop = asyncio.get_running_loop()
    watches = []

    def handler(number, frame):
        if len(watches) > 3:
            watches.pop(0).stop()
        else:
            watches.append(insight.watch(loop, 0.002, lambda report: None))

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0023)
    for _ in range(ROUNDS):
        with insight.watch(loop, 0.004, lambda report: None):
            await asyncio.sleep(0)
            compute(0.006)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for watch in watches:
        watch.stop()

pyasync_hw.run(main())
"""

BY_AN_EXCEPTION_OF_A_SIGNAL_HANDLER = """
class Out(Exception):
    pass

INTERRUPTED = Out, KeyError  # Thread.start() of CPython may do `del _limbo[self]` twice then

def handler(number, frame):
    raise Out

async def main():
    loop = asyncio.get_running_loop()
    for _ in range(ROUNDS):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.006)
            with insight.watch(loop, 0.002, lambda report: None):
                await asyncio.sleep(0)
                compute()
        except INTERRUPTED:
            pass

signal.signal(signal.SIGALRM, handler)
outs = 0
for _ in range(3):
    try:
        pyasync_hw.run(main())
    except INTERRUPTED:
        outs += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
"""

BY_A_FINALIZER = """
class Watching:
    def __init__(self, loop):
        self.watch = insight.watch(loop, 0.002, lambda report: None)
        self.me = self

    def __del__(self):
        self.watch.stop()

async def main():
    loop = asyncio.get_running_loop()
    gc.set_threshold(20)  # also in the thread that looks
    for _ in range(ROUNDS):
        Watching(loop)
        await asyncio.sleep(0)
        compute(0.006)
    gc.collect()

pyasync_hw.run(main())
"""

BY_THE_END_OF_THE_LOOP = """
for i in range(ROUNDS):
    loop = pyasync_hw.new_event_loop()
    loop.set_debug(i % 2 == 0)
    loop.slow_callback_duration = 0.004
    watch = insight.watch(loop, 0.002, lambda report: loop.stop())
    loop.call_soon(compute)
    other = threading.Timer(0.003, watch.stop)
    other.start()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    watch.stop()
    other.join()
    del loop
"""

BEFORE_A_FORK = """
import warnings
warnings.simplefilter("ignore")

async def main():
    loop = asyncio.get_running_loop()
    for _ in range(ROUNDS):
        with insight.watch(loop, 0.002, lambda report: None) as watch:
            await asyncio.sleep(0)
            compute(0.004)
            pid = os.fork()
            if pid == 0:
                watch.stop()
                os._exit(0 if repr(watch).startswith("<Watch stopped") else 1)
            assert os.waitpid(pid, 0)[1] == 0

pyasync_hw.run(main())
"""

SCENARIOS = {
    name.lower(): code
    for name, code in list(globals().items())
    if isinstance(code, str) and name.isupper() and name not in ("PRELUDE", "PREPARE")
}


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("moment", SCENARIOS)
def test_a_watch_ends(moment, interval, thorough):
    rounds = 30 if thorough or interval < 0.1 else 10
    done = run_python(
        PREPARE + SCENARIOS[moment] + "\ncheck_end()\n", INTERVAL=str(interval), ROUNDS=str(rounds)
    )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
    # What a signal handler raises inside CPython's Thread.start() makes it forget a thread
    # that starts all the same, and then complains.
    assert done.stderr == "" or (
        moment == "by_an_exception_of_a_signal_handler" and "del _limbo[self]" in done.stderr
    )
