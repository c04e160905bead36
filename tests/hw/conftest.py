"""Loops for tests of devices; and real devices without any: the kernel is fake_kernel.c."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from recorder import ROOT

import pyasync_hw
from pyasync_hw import sim

LOOPS = ["virtual", "native", "asyncio"] + ["uvloop"] * (find_spec("uvloop") is not None)


@pytest.fixture(scope="session")
def run_on_uvloop() -> Callable[[Awaitable[Any]], Any] | None:
    if "uvloop" not in LOOPS:
        return None
    uvloop = importlib.import_module("uvloop")
    uvloop.new_event_loop().close()  # the first one leaves a pipe
    run: Callable[[Awaitable[Any]], Any] = uvloop.run
    return run


@pytest.fixture(params=LOOPS)
def run(
    request: pytest.FixtureRequest, run_on_uvloop: Any, hw_board: sim.Board
) -> Callable[[Awaitable[Any]], Any]:
    """Run a coroutine on our loop (in virtual or real time), asyncio's, or uvloop if there is."""
    if request.param == "virtual":
        return lambda main: pyasync_hw.run(main, clock=hw_board.clock)
    if request.param == "native":
        return pyasync_hw.run
    return asyncio.run if request.param == "asyncio" else run_on_uvloop  # type: ignore[no-any-return]


def _on_kernel(source: str, folder: Path) -> Callable[[str], str]:
    """Run a program on it, with a file's name as argument: what it prints."""
    library = folder / "fake_kernel.so"
    command = ["gcc", "-shared", "-fPIC", "-Wall", "-D_GNU_SOURCE", f"-I{ROOT / 'csrc'}"]
    path = str(Path(__file__).with_name(source))
    subprocess.run([*command, path, "-o", str(library), "-ldl", "-pthread"], check=True)
    preload = " ".join(filter(None, (os.environ.get("LD_PRELOAD"), str(library))))

    def run(program: str) -> str:
        process = subprocess.run(
            [sys.executable, "-Werror::ResourceWarning", "-c", program, __file__],
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": preload},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.returncode == 0
        return process.stdout

    return run


@pytest.fixture(scope="session")
def on_fake_kernel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Run a program on fake_kernel.c."""
    return _on_kernel("fake_kernel.c", tmp_path_factory.mktemp("kernel"))


@pytest.fixture(scope="session")
def on_fake_buses(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Run a program on fake_buses.c."""
    return _on_kernel("fake_buses.c", tmp_path_factory.mktemp("buses"))
