"""pytest with the plugin, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_pytest(
    folder: Path, tests: str, *options: str, keep: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """`tests` as a file there; `keep`: environment variables that choose the hardware."""
    (folder / "conftest.py").write_text('pytest_plugins = ["pyasync_hw.testing.plugin"]\n')
    (folder / "test_it.py").write_text(tests)
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", ".", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"}
    if "PYASYNC_HW" not in keep:
        environment.pop("PYASYNC_HW", None)
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
