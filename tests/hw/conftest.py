"""Real devices without any: the kernel is fake_kernel.c."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from recorder import ROOT


@pytest.fixture(scope="session")
def on_fake_kernel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Run a program on it, with a file's name as argument: what it prints."""
    library = tmp_path_factory.mktemp("kernel") / "fake_kernel.so"
    source = Path(__file__).with_name("fake_kernel.c")
    command = ["gcc", "-shared", "-fPIC", "-Wall", "-D_GNU_SOURCE", f"-I{ROOT / 'csrc'}"]
    subprocess.run([*command, str(source), "-o", str(library), "-ldl", "-pthread"], check=True)
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
