"""`run --trace`: what a program did, as the program itself knows it, and what blocked it."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import ENVIRONMENT, run

from pyasync_hw.cli.trace_report import SILENT_REQUEST_MESSAGES

Program = Callable[..., str]


def reports(err: str) -> list[str]:
    """The reports in what a program has said on stderr."""
    return ["pyasync_hw: " + text for text in err.split("pyasync_hw: ") if "\n  loops " in text]


def report(err: str) -> str:
    (only,) = reports(err)
    return only


def traced(folder: Path, *args: str, **options: Any) -> tuple[dict[str, Any], str]:
    """(what --trace=FILE has written, stderr) of a program that ends well."""
    file = folder / "trace.json"
    status, _, err = run(f"--trace={file}", *args, **options)
    assert status == 0, err
    return json.loads(file.read_text()), err


def test_what_blocks_a_web_server_is_named_by_the_program_s_line(
    program: Program, tmp_path: Path
) -> None:
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "sensor.py").write_text("import time\ndef read():\n    time.sleep(0.2)\n")
    path = program(
        """\
        import asyncio, sys
        sys.path.append(sys.argv[1])
        import sensor

        async def serve(reader, writer):
            await reader.readline()
            sensor.read()  # the line
            writer.write(b"21 degrees")
            writer.close()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            for _ in range(2):
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"GET /\\n")
                print(await reader.read())
                writer.close()
            server.close()

        asyncio.run(main())
        raise SystemExit("no more")
        """
    )
    status, out, err = run("--trace", path, str(library))
    assert (status, out) == (1, "b'21 degrees'\n" * 2)
    live, rest = err.split("no more\n")  # said while it ran, and at its end
    for text in (live, report(rest)):
        assert f"{path}:7 in serve: sensor.read()  # the line\n" in text
        assert f"  there in {library}/sensor.py:3 in read: time.sleep(0.2)\n" in text
    assert live.count("sensor.read()") == 1
    assert "2 times, " in rest


def test_who_awaits_a_slow_measurement_blocks_nobody(program: Program, tmp_path: Path) -> None:
    path = program(
        """\
        import asyncio

        async def main():
            bob_has_his_page = asyncio.Event()

            async def serve(reader, writer):
                name = await reader.readline()
                if name == b"alice\\n":
                    asked.set()
                    await bob_has_his_page.wait()  # a measurement
                writer.write(name)
                writer.close()

            async def get(name):
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(name + b"\\n")
                assert await reader.read() == name + b"\\n"
                writer.close()

            asked = asyncio.Event()
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            alice = asyncio.create_task(get(b"alice"))
            await asked.wait()
            await get(b"bob")
            assert not alice.done()
            bob_has_his_page.set()
            await alice

        asyncio.run(main())
        """
    )
    result, _ = traced(tmp_path, path)
    assert result["loops"] == 1
    assert not any("measurement" in str(one["line"]) for one in result["blocked"])


def test_the_counts_are_those_of_the_program(program: Program, tmp_path: Path) -> None:
    board = tmp_path / "board.toml"
    board.write_text(
        '[[rc522]]\nbus = "spi0.0"\nirq = "GPIO24"\nreset = "GPIO25"\n'
        '[[part]]\nkind = "bmp180"\nname = "air"\nbus = "i2c-1"\n'
    )
    path = program(
        """\
        import asyncio, threading
        import RPi.GPIO as GPIO, smbus, spidev
        from pirc522 import RFID

        spi = spidev.SpiDev(0, 1)
        for _ in range(5):
            spi.xfer2([1, 2, 3])
        bus = smbus.SMBus(1)
        for _ in range(3):
            bus.read_byte_data(0x77, 0xD0)
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.IN)
        for _ in range(4):
            GPIO.input(17)
        reader = RFID(pin_mode=None, pin_rst=25, pin_irq=None)
        assert reader.request() == reader.request() == (True, None)

        both = threading.Barrier(3)
        loop = asyncio.new_event_loop()
        threads = [threading.Thread(target=both.wait) for _ in range(2)]
        threads.append(threading.Thread(target=loop.run_forever))  # the program's, all the same
        loop.call_soon(loop.stop)
        for thread in threads:
            thread.start()
        both.wait()
        for thread in threads:
            thread.join()
        loop.close()

        async def main():
            all_run = threading.Barrier(3)
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(loop.run_in_executor(None, all_run.wait) for _ in range(3)))
            await asyncio.sleep(0.001)

        asyncio.run(main())
        asyncio.run(main())
        """
    )
    result, err = traced(tmp_path, "--board", str(board), path)
    uses, threads = result["uses"], result["threads"]
    assert result["loops"] == 3
    assert result["timers_fired"] == 2
    assert result["callbacks"] >= result["iterations"] >= 8
    assert (threads["program"], threads["most"]) == (3, 3)
    assert threads["executor"] == uses["executor_threads"] == 6
    assert uses["executor_jobs"] == 6
    assert uses["executor_threads_most"] == 3
    assert result["estimates"]["asyncio_executor_threads"] == 6
    assert uses["spi_messages"] == 5 + uses["tag_messages"]
    assert 2 <= uses["tag_messages"] < SILENT_REQUEST_MESSAGES
    assert uses["spi_bytes"] > 15
    assert uses["i2c_messages"] == 3
    assert uses["line_reads"] >= 4
    assert (uses["tag_requests"], uses["tag_silences"], uses["tag_polls"]) == (2, 2, 0)
    assert result["estimates"]["polling_rc522_spi_messages"] == 2 * SILENT_REQUEST_MESSAGES
    assert result["cpu_seconds"] > 0
    assert result["seconds"] > 0
    table = report(err)
    for part in ("2 requests", "2 unanswered", "6 executor jobs", "3 threads of the program"):
        assert part in table


@pytest.mark.skipif(importlib.util.find_spec("pirc522") is None, reason="no pi-rc522 installed")
def test_what_a_request_costs_with_pi_rc522_itself(program: Program, tmp_path: Path) -> None:
    path = program(
        """\
        from pirc522 import RFID
        from pyasync_hw import _core
        reader = RFID()
        before = _core._uses()["spi_messages"]
        reader.request()
        print(_core._uses()["spi_messages"] - before)
        """
    )
    environment = {**ENVIRONMENT, "PYTHONWARNINGS": "ignore"}
    status, out, err = run("--shims=RPi.GPIO,spidev", path, env=environment)
    assert (status, out) == (0, f"{SILENT_REQUEST_MESSAGES}\n"), err


def interrupted(path: str, sig: signal.Signals, **environment: str) -> str:
    """What a program says on stderr when it gets the signal after its first line."""
    with subprocess.Popen(
        [sys.executable, "-m", "pyasync_hw", "run", "--hw=sim", "--trace", path],
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(sig)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -sig
    return err


STUCK = """\
import asyncio, time

def stuck():
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        pass
    print("up", flush=True)
    while True:  # a signal just before a sleep does not end it
        time.sleep(0.01)

loop = asyncio.get_event_loop()
loop.call_soon(stuck)
loop.run_forever()
"""


def test_ctrl_c_in_what_blocks_for_ever_names_it(program: Program) -> None:
    err = interrupted(program(STUCK), signal.SIGINT, PYTHONASYNCIODEBUG="1")
    assert "1 time, " in report(err)
    assert err.count("KeyboardInterrupt\n") == 1
    # asyncio's debug mode says the same, in its own words.
    assert err.count("Executing <Handle stuck() ") == err.count("Blocked at ") == 1


def test_who_is_killed_reports_nothing(program: Program) -> None:
    assert interrupted(program(STUCK), signal.SIGTERM) == ""


def test_a_program_without_a_loop_and_its_forked_child(program: Program) -> None:
    path = program(
        """\
        import os, sys
        import RPi.GPIO as GPIO
        pid = os.fork()
        if pid == 0:
            sys.exit(0)
        os.waitpid(pid, 0)
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.IN)
        GPIO.add_event_detect(17, GPIO.RISING, callback=print)
        1 / 0
        """
    )
    status, _, err = run("--trace", path)
    assert status == 1
    traceback, table = err.split("ZeroDivisionError: division by zero\n")
    assert "loops    none of this package's ran" in report(table)
    assert "Traceback" in traceback


def test_a_loop_whose_turns_are_patched_is_not_said_to_have_blocked_nobody(
    program: Program, tmp_path: Path
) -> None:
    path = program(
        """\
        import asyncio
        original = asyncio.BaseEventLoop._run_once
        asyncio.BaseEventLoop._run_once = lambda loop: original(loop)
        asyncio.run(asyncio.sleep(0))
        """
    )
    result, err = traced(tmp_path, path)
    assert (result["loops"], result["loops_patched"]) == (0, 1)
    assert "neither counted nor watched: 1 " in report(err)
    assert "blocked " not in report(err)


def test_what_follows_trace_is_the_program(tmp_path: Path) -> None:
    status, out, err = run("--trace", "-c", "import sys; print(sys.argv)", "--trace")
    assert (status, out) == (0, "['-c', '--trace']\n")
    assert "pyasync_hw: -c ran " in report(err)
    status, _, err = run("--trace=/dev/null/x", "-c", "")
    assert status == 0
    assert "--trace=/dev/null/x: " in err
    assert run("--trace", "-c", "import sys; sys.stderr.close()") == (0, "", "")
