"""What is shipped: the sdist is whole, and the module keeps to itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
from pathlib import Path

import pytest

import pyasync_hw
from pyasync_hw import _core

ROOT = Path(__file__).parents[1]

# Read-only in practice: CPython's tables are not declared const.  Everything else
# that can be written to would be shared by all interpreters of the process.
TABLES = re.compile(
    r".*_(methods|slots|spec|getset|members|doc)(\.\d+)?"
    r"|(kwlist|keywords)(\.\d+)?"
    r"|ah_module_def"
)
TOOLCHAIN = re.compile(r"_DYNAMIC|_GLOBAL_OFFSET_TABLE_|__.*|completed\.\d+|DW\.ref\..*")


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


def symbols(*options: str) -> list[tuple[str, str, str]]:
    """(name, kind, section) of each defined symbol of the extension module, by nm."""
    if shutil.which("nm") is None:
        pytest.skip("no nm here (Debian: binutils)")
    table = run("nm", "--defined-only", "--format=sysv", *options, _core.__file__, cwd=ROOT)
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    return [(row[0], row[2], row[6]) for row in rows if len(row) == 7 and row[0] != "Name"]


INSTRUMENTED = any(os.environ.get(f"PYASYNC_HW_{name}") for name in ("SANITIZE", "COVERAGE"))
not_instrumented = pytest.mark.skipif(
    INSTRUMENTED, reason="the instrumentation brings symbols of its own"
)


@not_instrumented
def test_only_the_init_function_is_exported() -> None:
    exported = {name for name, kind, _ in symbols("--dynamic") if kind.isupper() and kind != "W"}
    assert exported == {"PyInit__core"}


@not_instrumented
def test_no_mutable_globals() -> None:
    # .data.rel.ro is not among these: the loader makes it read-only
    writable = {name for name, _, section in symbols() if section in (".data", ".bss", "*COM*")}
    assert "core_methods" in writable  # nm sees our symbols: the module is not stripped
    assert not {n for n in writable if not TABLES.fullmatch(n) and not TOOLCHAIN.fullmatch(n)}


def test_built_for_this_python_not_for_the_limited_api() -> None:
    assert f"cpython-3{sys.version_info.minor}" in Path(_core.__file__).name


@pytest.mark.skipif(INSTRUMENTED, reason="slow: pip and gcc under sanitizers")
@pytest.mark.timeout(300)
def test_sdist_builds_and_installs_offline(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", reason="the build needs setuptools in this environment")
    if not (ROOT / "setup.py").exists():
        pytest.skip("not run from a source tree")
    # a copy: building must not write into the tree
    tree = tmp_path / "tree"
    ignore = shutil.ignore_patterns(".*", "build", "*.so", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, tree, ignore=ignore)
    run(sys.executable, "setup.py", "-q", "sdist", "--dist-dir", tmp_path, cwd=tree)
    (archive,) = tmp_path.glob("pyasync_hw-*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    folders = ("benchmarks", "csrc", "docs", "examples", "pyasync_hw", "tests")
    files = {path for folder in folders for path in (tree / folder).rglob("*") if path.is_file()}
    assert {str(path.relative_to(tree)) for path in files} - names == set()
    assert {"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "pyasync_hw/py.typed"} <= names

    # setuptools comes from the environment that runs this test; nothing is fetched
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = os.pathsep.join(sorted({str(Path(m.__file__).parents[1]) for m in build_packages()}))
    # -O0: in seconds, also on a small machine
    env = {**os.environ, "PYTHONPATH": site, "CFLAGS": "-O0", "PYASYNC_HW_DEBUG": ""}
    run(
        *(python, "-m", "pip", "install", "-q", "--no-index", "--no-build-isolation", archive),
        cwd=tmp_path,
        env=env,
    )
    program = "import pyasync_hw; print(pyasync_hw.__version__, pyasync_hw.__file__)"
    version, place = run(python, "-I", "-c", program, cwd=tmp_path).split()
    assert version == pyasync_hw.__version__
    assert Path(place).is_relative_to(tmp_path / "venv")
    (module,) = Path(place).parent.glob("_core.*.so")
    assert b".debug_info" not in module.read_bytes()
    script = tmp_path / "venv" / "bin" / "pyasync-hw"
    assert run(script, "--version", cwd=tmp_path) == f"pyasync_hw {version}\n"
    (tmp_path / "app.py").write_text("import sys\nprint(__name__, sys.argv, sys.path[0])\n")
    answer = run(script, "run", "--hw", "sim", "app.py", "--version", cwd=tmp_path)
    assert answer == f"__main__ ['app.py', '--version'] {tmp_path}\n"
    program = (
        "from importlib.metadata import metadata; known = metadata('pyasync_hw')\n"
        "print(known['License-Expression'], known.get_all('License-File'))\n"
    )
    assert run(python, "-I", "-c", program, cwd=tmp_path) == "MIT ['LICENSE']\n"


def test_a_star_import_gives_every_public_name() -> None:
    program = (
        "from pyasync_hw import *\n"
        "print(*(module.__name__ for module in (executor, gpio, insight, rc522, sim, spi, tags)))\n"
        "print(run.__module__, sim.Board.__name__, tags.MifareClassic.__name__)\n"
    )
    modules, names = run(sys.executable, "-W", "error", "-c", program, cwd=ROOT).splitlines()
    assert modules.split() == [
        f"pyasync_hw.{name}"
        for name in ("executor", "gpio", "insight", "rc522", "sim", "spi", "tags")
    ]
    assert names == "pyasync_hw Board MifareClassic"


def test_versions_that_are_claimed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: 3."
    claimed = [line for line in project["classifiers"] if line.startswith(prefix)]
    assert claimed == [f"{prefix}{minor}" for minor in range(11, 16)]
    assert project["requires-python"] == ">=3.11"
    assert f"{sys.version_info.minor}" in [line.removeprefix(prefix) for line in claimed]


def build_packages() -> list[object]:
    import setuptools

    found: list[object] = [setuptools]
    try:
        import wheel
    except ModuleNotFoundError:  # setuptools has it built in since 70.1
        pass
    else:
        found.append(wheel)
    return found
