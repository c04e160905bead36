"""A skip that nobody expects is a failure, where that is asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import skips

TESTS = """
import pytest

def test_expected():
    pytest.skip("as usual")

@pytest.mark.parametrize("what", ["a"])
def test_known_by_its_name(what):
    pytest.skip("as usual")

@pytest.mark.skipif(True, reason="no make here")
def test_marked():
    pass

def test_other():
    pytest.importorskip("no_such_module_anywhere")

@pytest.mark.xfail
def test_that_fails():
    assert 0
"""


def run(folder: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", *options, "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == ("--strict-skips" in options), done.stdout + done.stderr
    return done.stdout


def test_unexpected_skips_fail(tmp_path: Path) -> None:
    for name in ("browser.py", "conftest.py", "semaphores.py", "skips.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    expected = "always  test_it.py::test_expected\nalways  *::test_known_*  # so\n<3.11  *\n"
    (tmp_path / "expected_skips.txt").write_text(f"# a comment\n\n{expected}")
    assert "4 skipped, 1 xfailed" in run(tmp_path)
    strict = run(tmp_path, "--strict-skips")
    assert "1 failed, 2 skipped, 1 xfailed, 1 error" in strict
    assert "no make here" in strict
    assert "no_such_module_anywhere" in strict


def test_a_file_that_is_left_out_fails(tmp_path: Path) -> None:
    for name in ("browser.py", "conftest.py", "semaphores.py", "skips.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    skip = "import pytest\npytest.importorskip('no_such_module_anywhere')\n"
    for name in ("test_it.py", "test_known.py"):
        (tmp_path / name).write_text(skip)
    (tmp_path / "expected_skips.txt").write_text("always  test_known.py\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-skips", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode not in (0, 5), done.stdout + done.stderr
    assert "ERROR test_it.py" in done.stdout
    assert "ERROR test_known.py" not in done.stdout


@pytest.mark.parametrize("line", skips.LIST.read_text().splitlines())
def test_the_list_names_what_there_is(line: str) -> None:
    words = line.partition("#")[0].split()
    if words:
        condition, pattern = words
        assert skips.holds(condition) in (True, False)
        path, _, test = pattern.partition("::")
        assert test in ("", "*") or f"def {test}(" in (skips.LIST.parents[1] / path).read_text()
