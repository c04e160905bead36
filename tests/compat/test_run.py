"""`python -m pyasync_hw run`: the program is itself, down to its exit status."""

import json
import re
import signal
import subprocess
import sys
import zipfile

import pytest
from running import ENVIRONMENT, as_python_does, run


def test_the_program_is_main(program, tmp_path):
    path = program(
        """\
        import json, sys
        import helper
        names = ["__name__", "__file__", "__spec__", "__package__", "__doc__"]
        print(json.dumps([sys.argv, sys.path[0], {n: globals()[n] for n in names},
                          sys.modules["__main__"].__dict__ is globals(),
                          __import__("__main__").__file__, helper.HERE]))
        """
    )
    (tmp_path / "helper.py").write_text("HERE = True\n")
    expected = as_python_does(path, "-x", "--hw", "real", "--", "y")
    assert expected[0] == 0
    assert run(path, "-x", "--hw", "real", "--", "y") == expected
    assert json.loads(expected[1])[0] == [path, "-x", "--hw", "real", "--", "y"]


def test_the_prompt_of_asyncio_is_on_our_loop():
    lines = "import asyncio\nprint(type(await asyncio.sleep(0, asyncio.get_running_loop())))\n"
    status, out, err = run("-m", "asyncio", input=lines)
    assert status == 0
    assert "<class 'pyasync_hw.loop.EventLoop'>" in out + err


def test_a_relative_path_stays_as_it_was_given(program, tmp_path):
    program("import sys; print(sys.argv[0], __file__)")
    status, out, err = run("app.py", cwd=tmp_path)
    assert (status, out, err) == (0, f"app.py {tmp_path}/app.py\n", "")


ENDINGS = {
    "status": "import sys; sys.exit(7)",
    "message": "raise SystemExit('no card')",
    "none": "raise SystemExit",
    "os._exit": "import os; os._exit(9)",
    "exception": "def f():\n    1/0\nf()",
    "chained": "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('x') from e",
    "syntax": "x = (\n",
    "null byte": "x = '\\x00",
    "ctrl+c": "def f():\n    raise KeyboardInterrupt\nf()",
    "own hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0], a[2].tb_lineno)\n1/0",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "sigint": "import os, signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass",
    "atexit raises": "import atexit\natexit.register(lambda: 1/0)",
    "thread raises": "import threading\nthreading.Thread(target=lambda: 1/0).start()",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_status_and_traceback_are_the_programs_own(program, ending):
    path = program(ENDINGS[ending])
    ids = re.compile(r"Thread-\d+|0x[0-9a-f]+")
    expected = [ids.sub("", str(part)) for part in as_python_does(path)]
    assert [ids.sub("", str(part)) for part in run(path)] == expected


def test_the_board_is_there_in_the_programs_atexit_handlers(program):
    path = program(
        """\
        import atexit
        import RPi.GPIO as GPIO
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.OUT)
        def bye():
            GPIO.output(17, 1)
            print("level", GPIO.input(17))
            GPIO.cleanup()
        atexit.register(bye)
        """
    )
    assert run(path) == (0, "level 1\n", "")


def test_loop_and_old_names(program):
    path = program(
        """\
        import asyncio
        import pyasync_hw
        async def main():
            return len(asyncio.Task.all_tasks()), await asyncio.run_in_executor(None, int, "3")
        loop = asyncio.get_event_loop()
        print(isinstance(loop, pyasync_hw.EventLoop), loop.run_until_complete(main()))
        loop.close()
        print(type(asyncio.new_event_loop()).__module__)
        """
    )
    assert run("--shims=none", path) == (0, "True (1, 3)\npyasync_hw.loop\n", "")


def test_shims_are_chosen(program):
    path = program(
        """\
        for name in ("spidev", "pirc522", "RPi.GPIO"):
            try:
                module = __import__(name, fromlist=["x"])
            except ImportError:
                print("none")
            else:
                print("pyasync_hw" in module.__file__)
        """
    )
    status, out, _ = run("--shims=spidev,RPi.GPIO", path)
    assert status == 0
    assert out.split("\n")[0] == out.split("\n")[2] == "True"
    assert run(path)[1] == "True\n" * 3
    status, out, err = run("--shims=spi", path)
    assert (status, out) == (2, "")
    assert "no shim is called 'spi'; allowed: none, RPi.GPIO, gpiozero, mfrc522, micropython" in err


def test_what_cannot_be_run(program, tmp_path):
    status, out, err = run(str(tmp_path / "nothing.py"))
    assert (status, out) == (2, "")
    assert "nothing.py" in err and "No such file" in err and "Traceback" not in err
    board = program("[[rc522]]\nbus = 'spi0.0'\nirk = 1\n", "board.toml")
    status, out, err = run("--board", board, program("print(1)"))
    assert (status, out) == (2, "")
    assert f"{board}:3: rc522[0].irk: unknown key" in err
    scenario = program("[[event]]\nat = 1\nreader = 'gate'\nremove = 'a61d227e'\n", "s.toml")
    status, out, err = run("--scenario", scenario, program("print(1)"))
    assert (status, out) == (2, "")
    assert f"{scenario}:3: event[0].reader: 'gate' is not known; allowed: rc522" in err


def test_a_program_without_a_loop_gets_its_gpio_callbacks(program):
    path = program(
        """\
        import os, signal, sys
        import RPi.GPIO as GPIO

        def pressed(channel):
            print("pressed", channel, flush=True)
            os.kill(os.getpid(), signal.SIGTERM)

        signal.signal(signal.SIGTERM, lambda *args: sys.exit(5))
        GPIO.setmode(GPIO.BOARD)
        GPIO.setup(11, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        GPIO.add_event_detect(11, GPIO.FALLING, callback=pressed, bouncetime=50)
        while True:
            signal.pause()
        """
    )
    scenario = program("[[event]]\nat = 0.2\nline = 'BOARD11'\ndrive = 0\n", "press.toml")
    assert run("--scenario", scenario, path) == (5, "pressed 11\n", "")


def test_a_board_file_the_simulated_model_cannot_have(program):
    path = program('[[rc522]]\nname = "door"\nbus = "spi9.0"\nirq = 24\n', "board.toml")
    status, out, err = run("--board", path, program("print('ran')"))
    assert (status, out) == (2, "")
    assert f"{path}:1: 'door': pi-zero-w has no spi9.0; it has spi0.0" in err
    assert "Traceback" not in err


def test_the_board_files_spi_clock_is_the_readers(program):
    path = program('[[rc522]]\nbus = "spi0.0"\nirq = 24\nspeed_hz = 1_000_000\n', "board.toml")
    code = "from pyasync_hw import rc522\nprint(rc522.Reader().spi.speed_hz)"
    assert run("--board", path, program(code)) == (0, "1000000\n", "")


def test_a_scenario_needs_the_simulator(program):
    scenario = program("[[event]]\nat = 1\nline = 17\ndrive = 1\n", "s.toml")
    status, out, err = run("--hw=real", "--scenario", scenario, program("print(1)"))
    assert (status, out) == (2, "")
    assert "a scenario needs the simulator: add --hw sim" in err


def test_environment_chooses_what_auto_means(program):
    command = [sys.executable, "-m", "pyasync_hw", "run", program("print('app')")]
    for wanted, expected in (("sim", (0, "app\n", "")), ("emu", (2, "", None))):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            env={**ENVIRONMENT, "PYASYNC_HW": wanted},
        )
        assert (done.returncode, done.stdout) == expected[:2]
        if expected[2] is None:
            assert "PYASYNC_HW must be sim, real or auto, not 'emu'" in done.stderr
        else:
            assert done.stderr == expected[2]


def test_auto_says_that_it_simulates(program):
    done = subprocess.run(
        [sys.executable, "-m", "pyasync_hw", "run", program("print('app')")],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    assert (done.returncode, done.stdout) == (0, "app\n")
    assert re.fullmatch(r"pyasync_hw: .*simulator.*\n", done.stderr)


def test_sigint_from_outside_ends_it_as_it_ends_python(program):
    # In steps: Python does not look for a signal that comes just before a sleep.
    path = program("print('up', flush=True)\nimport time\nwhile True: time.sleep(0.05)\n")
    child = subprocess.Popen(
        [sys.executable, "-m", "pyasync_hw", "run", "--hw", "sim", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGINT
    assert err.startswith("Traceback") and err.endswith("KeyboardInterrupt\n")
    assert "pyasync_hw" not in err.replace(path, "")


PROGRAM = """\
import json, sys
names = ["__name__", "__file__", "__package__", "__doc__", "__cached__"]
print(json.dumps([sys.argv, sys.path[0], {n: globals().get(n) for n in names},
                  __spec__ and __spec__.name, sys.modules["__main__"].__dict__ is globals()]))
if len(sys.argv) > 1:
    raise ValueError("x")
"""
ARGUMENTS = ["-x", "--hw", "real", "--", "-c", "y"]


@pytest.mark.parametrize("arguments", [[], ARGUMENTS])
@pytest.mark.parametrize("form", ["-m", "-m package", "folder", "zip file", "-c", "-"])
def test_a_module_a_folder_code_and_standard_input(program, tmp_path, form, arguments):
    path = program(PROGRAM, "module.py")
    options = {"cwd": tmp_path}
    if form == "-":
        command, options["input"] = ["-"], PROGRAM
    elif form == "-c":
        command = ["-c", PROGRAM]
    elif form == "-m":
        command = ["-m", "module"]
    else:
        (tmp_path / "package").mkdir()
        program(PROGRAM, "package/__main__.py")
        command = ["-m", "package"] if form == "-m package" else [str(tmp_path / "package")]
        if form == "zip file":
            command = [f"{path}.zip"]
            with zipfile.ZipFile(command[0], "w") as file:
                file.writestr("__main__.py", PROGRAM)
    expected = as_python_does(*command, *arguments, **options)
    assert expected[0] == (1 if arguments else 0)
    status, out, err = run(*command, *arguments, **options)
    if form == "-c":  # Python 3.13 and later remember the source for the traceback
        expected = (*expected[:2], expected[2].replace('    raise ValueError("x")\n', ""))
    assert (status, out, err) == expected


def test_a_folder_by_a_relative_name_and_a_module_without_a_space(program, tmp_path):
    program("import sys; print(sys.argv, sys.path[0], __name__)", "module.py")
    (tmp_path / "package").mkdir()
    program("import sys; print(sys.argv, sys.path[0])", "package/__main__.py")
    for command in (["package", "x"], ["-mmodule", "-mx"], ["-cprint(__name__)"]):
        expected = as_python_does(*command, cwd=tmp_path)
        assert expected[0] == 0
        assert run(*command, cwd=tmp_path) == expected


def test_modules_that_are_not_there(program, tmp_path):
    program("import nothing_at_all", "module.py")
    for name in ("nothing_at_all", "module", "module.sub", "json.nothing"):
        expected = as_python_does("-m", name, cwd=tmp_path)
        assert run("-m", name, cwd=tmp_path) == expected
        assert expected[0] == 1
    assert run("-m") == (2, "", "python -m pyasync_hw run: -m needs an argument\n")


def test_an_spi_device_with_nothing_on_it_is_named_once(program):
    path = program(
        """\
        from pyasync_hw import spi
        from spidev import SpiDev
        SpiDev(0, 0).close()
        SpiDev(0, 1).close()
        for name in ("spi0.0", "spi0.1", "spi0.1"):
            with spi.Device(name) as device:
                print(device.blocking.transfer(bytes(2)))
        """
    )
    status, out, err = run(path)
    assert (status, out.splitlines()[1:]) == (0, [str(bytes(2))] * 2)
    assert err.count("nothing is wired to") == err.count("nothing is wired to spi0.1") == 1


def test_an_i2c_bus_with_nothing_on_it_is_named_once(program):
    path = program(
        """\
        from smbus2 import SMBus
        for number in (1, 1, 0):
            with SMBus(number) as bus:
                try:
                    bus.read_byte(0x77)
                except OSError as exc:
                    print(exc)
        """
    )
    status, out, err = run(path)
    assert status == 0
    assert out.count("0x77") == 3
    for name in ("i2c-0", "i2c-1"):
        assert err.count(f"nothing is wired to {name} of the simulated board: nobody answers") == 1


def test_an_i2c_address_with_nothing_at_it_is_named_once_with_what_to_write(program, tmp_path):
    board = tmp_path / "board.toml"
    board.write_text('[[part]]\nkind = "bmp180"\nbus = "i2c-1"\n')
    path = program(
        """\
        from pyasync_hw import i2c
        from smbus2 import SMBus, i2c_msg
        with SMBus(1) as bus:
            print(bus.read_byte_data(0x77, 0xD0))
            for call in (
                lambda: bus.read_byte_data(0x76, 0xD0),
                lambda: bus.write_byte(0x76, 0),
                lambda: bus.i2c_rdwr(i2c_msg.write(0x75, [1, 2]), i2c_msg.read(0x75, 1)),
                lambda: bus.read_byte(0x20),  # whoever scans does this
                lambda: bus.write_quick(0x21),
                lambda: i2c.Device(1, 0x74).blocking.write(b"ab"),
            ):
                try:
                    print(call())
                except OSError as exc:
                    print(exc.errno)
            print(i2c.BlockingBus("i2c-1").scan())
        """
    )
    status, out, err = run("--board", board, path)
    assert (status, out.split()) == (0, ["85", *["121"] * 6, "[119]"])
    told = [line for line in err.splitlines() if "nothing is wired to" in line]
    assert len(told) == 3
    for line, address in zip(told, ("0x76", "0x75", "0x74"), strict=True):
        assert f"nothing is wired to {address} of i2c-1 of the simulated board" in line
        assert f'[[part]] with kind = "...", bus = 1, address = {address})' in line


def test_help_is_there():
    status, out, err = run("--help")
    assert (status, err) == (0, "") and "--shims LIST" in out
