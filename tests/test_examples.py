"""The programs in examples/, as their README says to run them; examples/door: tests/compat."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
ROOT = str(EXAMPLES.parent)

PRINTS = {
    # By polling; so a loaded machine measures what it likes.
    "doorbell": r"(somebody is (near|far away)\n){2}",
    "level": r"(not )?level\n",
}


def test_each_has_a_test() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {*PRINTS, "door"}


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder)
    monkeypatch.setenv("PYTHONPATH", ROOT)
    (command,) = re.findall(r"^    python (.*)$", (folder / "README.md").read_text(), re.MULTILINE)
    done = subprocess.run(
        [sys.executable, *shlex.split(command)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(PRINTS[name], done.stdout), done.stdout
    if name == "level":
        assert (folder / "display.png").read_bytes().startswith(b"\x89PNG")
