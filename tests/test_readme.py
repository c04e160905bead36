"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_there_are_two_commands_of_one_line_each() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    commands = re.findall(r"^    (\S.*)$", prose, re.MULTILINE)
    assert [command.split("&&")[-1].strip() for command in commands] == [
        ".venv/bin/python -m pyasync_hw demo",
        ".venv/bin/python -m pytest",
    ]


def test_the_program_waits_for_a_tag() -> None:
    program = blocks()[0]
    assert len(program.splitlines()) <= 10
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert (result.stderr, result.stdout) == ("", "tag a61d227e\n")


def test_each_way_to_swap_the_loop_works() -> None:
    by_factory, by_policy = blocks()[1].splitlines()
    assert "loop_factory=" in by_factory
    prologue = (
        "import asyncio, pyasync_hw\n"
        "async def main(): print(type(asyncio.get_running_loop()).__module__)\n"
    )
    lines = []
    if sys.version_info >= (3, 12):
        lines.append(by_factory)
    if sys.version_info < (3, 16):
        lines.append(by_policy + "; asyncio.run(main())")
    for line in lines:
        result = subprocess.run(
            [sys.executable, "-c", prologue + line],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("pyasync_hw"), line
