"""MicroPython programs under `run`: boot.py, callbacks that go on, resets, ports below 1024."""

import errno
import os
import socket
import subprocess
import sys

import pytest
from running import ENVIRONMENT, run

from pyasync_hw import compat


@pytest.fixture
def files(tmp_path):
    def write(**sources):
        for name, source in sources.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        return str(tmp_path)

    return write


def test_boot_py_comes_first_in_one_namespace(files, tmp_path):
    folder = files(
        boot="""\
from machine import Pin
led = Pin(2, Pin.OUT)
print(__name__, __file__)
import helper
1 / 0
""",
        main="""\
led.on()
print(__name__, __file__, led.value())
from driver import NAME
print(NAME)
""",
        helper="print('helper')",
        lib__driver="NAME = 'from lib'",
    )
    wanted = f"__main__ {tmp_path}/boot.py\nhelper\n__main__ {tmp_path}/main.py 1\nfrom lib\n"
    for app in (folder, folder + "/main.py"):
        status, out, err = run(app)
        assert (status, out) == (0, wanted)
        assert err.startswith(f'Traceback (most recent call last):\n  File "{tmp_path}/boot.py", ')
        assert err.endswith("ZeroDivisionError: division by zero\n")


def test_boot_py_may_name_another_program(files, tmp_path):
    folder = files(
        boot="import pyb\npyb.main('other.py')\n", other="print(__file__, pyb)", main="1 / 0"
    )
    status, out, err = run(folder)
    assert (status, err) == (0, "")
    assert out.startswith(f"{tmp_path}/other.py <module ")


def test_boot_py_is_for_a_board_program(files):
    folder = files(boot="print('boot')", other="print('other')", main="print('main')")
    assert run(folder + "/other.py")[1] == "other\n"
    assert run("--micropython", folder + "/other.py")[1] == "boot\nother\n"
    assert run("--shims=none", folder + "/main.py")[1] == "main\n"
    assert run("--micropython", "-c", "print('code')")[1] == "code\n"


def test_it_goes_on_while_timers_and_pins_call_back(files):
    folder = files(
        main="""\
import pyasync_hw
from machine import Pin, Timer
import micropython

times = []
def tick(timer):
    times.append(timer)
    if len(times) == 3:
        timer.deinit()
        button.irq(handler=None)
        print("ticks", all(one is timer for one in times))
def pressed(pin):
    print(pin, pin.value(), pin is button)
    Timer(-1).init(period=1, mode=Timer.PERIODIC, callback=tick)
button = Pin("X1", Pin.IN, Pin.PULL_UP)
button.irq(handler=pressed, trigger=Pin.IRQ_FALLING)
print("end")
micropython.schedule(lambda line: pyasync_hw.hardware.current().line(line).drive(0), 17)
"""
    )
    status, out, err = run(folder)
    assert status == 0, err
    assert out == "end\nPin(X1) 0 True\nticks True\n"
    told = "pyasync_hw: the program has ended; its timers and pins go on calling back\n"
    assert err in (told, "")  # nothing, if all is over by then


def test_callbacks_run_in_the_loop_of_the_main_thread(files):
    folder = files(
        main="""\
import asyncio, threading
from machine import Timer

async def main():
    done = asyncio.Event()
    def tick(timer):
        print(asyncio.get_running_loop() is loop, threading.current_thread().name)
        done.set()
    loop = asyncio.get_running_loop()
    Timer(0, mode=Timer.ONE_SHOT, period=1, callback=tick)
    await done.wait()
asyncio.run(main())
"""
    )
    assert run(folder) == (0, "True MainThread\n", "")


def test_a_reset_begins_anew(files):
    folder = files(
        main="""\
import machine, sys
cause = machine.reset_cause()
print(cause, sys.argv[1:])
if cause == machine.PWRON_RESET:
    machine.deepsleep(1)
if cause == machine.DEEPSLEEP_RESET:
    machine.WDT(timeout=10)
    import time
    time.sleep(60)
"""
    )
    assert run(folder + "/main.py", "-x") == (0, "0 ['-x']\n3 ['-x']\n2 ['-x']\n", "")


SERVER = """\
import asyncio, socket, sys
def bound(make):
    with make() as one:
        print(one.getsockname()[1] == int(sys.argv[1]))
def plain():
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", 80))
    return one
async def main():
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 80)
    print(server.sockets[0].getsockname()[1] == int(sys.argv[1]))
    server.close()
bound(plain)
bound(lambda: socket.create_server(("127.0.0.1", 80)))
asyncio.run(main())
"""


def test_a_port_map(files):
    app = files(app=SERVER) + "/app.py"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    status, out, err = run("--port-map", f"80:{port}", app, port)
    assert (status, out) == (0, "True\n" * 3), err
    assert err == f"pyasync_hw: port 80 of the program is served on {port}\n" * 3
    environment = {**ENVIRONMENT, "PYASYNC_HW_PORT_MAP": f"8:9,80:{port}"}
    assert run(app, port, env=environment)[:2] == (0, "True\n" * 3)
    status, out, err = run("--port-map", "80", app)
    assert (status, out) == (2, "")
    assert "a port map is 80:8080, or several with commas; not '80'" in err


@pytest.mark.parametrize("text", ["80", "80:x", "80:0", "80:65536", "80-8080"])
def test_what_is_no_port_map(monkeypatch, text):
    monkeypatch.setenv("PYASYNC_HW_PORT_MAP", text)
    with pytest.raises(ValueError, match=f"or several with commas; not '{text}'"):
        compat.install("none")
    compat.uninstall()


def test_a_port_that_is_not_permitted_says_what_helps(monkeypatch):
    def refuse(self, address):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refuse, raising=False)
    monkeypatch.delenv("PYASYNC_HW_PORT_MAP", raising=False)
    compat.install("none")
    try:
        with socket.socket() as one:
            with pytest.raises(PermissionError, match="run --port-map 80:8080 has port 8080"):
                one.bind(("127.0.0.1", 80))
            with pytest.raises(PermissionError, match=r"Permission denied$"):
                one.bind(("127.0.0.1", 8080))
        with (
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as one,
            pytest.raises(PermissionError, match=r"Permission denied$"),
        ):
            one.bind((0, 80))  # a process, and groups
    finally:
        compat.uninstall()


def test_sigint_ends_what_calls_back(files):
    folder = files(
        main="""\
from machine import Timer
Timer(-1, period=1, callback=lambda timer: print("tick", flush=True))
"""
    )
    command = [sys.executable, "-m", "pyasync_hw", "run", "--hw", "sim", folder]
    with subprocess.Popen(
        # A shell may have started us with SIGINT ignored.
        command,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_default_sigint,
    ) as child:
        assert child.stdout.readline() == "tick\n"
        child.send_signal(2)
        err = child.communicate(timeout=60)[1]
    assert child.returncode == -2
    assert err.endswith("\nKeyboardInterrupt\n")


def _default_sigint():
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_scenario_acts_on_the_parts_of_a_board_without_a_file(files, tmp_path):
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('[[event]]\nat = 0\npart = "adc"\ndo = "set"\nwith = { volts = 3.3 }\n')
    folder = files(
        main="from machine import ADC\nwhile ADC(0).read() != 1023: pass\nprint('set')\n"
    )
    assert run("--scenario", str(scenario), folder) == (0, "set\n", "")
    scenario.write_text('[[event]]\nat = 0\npart = "dac"\ndo = "set"\n')
    status, _, err = run("--scenario", str(scenario), folder)
    assert status == 2
    assert "'dac' is not known; allowed: accelerometer, barometer, display, dht, adc" in err
