"""Asks the kernel `pyasync_hw` in a folder what test_notebook wants to know.

notebook_client.py PREFIX < {"notebook": [cell], "endless": {name: cell}} prints JSON:
{"notebook": [text], "endless": {name: [exception, text, what print(6 * 7) gives then]}}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jupyter_client
import nbclient
import nbformat


def start_kernel(prefix: Path) -> Any:
    specs = jupyter_client.kernelspec.KernelSpecManager(
        kernel_dirs=[str(prefix / "share" / "jupyter" / "kernels")]
    )
    manager = jupyter_client.KernelManager(
        kernel_name="pyasync_hw",
        kernel_spec_manager=specs,
        transport="ipc",
        connection_file=str(prefix / "kernel"),
    )
    manager.start_kernel(cwd=str(prefix))
    return manager


def run_notebook(manager: Any, sources: list[str]) -> list[str]:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, km=manager, timeout=60).execute()
    return [text(cell.outputs) for cell in notebook.cells]


def text(outputs: list[Any]) -> str:
    parts = [one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs]
    return "".join(parts)


def interrupt(manager: Any, cell: str) -> tuple[str, str, tuple[str, str]]:
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        error, said = execute(client, manager, cell)
        return error, said, execute(client, manager, "print(6 * 7)")
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


def main() -> None:
    asked = json.load(sys.stdin)
    manager = start_kernel(Path(sys.argv[1]))
    try:
        notebook = run_notebook(manager, asked["notebook"])
        endless = {name: interrupt(manager, cell) for name, cell in asked["endless"].items()}
    finally:
        manager.shutdown_kernel()
    print(json.dumps({"notebook": notebook, "endless": endless}))


if __name__ == "__main__":
    main()
