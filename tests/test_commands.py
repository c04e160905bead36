"""The commands that CONTRIBUTING.md and the other documents show work as they are written."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = ".venv/bin/python"


def commands() -> list[tuple[str, list[str]]]:
    """(document, words) of each call of Python or of our script that a document shows."""
    found = []
    for document in DOCUMENTS:
        text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
        shown = re.findall(r"`([^`\n]+)`|^    (\S.*)$", text, flags=re.MULTILINE)
        for one in re.split(r"\s*&&\s*", " && ".join("".join(pair) for pair in shown)):
            program = one.partition(" ")[0]
            if program in (PYTHON, "python", "pyasync-hw", ".venv/bin/pyasync-hw"):
                found.append((document.name, shlex.split(one, comments=True)))
    return found


MODULES = sorted(
    {(document, words[words.index("-m") + 1]) for document, words in commands() if "-m" in words}
)


@pytest.mark.parametrize(("document", "module"), MODULES)
def test_modules_that_are_run_are_there(document: str, module: str) -> None:
    own = (ROOT / module.replace(".", "/") / "__main__.py").exists()
    others = {"asyncio", "mypy.stubtest", "pytest", "venv"}
    assert own or module in others, f"{document} runs python -m {module}"


def options(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["benchmarks", "pytest", "tests.conformance", "tests.soak"])
def test_options_that_are_shown_are_known(module: str) -> None:
    known = options(module)
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = [line for line in text.splitlines() if f"-m {module}" in line]
    assert rows
    for option in re.findall(r"(?<=[ `])--[a-z-]+", " ".join(rows)):
        assert option in known, option


def test_sanitized_takes_a_relative_path_from_anywhere(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "tests").mkdir(parents=True)
    (tree / "module.so").touch()
    shutil.copy(ROOT / "tests" / "sanitized", tree / "tests")
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nunset LD_PRELOAD\necho "$0 $*" "$(ls)"\n')
    python.chmod(0o755)
    for cwd, path in ((tree, PYTHON), (tmp_path, f"tree/{PYTHON}"), (tmp_path, str(python))):
        done = subprocess.run(
            [tree / "tests" / "sanitized", path, "-k", "some"],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        build, test = done.stdout.splitlines()
        assert build.endswith(f"{PYTHON} setup.py -q build_ext --inplace tests")
        assert test.endswith(f"{PYTHON} -m pytest -q -p no:cacheprovider -k some tests")
