"""The benchmark driver runs and reports; how fast is not for a test to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_case_gives_a_ratio(tmp_path: Path) -> None:
    samples, tables = tmp_path / "samples.json", tmp_path / "tables.md"
    command = [sys.executable, "-m", "benchmarks", "--rounds", "2", "--scale", "0.01"]
    command += ["--loops", "asyncio", "--json", str(samples), "--markdown", str(tables)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=100, stdout=subprocess.DEVNULL)
    measured = json.loads(samples.read_text())["samples"]
    assert len(measured) >= 7
    for rounds in measured.values():
        assert [len(sample) for sample in rounds["asyncio"]] == [2, 2]
        assert all(number > 0 for sample in rounds["asyncio"] for number in sample)
    assert tables.read_text().count("| call_soon, burst") == 2
