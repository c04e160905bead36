"""What a GPIO callback may do: run a loop of its own, raise, end the program."""

import pytest
from running import run

SCENARIO = "[[event]]\nat = 0.02\nline = 17\ndrive = 1\n"
BEGIN = """\
import asyncio, atexit, signal, sys, threading, time
import RPi.GPIO as GPIO

GPIO.setmode(GPIO.BCM)
GPIO.setup([17, 27], GPIO.IN)
"""


@pytest.fixture
def with_callback(program, tmp_path):
    """Run a program with a pulse on line 17, which its `callback` sees."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)

    def run_it(callback, rest):
        watch = "\nGPIO.add_event_detect(17, GPIO.RISING, callback=callback)\n"
        return run("--scenario", str(scenario), program(BEGIN + callback + watch + rest))

    return run_it


def test_it_may_run_loops(with_callback):
    done = with_callback(
        """\
async def answer(channel):
    await asyncio.sleep(0.001)
    return channel

def callback(channel):
    for get_loop in (asyncio.get_running_loop, asyncio.get_event_loop, asyncio.Future):
        try:
            print(get_loop())
        except RuntimeError as exc:
            print(str(exc).split(" in thread")[0])
    print(asyncio.run(answer(channel)))
    loop = asyncio.new_event_loop()
    print(loop.run_until_complete(answer(channel)))
    loop.close()
    came.set()

came = threading.Event()
""",
        "came.wait(30)\nGPIO.cleanup()\n",
    )
    none = "There is no current event loop"
    assert done == (0, f"no running event loop\n{none}\n{none}\n17\n17\n", "")


COROUTINE = """\
async def callback(channel):
    await asyncio.sleep(0.001)
    print(channel, threading.current_thread().name)
    came.set()
    1 / 0
"""


def test_it_may_be_a_coroutine_function(program, tmp_path):
    """Of the loop that runs when it is given; what it raises is not lost."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    main = """
async def main():
    global came
    came = asyncio.Event()
    GPIO.add_event_detect(17, GPIO.RISING)
    GPIO.add_event_callback(17, callback)
    await came.wait()

asyncio.run(main())
GPIO.cleanup()
"""
    code, out, err = run("--scenario", str(scenario), program(BEGIN + COROUTINE + main))
    assert (code, out) == (0, "17 MainThread\n")
    assert "in callback" in err and "ZeroDivisionError" in err


def test_a_coroutine_function_without_a_loop(with_callback):
    """Nobody knows which is to run it, and Python says so."""
    call = "def after(channel):\n    came.set()\n\ncame = threading.Event()\n"
    rest = "GPIO.add_event_callback(17, after)\ncame.wait(30)\nGPIO.cleanup()\n"
    code, out, err = with_callback(COROUTINE + call, rest)
    assert (code, out) == (0, "")
    assert "coroutine 'callback' was never awaited" in err


def test_what_it_raises_is_the_programs_own(with_callback):
    status, out, err = with_callback(
        "def callback(channel):\n    came.set()\n    1 / 0\n\ncame = threading.Event()\n",
        "came.wait(30)\nGPIO.remove_event_detect(17)\n",
    )
    lines = err.splitlines()
    assert (status, out, lines[0]) == (0, "", "Traceback (most recent call last):")
    assert "in callback" in lines[1] and lines[-1] == "ZeroDivisionError: division by zero"
    assert "pyasync_hw" not in err


def test_the_programs_hook_sees_it(with_callback):
    callback = """\
def callback(channel):
    raise KeyError(channel)

def hook(kind, value, trace):
    print(kind.__name__, value, trace.tb_frame.f_code.co_name)
    came.set()
    raise ValueError("of the hook")

sys.excepthook = hook
came = threading.Event()
"""
    # The next callback comes after the hook's error was printed.
    status, out, err = with_callback(callback, "came.wait(30)\nGPIO.cleanup()\n")
    assert (status, out) == (0, "KeyError 17 callback\n")
    assert "KeyError: 17" in err and err.endswith("ValueError: of the hook\n")


ENDINGS = {
    "sleep": "time.sleep(30)",
    "pause": "signal.pause()",
    "loop": "asyncio.run(asyncio.sleep(30))",
    "wait": "GPIO.wait_for_edge(27, GPIO.BOTH)",
    "busy": "while not GPIO.input(27): pass",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_sys_exit_ends_the_program(with_callback, ending):
    callback = """\
def callback(channel):
    print("bye")
    sys.exit(3)

atexit.register(print, "atexit")
"""
    rest = ENDINGS[ending] + "\nprint('still here')\n"
    assert with_callback(callback, rest) == (3, "bye\natexit\n", "")


@pytest.mark.parametrize(
    ("code", "status", "err"), [("", 0, ""), ("True", 1, ""), ("'no power'", 1, "no power\n")]
)
def test_its_status_is_that_of_sys_exit(with_callback, code, status, err):
    callback = f"def callback(channel):\n    GPIO.cleanup()\n    raise SystemExit({code})\n"
    assert with_callback(callback, "signal.pause()\n") == (status, "", err)
