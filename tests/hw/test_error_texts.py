"""Texts of the C library and the kernel come in any encoding; an error is told all the same."""

import os
import shutil
import subprocess
import sys

import pytest

# As a locale with translated messages in Latin-1.
STRERROR = r"""
char *strerror(int number) { (void)number; return "Datei existiert nicht, \xfcberhaupt"; }
"""

PROGRAM = r"""
import os, sys
from pyasync_hw import _core
for path in b"/dev/none", b"/dev/g\xfcnter":
    for call in lambda: _core.chip_info(path), lambda: _core.open_spidev(path, "mode0", 0, 0):
        try:
            call()
        except FileNotFoundError as exc:
            assert exc.filename == os.fsdecode(path), exc.filename
            assert exc.strerror.startswith("Datei existiert nicht, "), exc.strerror
            str(exc), repr(exc)
        except (TypeError, ValueError):
            raise
        else:
            sys.exit("no error")
print("told")
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1 by the C locale"])
def test_a_message_in_latin_1(tmp_path, encoding):
    source, library = tmp_path / "strerror.c", tmp_path / "strerror.so"
    source.write_text(STRERROR)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    utf8 = encoding == "utf-8"
    preload = [*os.environ.get("LD_PRELOAD", "").split(), str(library)]  # a sanitizer comes first
    done = subprocess.run(
        [sys.executable, "-X", f"utf8={int(utf8)}", "-c", PROGRAM],
        env={
            **os.environ,
            "LD_PRELOAD": " ".join(preload),
            "LC_ALL": "C",
            "PYTHONCOERCECLOCALE": "0",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr
