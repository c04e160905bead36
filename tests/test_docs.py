"""What the README and docs/ show works as it stands there, for who pastes it."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

# A page in docs/migrating has programs of before and after: `run` runs both, and what is in
# run.md, with what this puts on the simulated board (--board) and lets happen (--scenario).
PRESS = '[[event]]\nline = "GPIO17"\nat = {}\ndrive = {}\n'
MIGRATING = {
    "from-pirc522-and-mfrc522.md": {
        "scenario": "[[event]]\nat = 0\n"
        'present = { kind = "mifare-classic-1k", uid = "a61d227e" }\n',
    },
    "from-rpi-gpio-and-gpiozero.md": {
        # Many: a machine that is busy sees some too late.
        "scenario": "".join(PRESS.format(i / 4, 1 - i % 2) for i in range(1, 200)),
    },
    "from-micropython.md": {
        "board": '[[part]]\nkind = "bmp180"\n',
        "scenario": "".join(PRESS.format(i / 4, 1 - i % 2) for i in range(1, 200)),
    },
}

# Lines that stand for a place in the reader's own program: what is around them there.
PROLOGUES = {
    "asyncio.run(main(), loop_factory=": (
        "import asyncio, pyasync_hw\n"
        "async def main(): print(type(asyncio.get_running_loop()).__module__)\n"
    )
}

# By the first line of a block, or what its prologue stands for: what it prints.
PRINTS = {
    "# A lamp": r"pressed\nheld\n0\n",
    "# The light on a landing": r"True True 55\.0\n",
    "# Before: RPi.GPIO": r"lamp 1\nlamp 0\n",
    "# After: awaited": r"lamp 1\nlamp 0\n",
    "# Before: gpiozero": r"held, lamp 1\n",
    "# After: on the loop": r"held, lamp 1\n",
    "# Before: pirc522": r"tag a61d227e\n",
    "# Before: mfrc522": r"tag a61d227e\n",
    "# After: a tag": r"tag a61d227e\n",
    "# Before: a block by pirc522": r"block b'Bob {13}'\n",
    "# Before: a block by mfrc522": r"text 'Bob'\n",
    "# After: a block": r"block b'Bob {13}'\n",
    "# Before: MicroPython": r"lamp 1\nlamp 0\nlamp 1\n",
    "# After: by its edges": r"lamp 1\nlamp 0\nlamp 1\n",
    "# Before: a driver that waits": r"raw True\n",
    "# After: a driver that lets": r"raw True\n",
    "# A sensor of a MicroPython": r"155 -21 4\n",
    "# First of all": r"hello on pyasync_hw\.loop\n",
    "# Before: generators and a loop": r"\['air', 'soil'\]\n",
    "# After: async and await": r"\['air', 'soil'\]\n",
    "# Before: a timeout does not": r"given up; the thread waits on\n",
    "# After: it does": r"given up, and the thread is free\n",
    "# Measured": r"1000 tasks: [\d.e-]+ s\n10000 tasks: [\d.e-]+ s\n",
    "# Two switches": r"27 falling \[1, 0, 1\]\nswitches\n",
    "# A servo": r"\(50\.0, 0\.075\)\n\(50\.0, 0\.1\) 0\.0\n0\n",
    "from pyasync_hw import rc522, run, sim": r"tag a61d227e\n",
    "asyncio.run(main(), loop_factory=": r"(pyasync_hw\.loop\n)+",
    "import asyncio\nfrom pyasync_hw import VirtualClock, gpio": r"\[True, False\]\n",
    "from pyasync_hw import VirtualClock, sim": r"0\n1\n",
    "import asyncio": r"given up, and the thread is free again\n",
    "import uasyncio": r"6\n",
    "import time": r"(?s)Executing <Task .*main\(\).* took 0\.\d+ seconds\n.*",
    "from concurrent.futures import CancelledError": (
        r"\{'queued': 0, 'threads': 1, 'idle': [01]\}\ncancelled\n"
    ),
    "# A relay": r"falling 1005 ms\nthe tank is full 0\n",
    "# A converter": r"\[1\.65, 0\.825\]\n000200 000100\n",
    "# An accelerometer": r"0\.5 0\.0 1\.0\n\['0x53'\]\n",
    "# Everything": r"0003ff\nb'U'\nfalling\nCancelledError\n",
    "# On asyncio's own": r"falling\nb'U'\n_UnixSelectorEventLoop\n",
    "# A thermometer": r"-7\.5\n",
    "# What goes wrong": (
        r"ValueError - .*GPIO27.*\nOSError - .*door.*\nFileNotFoundError - .*i2c-7.*\n"
        r"ValueError - .*0x50.*\n.*unplugged.*\n"
    ),
}


NAMED = r"(?<![\w.])(executor|gpio|hardware|i2c|insight|rc522|sim|spi)\.(\w+)"


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def of_python(program: str) -> str:
    """Without what this Python has not got, as the text beside it says."""
    lines = program.splitlines()
    if sys.version_info < (3, 12):
        lines = [line for line in lines if "loop_factory=" not in line]
    if sys.version_info >= (3, 16):
        lines = [line for line in lines if "Policy(" not in line]
    return "\n".join(lines)


def run(program: str, *options: str) -> str:
    python = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning"]
    done = subprocess.run(
        [*python, *options, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def under_run(page: Path, scratch: Path) -> list[str]:
    options = ["-m", "pyasync_hw", "run", "--hw", "sim"]
    for option, text in MIGRATING.get(page.name, {}).items():
        file = scratch / f"{option}.toml"
        file.write_text(text)
        options += [f"--{option}", str(file)]
    return options


@pytest.mark.parametrize(
    ("page", "program"),
    [
        pytest.param(page, program, id=f"{page.name} {number}")
        for page in PAGES
        if page.name != "testing.md"  # tests: tests/testing runs them
        for number, program in enumerate(blocks(page), 1)
    ],
)
def test_a_python_block_runs(page: Path, program: str, tmp_path: Path) -> None:
    start = program.splitlines()[0]
    prologue = next((text for head, text in PROLOGUES.items() if start.startswith(head)), "")
    prints = next(text for head, text in PRINTS.items() if program.startswith(head))
    if prologue:
        program = program.replace("EventLoopPolicy())", "EventLoopPolicy()); asyncio.run(main())")
    unchanged = page.parent.name == "migrating" or page.name == "run.md"
    options = under_run(page, tmp_path) if unchanged else []
    output = run(prologue + of_python(program), *options)
    assert re.fullmatch(prints, output), output


def test_what_is_named_exists() -> None:
    for page in PAGES:
        for code in re.findall(r"`([^`\n]+)`", page.read_text()):
            for module, name in re.findall(NAMED, code):
                if name not in ("md", "py", "c", "h"):
                    assert hasattr(importlib.import_module(f"pyasync_hw.{module}"), name), code


def anchors(page: Path) -> set[str]:
    """Those of its headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_lead_somewhere() -> None:
    for page in [*PAGES, *ROOT.glob("examples/**/README.md"), ROOT / "CHANGELOG.md"]:
        prose = re.sub(r"`[^`\n]*`", "", page.read_text())
        for link in re.findall(r"\]\(([^)\s]+)\)", prose):
            if "://" in link:
                continue
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), (page.name, link)
            assert not anchor or anchor in anchors(target), (page.name, link)


def test_the_readme_has_two_commands_of_one_line_each() -> None:
    prose = re.sub(r"^```.*?^```$", "", PAGES[0].read_text(), flags=re.MULTILINE | re.DOTALL)
    commands = re.findall(r"^    (\S.*)$", prose, re.MULTILINE)
    assert [command.split("&&")[-1].strip() for command in commands] == [
        ".venv/bin/python -m pyasync_hw demo",
        ".venv/bin/python -m pytest",
    ]


def test_the_readmes_program_is_short() -> None:
    assert len(blocks(PAGES[0])[0].splitlines()) <= 10
