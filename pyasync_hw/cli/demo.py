"""`python -m pyasync_hw demo`: the door opener of examples/door on a simulated board."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from ..loop.runners import run

# A program that hangs, or a machine that crawls, must not keep the demo for ever.
TIMEOUT_S = 60.0

LAST_LINE = b"command ended with status"  # what its scenario comes to


def door_folder() -> Path:
    """Where door.py and its files are: in the installed package, or in the source tree."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "demo", package.parent / "examples" / "door"):
        if (folder / "door.py").is_file():
            return folder
    raise FileNotFoundError(f"door.py is neither in {package}/demo nor in examples/door")


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb `demo`."""
    parser = verbs.add_parser(
        "demo", help="watch a door opener read cards on the simulator", description=__doc__
    )
    parser.set_defaults(main=main)


async def _echo(stream: asyncio.StreamReader, through: asyncio.Event) -> None:
    while line := await stream.readline():
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        if LAST_LINE in line:
            through.set()


async def _watch_door() -> int:
    """Start the door, let the cards come, end it by SIGTERM; its exit status."""
    folder = door_folder()
    command = ["run", "--hw", "sim"]
    command += ["--board", str(folder / "board.toml")]
    command += ["--scenario", str(folder / "scenario.toml"), str(folder / "door.py")]
    print("$ python -m pyasync_hw", *command, flush=True)
    door = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pyasync_hw", *command, stdout=asyncio.subprocess.PIPE
    )
    assert door.stdout is not None
    through = asyncio.Event()
    output = asyncio.create_task(_echo(door.stdout, through))
    cards = asyncio.create_task(through.wait())
    ended = asyncio.create_task(door.wait())
    try:
        await asyncio.wait([cards, ended], timeout=TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        cards.cancel()
        if not ended.done():
            print("$ kill -TERM", door.pid, flush=True)
            door.send_signal(signal.SIGTERM)
        await asyncio.wait_for(ended, TIMEOUT_S)
        await output
    finally:
        if door.returncode is None:
            door.kill()
            await door.wait()
    return 0 if door.returncode == 0 and through.is_set() else 1


def main(options: argparse.Namespace) -> int:
    """Exit status 0 if all cards were seen, and the door ended with status 0 after SIGTERM."""
    status = run(_watch_door())
    print(f"door.py ended with status {status}")
    return status
