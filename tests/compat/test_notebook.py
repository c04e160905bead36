"""Notebooks: cells of a Jupyter kernel run on our loop, and Ctrl+C ends what they wait for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import ENVIRONMENT

from pyasync_hw.cli import main

pytest.importorskip("ipykernel", reason="ipykernel is not installed")
nbclient: Any = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat: Any = pytest.importorskip("nbformat", reason="nbclient is not installed")
jupyter_client: Any = pytest.importorskip("jupyter_client", reason="nbclient is not installed")
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


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A kernel that `pyasync-hw kernel` has described."""
    prefix = tmp_path_factory.mktemp("jupyter")
    assert main(["kernel", "--hw", "sim", "--prefix", str(prefix)]) == 0
    specs = jupyter_client.kernelspec.KernelSpecManager(
        kernel_dirs=[str(prefix / "share" / "jupyter" / "kernels")]
    )
    manager = jupyter_client.KernelManager(
        kernel_name="pyasync_hw",
        kernel_spec_manager=specs,
        transport="ipc",
        connection_file=str(prefix / "kernel"),
    )
    manager.start_kernel(env={**ENVIRONMENT, "IPYTHONDIR": str(prefix)}, cwd=str(prefix))
    yield manager
    manager.shutdown_kernel()


def texts(outputs: list[Any]) -> str:
    parts = [one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs]
    return "".join(parts)


def test_a_notebook(manager: Any) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source, _ in NOTEBOOK]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, km=manager, timeout=60).execute()
    assert [texts(cell.outputs) for cell in notebook.cells] == [text for _, text in NOTEBOOK]


@pytest.mark.parametrize("what", ENDLESS)
def test_interrupt_ends_a_cell_that(manager: Any, what: str) -> None:
    if "nest_asyncio" in ENDLESS[what]:
        pytest.importorskip("nest_asyncio", reason="nest_asyncio is not installed")
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        error, said = execute(client, manager, ENDLESS[what])
        assert error in ("KeyboardInterrupt", "CancelledError")
        assert "ready" in said
        assert execute(client, manager, "print(6 * 7)") == ("", "42\n")  # it lives on
    finally:
        client.stop_channels()


def execute(client: Any, manager: Any, cell: str) -> tuple[str, str]:
    """(name of the exception, what it printed); interrupted when it says that it is ready."""
    said = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            ready = "ready" in "".join(said)
            said.append(message["content"]["text"])
            if not ready and "ready" in said[-1]:
                manager.interrupt_kernel()

    reply = client.execute_interactive(cell, timeout=60, output_hook=hear)
    return reply["content"].get("ename", ""), "".join(said)


def test_a_kernel_of_a_board_that_is_wrong_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board.toml"
    board.write_text('modell = "pi-4"\n')
    assert main(["kernel", "--board", str(board), "--prefix", str(tmp_path)]) == 2
    assert "modell" in capsys.readouterr().err
    assert not (tmp_path / "share").exists()
