"""Builds the C unit tests (with sanitizers) and runs each program as one test."""

import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
PROGRAMS = sorted(path.stem for path in HERE.glob("test_*.c"))
TIMEOUT_S = 120

pytestmark = [
    pytest.mark.timeout(900),  # the first one builds all
    pytest.mark.skipif(
        shutil.which("make") is None or shutil.which(os.environ.get("CC", "cc")) is None,
        reason="needs make and a C compiler (Debian: apt install make gcc)",
    ),
]


def make(build: pathlib.Path) -> list[str]:
    # To optimize takes longer than it saves; `make check` does.
    return ["make", "-s", "-C", str(HERE), f"BUILD={build}", "CFLAGS=-O0 -g1"]


@pytest.fixture(scope="session")
def build_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where the programs are; set PYASYNC_HW_CTEST_BUILD to keep it between runs."""
    kept = os.environ.get("PYASYNC_HW_CTEST_BUILD")
    build = pathlib.Path(kept) if kept else tmp_path_factory.mktemp("ctests")
    # -k: one program that does not compile must not hide the others.
    subprocess.run(
        [*make(build), "-k", "-j2", "all"],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    return build


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, build_dir: pathlib.Path) -> None:
    made = subprocess.run(
        [*make(build_dir), str(build_dir / name)],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert made.returncode == 0, f"{name} does not build:\n{made.stdout}{made.stderr}"
    run = subprocess.run(
        [str(build_dir / name)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, f"{name} exit {run.returncode}:\n{run.stdout}{run.stderr}"
