"""Builds the one extension module; everything else is in pyproject.toml.

Switches, by environment (all off by default; CFLAGS is honoured, too):

    PYASYNC_HW_DEBUG=1        -O0 -g3, C asserts on
    PYASYNC_HW_SANITIZE=1     AddressSanitizer and UndefinedBehaviorSanitizer
    PYASYNC_HW_COVERAGE=1     gcov instrumentation
    PYASYNC_HW_WERROR=1       warnings are errors (CI)
"""

import glob
import os
import shutil

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

DEMO_FOLDER = os.path.join("examples", "door")


class BuildPyWithDemo(build_py):
    """Ships examples/door as pyasync_hw/demo, so that `python -m pyasync_hw demo` finds it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # the source tree has it
            target = os.path.join(self.build_lib, "pyasync_hw", "demo")
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(DEMO_FOLDER, target, ignore=ignore, dirs_exist_ok=True)


def switched_on(name: str) -> bool:
    return os.environ.get(f"PYASYNC_HW_{name}", "") not in ("", "0")


compile_args = ["-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wshadow", "-Wvla"]
link_args: list[str] = []
undef: list[str] = []
if switched_on("DEBUG"):
    compile_args += ["-O0", "-g3"]
    undef.append("NDEBUG")
if switched_on("SANITIZE"):
    compile_args += ["-O1", "-g", "-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
    compile_args += ["-fno-sanitize-recover=undefined"]
    link_args.append("-fsanitize=address,undefined")
    undef.append("NDEBUG")
if switched_on("COVERAGE"):
    compile_args.append("--coverage")
    link_args.append("--coverage")
if switched_on("WERROR"):
    compile_args.append("-Werror")

# Debian's Python asks for debug information, five times the size of the module.
wants_symbols = any(switched_on(name) for name in ("DEBUG", "SANITIZE", "COVERAGE"))
if not wants_symbols and "-g" not in os.environ.get("CFLAGS", "").split():
    compile_args.append("-g0")

setup(
    cmdclass={"build_py": BuildPyWithDemo},
    ext_modules=[
        Extension(
            "pyasync_hw._core",
            sources=sorted(glob.glob("csrc/**/*.c", recursive=True)),
            depends=["setup.py", *sorted(glob.glob("csrc/**/*.h", recursive=True))],
            include_dirs=["csrc"],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
            libraries=["pthread"],
            define_macros=[("_GNU_SOURCE", "1")],
            undef_macros=undef,
        )
    ],
)
