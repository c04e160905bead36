"""examples/door, unchanged, on the simulator: what it does, and how it ends."""

import asyncio
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pyasync_hw
from pyasync_hw.cli.demo import door_folder
from pyasync_hw.hardware.wiring import load_board
from pyasync_hw.sim.scenario import load_scenario

DOOR = door_folder()
# AddressSanitizer makes everything slow, the end of the process above all.
EXIT_SECONDS = 3.0 if os.environ.get("PYASYNC_HW_SANITIZE") else 0.3
WITH_CARD = """
[[event]]
at = 0
reader = "door"
present = { kind = "mifare-classic-1k", uid = "a61d227e" }
"""


class Process:
    """The door application, by `run`; used as a context manager it is not left behind."""

    def __init__(self, folder, *options, arguments=()):
        self.report = folder / "report.json"
        self.report.unlink(missing_ok=True)
        command = ["run", "--hw=sim", "--board", DOOR / "board.toml", *options]
        command += [DOOR / "door.py", *arguments]
        source = os.path.dirname(os.path.dirname(pyasync_hw.__file__))
        self.child = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("exit_report.py"), self.report, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": source},
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.child.kill()
        self.child.communicate()

    def wait_for_line(self, pattern):
        """The next line of its output that matches, and those before."""
        lines = []
        for line in self.child.stdout:
            lines.append(line)
            if re.search(pattern, line):
                return lines
        raise AssertionError(f"{pattern!r} did not come: {lines} {self.child.stderr.read()}")

    def end(self, signum):
        """Send a signal: seconds until the process was gone, status, stderr."""
        began = time.monotonic()
        self.child.send_signal(signum)
        self.child.wait(timeout=20)
        seconds = time.monotonic() - began
        return seconds, self.child.returncode, self.child.stderr.read()

    def left(self):
        return json.loads(self.report.read_text())


@pytest.fixture(scope="module")
def card_present(tmp_path_factory):
    path = tmp_path_factory.mktemp("door") / "scenario.toml"
    path.write_text(WITH_CARD)
    return path


@pytest.mark.timeout(300)
@pytest.mark.parametrize("card", ["no card", "card"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_nothing_is_left(
    tmp_path, card_present, card, signum, thorough
):
    options = ["--scenario", card_present] if card == "card" else []
    took = []
    for _ in range(20 if thorough else 3):
        began = time.monotonic()
        with Process(tmp_path, *options) as door:
            door.wait_for_line("ready")
            started = time.monotonic() - began
            if card == "card":
                door.wait_for_line("a61d227e is Ada: open")
            seconds, status, err = door.end(signum)
            assert (status, err, door.left()) == (0, "", {})
            took.append((seconds, started))
    # On a busy machine the end takes longer, too, but less than the start.
    assert any(end < max(EXIT_SECONDS, start) for end, start in took), took


def until_no_card_was_missed(run):
    """On a busy machine a card may be gone before it is seen: then once more."""
    for _ in range(5):
        lines = run()
        if any("is unknown" in line for line in lines) and any("Ada" in line for line in lines):
            break
    return lines


@pytest.mark.timeout(300)
def test_cards_open_run_commands_and_are_refused(tmp_path):
    def run():
        with Process(tmp_path, "--scenario", DOOR / "scenario.toml") as door:
            lines = door.wait_for_line("command ended with status 0")
            _, status, err = door.end(signal.SIGTERM)
            lines += door.child.stdout.readlines()
        assert (status, err, door.left()) == (0, "", {})
        return lines

    assert until_no_card_was_missed(run) == [
        "door: ready, show a card\n",
        "door: card a61d227e is Ada: open 0.3\n",
        "door: locked again\n",
        "door: card 0badcafe is unknown: refused\n",
        'door: card c3a4f107 is Grace: shell echo "hello from a shell command"\n',
        "hello from a shell command\n",
        "door: command ended with status 0\n",
        "door: SIGTERM: shutting down\n",
        "door: closed\n",
    ]


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
def test_sigint_during_start_up_ends_it(tmp_path, delay):
    again = False
    with Process(tmp_path) as door:
        # Not to synchronise: each delay meets another stage of the start.
        with selectors.DefaultSelector() as selector:
            selector.register(door.child.stdout, selectors.EVENT_READ)
            selector.select(delay)
        for _ in range(5):
            try:
                _, status, err = door.end(signal.SIGINT)
                break
            except subprocess.TimeoutExpired:
                again = True
    assert status in (0, 1, -signal.SIGINT, 130)
    # CPython itself loses one that comes while the import system runs a weak
    # reference's callback, or asks what sys.path holds; and says so.
    assert not again or "KeyboardInterrupt" in err


def test_a_wrong_tag_file_is_a_message_and_status_1(tmp_path):
    tags = tmp_path / "tags.txt"
    tags.write_text("a61d227e Ada opne\n")
    with Process(tmp_path, arguments=[tags]) as door:
        assert door.child.wait(timeout=30) == 1
        assert door.child.stderr.read().startswith(f"{tags}:1: expected uid, name and command")


@pytest.mark.timeout(600)
def test_demo():
    source = os.path.dirname(os.path.dirname(pyasync_hw.__file__))

    def run():
        done = subprocess.run(
            [sys.executable, "-m", "pyasync_hw", "demo"],
            capture_output=True,
            text=True,
            timeout=100,
            env={**os.environ, "PYTHONPATH": source},
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    shown = "\n".join(until_no_card_was_missed(run))
    for line in (
        "a61d227e is Ada",
        "0badcafe is unknown: refused",
        "hello from a shell command",
        "SIGTERM",
        "closed",
    ):
        assert line in shown


def test_its_files_fit_together():
    wiring = load_board(DOOR / "board.toml")
    assert load_scenario(DOOR / "scenario.toml", wiring).events


def test_it_imports_nothing_of_ours():
    text = (DOOR / "door.py").read_text()
    imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    assert imported <= {"RPi", "pirc522", *sys.stdlib_module_names}
    assert asyncio.__name__ in imported
