"""Notebooks: cells of a Jupyter kernel run on our loop, and Ctrl+C ends what they wait for."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running import ENVIRONMENT

from pyasync_hw.cli import main

for _name in ("ipykernel", "nbclient"):
    if importlib.util.find_spec(_name) is None:
        pytest.skip(f"{_name} is not installed", allow_module_level=True)
if os.environ.get("PYASYNC_HW_SANITIZE"):
    pytest.skip("another project's C++ is not for our sanitizers", allow_module_level=True)

# What each cell is, and what it prints or its value is.
NOTEBOOK = [
    (
        "import asyncio\nprint(type(asyncio.get_running_loop()))",
        "<class 'pyasync_hw.loop.EventLoop'>\n",
    ),
    ("from pyasync_hw import gpio, rc522, sim\nboard = sim.Board()", ""),
    # A button, and a card.
    ("button = gpio.Button('GPIO17', board=board)", ""),
    (
        "asyncio.get_running_loop().call_soon(board.line(17).drive, 0)\n"
        "event = await button.wait_for_press()\nevent.event_type",
        "'rising'",
    ),
    (
        "board.attach_rc522().present(sim.MifareClassic1K(uid='a61d227e'))\n"
        "async with rc522.Reader(board=board) as reader:\n"
        "    print((await reader.wait_for_tag()).uid.hex())",
        "a61d227e\n",
    ),
    # What one cell begins goes on while others run.
    ("queue = asyncio.Queue()\nten = asyncio.create_task(queue.get())", ""),
    ("queue.put_nowait(10)\nawait ten", "10"),
    # A scheduler by hand, of generators.
    ("def two():\n    yield 1\n    yield 2\nlist(two())", "[1, 2]"),
]

# Cells that never end; each says "ready" first.
ENDLESS = {
    "awaits": "print('ready')\nawait asyncio.Event().wait()",
    "awaits a tag": (
        "async with rc522.Reader() as reader:\n    print('ready')\n    await reader.wait_for_tag()"
    ),
    "blocks in C": (
        "with rc522.Reader() as reader:\n"
        "    reader.blocking.open()\n"
        "    print('ready')\n"
        "    reader.blocking.wait_for_tag()"
    ),
    "computes": "print('ready')\nwhile True: pass",
    # As on a page of 2023, whose loop runs already here.
    "runs its loop for ever": (
        "import nest_asyncio\n"
        "nest_asyncio.apply()\n"
        "async def say(text):\n"
        "    while True:\n"
        "        print(text)\n"
        "        await asyncio.sleep(0.01)\n"
        "scheduler = asyncio.get_event_loop()\n"
        "tasks = [scheduler.create_task(say(text)) for text in ('three', 'ready')]\n"
        "scheduler.run_forever()"
    ),
}


CLIENT = Path(__file__).with_name("notebook_client.py")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a kernel that `pyasync-hw kernel` has described says to all of these cells.

    Asked in another process: zmq leaves threads and descriptors in whoever asks.
    """
    prefix = tmp_path_factory.mktemp("jupyter")
    assert main(["kernel", "--hw", "sim", "--prefix", str(prefix)]) == 0
    endless = dict(ENDLESS)
    if importlib.util.find_spec("nest_asyncio") is None:
        del endless["runs its loop for ever"]
    asked = {"notebook": [source for source, _ in NOTEBOOK], "endless": endless}
    done = subprocess.run(
        [sys.executable, str(CLIENT), str(prefix)],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "IPYTHONDIR": str(prefix)},
        timeout=600,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_notebook(answers: Any) -> None:
    assert answers["notebook"] == [text for _, text in NOTEBOOK]


@pytest.mark.parametrize("what", ENDLESS)
def test_interrupt_ends_a_cell_that(answers: Any, what: str) -> None:
    if "nest_asyncio" in ENDLESS[what]:
        pytest.importorskip("nest_asyncio", reason="nest_asyncio is not installed")
    error, said, then = answers["endless"][what]
    assert error in ("KeyboardInterrupt", "CancelledError")
    assert "ready" in said
    assert then == ["", "42\n"]  # it lives on


def test_a_kernel_of_a_board_that_is_wrong_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board.toml"
    board.write_text('modell = "pi-4"\n')
    assert main(["kernel", "--board", str(board), "--prefix", str(tmp_path)]) == 2
    assert "modell" in capsys.readouterr().err
    assert not (tmp_path / "share").exists()
