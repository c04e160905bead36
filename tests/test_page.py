"""examples/page, as its README says to run it: its page in a browser, and for two at a time."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest
from browser import Browser, find_chromium

EXAMPLE = Path(__file__).parents[1] / "examples" / "page"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(EXAMPLE.parents[1]),
    "PYTHONUNBUFFERED": "1",
}
# In the place of the LED: one that says what it does.
LED = """
from pyasync_hw import sim

class Seen(sim.LED):
    def on_level(self, line, level, time):
        super().on_level(line, level, time)
        print("led", "on" if self.lit else "off", flush=True)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def copy_page(scratch: Path, warm_up: float, blink_duration: float) -> Path:
    folder = scratch / "page"
    shutil.copytree(EXAMPLE, folder)
    settings = f"WARM_UP = {warm_up}\nBLINK_DURATION = {blink_duration}\n"
    (folder / "settings.py").write_text(settings)
    (folder / "seen.py").write_text(LED)
    board = folder / "board.toml"
    board.write_text(board.read_text().replace('"led"', '"seen:Seen"', 1))
    return folder


class Station:
    """The weather station in a process, by the README's command and more options; for `with`."""

    def __init__(self, folder: Path, *options: str) -> None:
        readme = (folder / "README.md").read_text()
        (command,) = re.findall(r"^    python -m pyasync_hw run (.*)$", readme, re.MULTILINE)
        self.port = free_port()
        given = command.replace("80:8080", f"80:{self.port}").split()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.errors = folder / "errors.txt"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pyasync_hw", "run", *options, *given],
                cwd=folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def until(self, line: str) -> None:
        """It prints this line, now or after others."""
        assert self.process.stdout is not None
        while (printed := self.process.stdout.readline()) != f"{line}\n":
            assert printed, self.errors.read_text()

    def ask(self, path: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: station\r\n\r\n".encode())
        return client

    def end(self) -> str:
        """Ctrl+C: it says so.  What `run` has told besides where it is served."""
        self.process.send_signal(signal.SIGINT)
        self.until("closing")
        assert self.process.wait() == 0
        served, _, rest = self.errors.read_text().partition("\n")
        assert served == f"pyasync_hw: port 80 of the program is served on {self.port}"
        return rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def answer(client: socket.socket) -> str:
    with client, client.makefile() as file:
        return file.read()


def test_bob_has_the_page_while_alice_measures(tmp_path: Path) -> None:
    """In whatever time: her measurement does not end at all."""
    with Station(copy_page(tmp_path, warm_up=3600, blink_duration=3600)) as station:
        station.until("serving")
        with station.ask("/?measure=on") as alice:
            station.until("led on")
            bob = answer(station.ask("/"))
            assert bob.startswith("HTTP/1.1 200 OK\n")
            assert bob.endswith("</html>\n")
            assert "LED <strong>on</strong>" in bob
            assert "not measured yet" in bob  # the air, of which she waits for the sensor
            alice.setblocking(False)
            with pytest.raises(BlockingIOError):
                alice.recv(1)
            assert station.end() == ""


def test_the_line_of_a_sensor_that_blocks_is_told(tmp_path: Path) -> None:
    folder = copy_page(tmp_path, warm_up=0.3, blink_duration=0)
    sensor = folder / "airquality.py"
    text = sensor.read_text().replace("await uasyncio.sleep", "time.sleep")
    sensor.write_text(text.replace("import uasyncio", "import time"))
    with Station(folder, "--trace") as station:
        station.until("serving")
        assert "Clean air <strong>82 %</strong>" in answer(station.ask("/?measure=on"))
        told = station.end()
        assert re.search(r"blocked .* by airquality\.py:\d+ in measure: time\.sleep", told)


@pytest.mark.skipif(find_chromium() is None, reason="needs a browser: apt install chromium")
def test_in_a_browser(tmp_path: Path) -> None:
    with Station(copy_page(tmp_path, warm_up=0.1, blink_duration=2)) as station:
        station.until("serving")
        with Browser(find_chromium() or "", tmp_path / "profile") as browser:
            browser.open(station.url)
            assert browser.text() == (
                "Weather station MEASURE Blinker LED off Barometer not measured yet "
                "Air quality not measured yet"
            )
            measured = False
            while not measured:  # a machine that is busy may be late: it is off again
                browser.follow(".measure")
                measured = "LED on" in browser.text()
            station.until("led on")
            for value in ("Temperature 21.5 °C", "Pressure 1013 hPa", "Clean air 82 %"):
                assert value in browser.text()
            browser.wait_for_text("LED off")  # by itself
            station.until("led off")
            assert "Clean air 82 %" in browser.text()
        assert station.end() == ""
