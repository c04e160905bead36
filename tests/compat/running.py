"""Programs under `run`, beside what python itself does with them: the oracle."""

import os
import subprocess
import sys

import pyasync_hw

# A program may run in another folder than this one.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(pyasync_hw.__file__))}
ENVIRONMENT.pop("PYASYNC_HW", None)


def _result(command, options):
    options = {"env": ENVIRONMENT, **options}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    return done.returncode, done.stdout, done.stderr


def run(*args, **options):
    """(status, stdout, stderr) of `python -m pyasync_hw run --hw sim ARGS`."""
    return _result([sys.executable, "-m", "pyasync_hw", "run", "--hw", "sim", *args], options)


def as_python_does(*args, **options):
    """(status, stdout, stderr) of `python ARGS`."""
    return _result([sys.executable, *args], options)
