"""The real pi-rc522 and mfrc522 of PyPI, unmodified, on our RPi.GPIO, spidev and chip.

They set the chip up register by register right after its reset, ask for a card as soon
as the field is on, and poll: all that needs messages that last as long as on a board.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CARD = """
[[event]]
at = 0
reader = "rc522"
present = { kind = "mifare-classic-1k", uid = "a61d227e" }
"""
pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("pirc522", "mfrc522"))),
    reason="no pi-rc522 or mfrc522 installed",
)

ENVIRONMENT = {**os.environ, "PYTHONWARNINGS": "ignore"}  # their `~` of a bool


@pytest.fixture(params=["idle", "busy"])
def machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """As it is, or beside a process for each CPU that never rests."""
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(2 if request.param == "busy" else 0)]
    yield
    for other in others:
        other.kill()
        other.wait()


def run(folder: Path, program: str) -> str:
    """What a program prints that `pyasync-hw run` runs where one card is always there."""
    (folder / "program.py").write_text(program)
    (folder / "card.toml").write_text(CARD)
    command = ["run", "--hw", "sim", "--shims=RPi.GPIO,spidev", "--scenario", "card.toml"]
    done = subprocess.run(
        [sys.executable, "-m", "pyasync_hw", *command, "program.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pi_rc522_reads_a_card_again_and_again(machine: None, tmp_path: Path) -> None:
    program = """\
import pirc522
assert "pyasync_hw/compat" not in pirc522.__file__
for _ in range(5):
    reader = pirc522.RFID()
    uid = None
    while uid is None:
        reader.wait_for_tag()
        error, _ = reader.request()
        if not error:
            error, found = reader.anticoll()
            uid = None if error else found
    assert not reader.select_tag(uid)
    assert not reader.card_auth(reader.auth_a, 8, [255] * 6, uid)
    print(uid, reader.read(8) == (False, [0] * 16))
    reader.stop_crypto()
    reader.cleanup()
"""
    assert run(tmp_path, program) == "[166, 29, 34, 126, 231] True\n" * 5


def test_mfrc522_reads_and_writes_a_card_again_and_again(machine: None, tmp_path: Path) -> None:
    program = """\
import RPi.GPIO as GPIO
import mfrc522
for number in range(3):
    reader = mfrc522.SimpleMFRC522()
    reader.write(f"card {number}")
    uid, text = reader.read()
    print(f"{uid:x}", text.strip())
    reader.READER.Close_MFRC522()
"""
    read = [f"a61d227ee7 card {number}\n" for number in range(3)]
    assert run(tmp_path, program) == "".join(read)
