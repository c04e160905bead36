"""What multiprocessing starts under `run` has the import names and the hardware, too."""

import pytest
from running import as_python_does, run

METHODS = ["spawn", "forkserver"]
PREFIX = """\
import multiprocessing, os, sys
import RPi.GPIO as GPIO, spidev

def level(channel):
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(channel, GPIO.OUT, initial=GPIO.HIGH)
    try:
        return GPIO.input(channel), spidev.SpiDev(0, 0).xfer2([0x37 << 1 | 0x80, 0])[1]
    finally:
        GPIO.cleanup()

def put(queue):
    queue.put(level(17))

def nested(queue):
    child = multiprocessing.get_context(sys.argv[1]).Process(target=put, args=(queue,))
    child.start()
    child.join()
"""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", ["put", "nested"])
def test_processes_and_their_processes(program, tmp_path, method, target):
    path = program(
        f"""{PREFIX}
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    queue = context.Queue()
    process = context.Process(target={target}, args=(queue,))
    process.start()
    process.join()
    print(process.exitcode, queue.get(timeout=30) if process.exitcode == 0 else None)
"""
    )
    board = program("[[rc522]]\nbus = 'spi0.0'\nirq = 24\n", "board.toml")
    # A relative name of the board is found from another folder, too.
    result = run("--board", "board.toml", path, method, cwd=tmp_path)
    assert board
    assert result == (0, "0 (1, 146)\n", "")


@pytest.mark.parametrize("method", METHODS)
def test_pools(program, method):
    path = program(
        f"""{PREFIX}
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        print(list(executor.map(level, [17, 27])))
    with context.Pool(1) as pool:
        print(pool.apply(level, [22]))
"""
    )
    assert run(path, method) == (0, "[(1, 146), (1, 146)]\n(1, 146)\n", "")


def test_the_default_method_and_preloading(program):
    path = program(
        f"""{PREFIX}
if __name__ == "__main__":
    multiprocessing.set_forkserver_preload(["__main__", "json"])
    if sys.version_info < (3, 14):  # where it is not yet the default
        multiprocessing.set_start_method("forkserver")
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=put, args=(queue,))
    process.start()
    print(queue.get(timeout=30))
    process.join()
"""
    )
    assert run(path) == (0, "(1, 146)\n", "")


def test_a_module_and_its_children(program, tmp_path):
    (tmp_path / "package").mkdir()
    program("", "package/__init__.py")
    program(
        f"""{PREFIX}
from . import __name__ as parent

if __name__ == "__main__":
    queue = multiprocessing.get_context("spawn").Queue()
    nested(queue)
    print(parent, sys.argv[1:], queue.get(timeout=30))
""",
        "package/app.py",
    )
    result = run("-m", "package.app", "spawn", "-x", cwd=tmp_path)
    assert result == (0, "package ['spawn', '-x'] (1, 146)\n", "")


def test_the_names_that_were_not_asked_for_are_not_in_the_child_either(program):
    path = program(
        """\
        import importlib.util
        import multiprocessing
        import spidev

        def child():
            spec = importlib.util.find_spec("pirc522")  # one may be installed
            print("pyasync_hw.compat" in repr(spec), flush=True)

        if __name__ == "__main__":
            child()
            process = multiprocessing.get_context("spawn").Process(target=child)
            process.start()
            process.join()
        """
    )
    status, out, _ = run("--shims=spidev", path)
    assert (status, out) == (0, "False\nFalse\n")
    assert out.splitlines()[0] == out.splitlines()[1]


def test_multiprocessing_is_imported_only_by_programs_that_use_it(program):
    path = program("import sys; print([name for name in sys.modules if 'multiproc' in name])")
    assert run(path) == as_python_does(path) == (0, "[]\n", "")
    path = program(
        """\
        import multiprocessing.spawn, multiprocessing.forkserver
        for module in multiprocessing.spawn, multiprocessing.forkserver:
            print(module.__loader__ is module.__spec__.loader, type(module.__loader__))
        """
    )
    assert run(path) == as_python_does(path)
