"""examples/doorbell: a program for RPi.GPIO, among parts of the simulator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RUN = [sys.executable, "-m", "pyasync_hw", "run", "--hw", "sim"]
DOORBELL = Path(__file__).parents[2] / "examples" / "doorbell"


def test_the_example_runs() -> None:
    done = subprocess.run(
        [*RUN, "--board", "board.toml", "--scenario", "scenario.toml", "doorbell.py"],
        cwd=DOORBELL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # By polling; so a loaded machine measures what it likes.
    assert re.fullmatch(r"(somebody is (near|far away)\n){2}", done.stdout), done.stdout
