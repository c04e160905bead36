"""The programs in examples/, as their README says to run them; examples/door: tests/compat."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "PYTHONUNBUFFERED": "1"}
ENVIRONMENT.pop("PYASYNC_HW", None)

ENDS = {
    # By polling; so a loaded machine measures what it likes.
    "doorbell/doorbell.py": r"(somebody is (near|far away)\n){2}",
    "level/level.py": r"(not )?level\n",
    "micropython/acknowledge.py": r"(go\nAda runs\nGrace runs\nMary runs\n){2}",
    "micropython/awaitable.py": (
        r"\(red on\)\n\(red off\)\nlong enough: True\n"
        r"\(green on\)\n\(green off\)\nlong enough: True\n"
    ),
    "micropython/pipeline.py": (
        r"baked 1\nbaked 2\nate 1\nbaked 3\nate 2\nbaked 4\nate 3\nbaked 5\nate 4\nate 5\n"
    ),
    "scheduling/coroutine.py": r"an egg, boiled for 5 minutes\n",
}
# What they print, in any order, before Ctrl+C ends them; a bare one is a traceback.
INTERRUPTED = {
    "micropython/buttons.py": (
        {"(green on)", "(green off)", "(red on)", "(yellow on)", "(blue on)"},
        -signal.SIGINT,
    ),
    "micropython/device.py": ({"the key was pressed"}, 0),
    "micropython/flash.py": ({"(red on)", "(green on)", "(yellow on)", "(blue on)"}, 0),
    "micropython/tilt.py": (
        {"lies still", "moved to x 21 y 0 z 0", "moved to x 0 y 0 z 21"},
        -signal.SIGINT,
    ),
}
SERVERS = {
    "servers/blocking.py": "closed\n",
    "servers/threads.py": "closed\n",
    "servers/callbacks.py": "closed\n",
    "servers/handshake.py": "closed with 1 clients\n",
    "servers/generators.py": "closed\n",
}
OTHERS = {"scheduling/round_robin.py", "scheduling/scheduler.py"}
MODULES = {"micropython/inputs.py", "micropython/lamps.py", "servers/loop.py"}
ELSEWHERE = {"door", "page"}  # tests/compat/test_door.py, tests/test_page.py


def again_and_again(scenario: Path) -> None:
    """Every 4 s: where a program polls, a machine that is busy misses some of it."""
    text = scenario.read_text()

    def later(seconds: int) -> str:
        return re.sub(r"at = (.*)", lambda match: f"at = {float(match[1]) + seconds}", text)

    scenario.write_text("".join(map(later, range(0, 100, 4))))


class Program:
    """An example, run in a copy of its folder by the command of its README."""

    def __init__(self, name: str, scratch: Path, *arguments: str) -> None:
        source = EXAMPLES / name
        self.folder = scratch / source.parent.name
        if not self.folder.exists():
            shutil.copytree(source.parent, self.folder)
            if source.parent.name == "micropython":
                again_and_again(self.folder / "scenario.toml")
        (command,) = re.findall(
            r"^    python (-m pyasync_hw run .*) \w+\.py$",
            (self.folder / "README.md").read_text(),
            re.MULTILINE,
        )
        self.errors = scratch / f"{source.parent.name}-{source.stem}.txt"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *shlex.split(command), source.name, *arguments],
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def line(self) -> str:
        """The next one that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, signum: int | None = None) -> tuple[int, str, str]:
        """Status, output not yet read and errors: after a signal, or when it ends by itself."""
        if signum is not None:
            self.process.send_signal(signum)
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        return self.process.wait(), out, self.errors.read_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Program]]:
    """Those that the tests ask for, all started at once: most of the time they wait."""
    items = [item for item in request.session.items if item.path == request.path]
    names = {item.callspec.params["name"] for item in items if hasattr(item, "callspec")}
    scratch = tmp_path_factory.mktemp("examples")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(Program(name, scratch, *["0"] * (name in SERVERS)))
            for name in sorted(names)
        }


def test_each_is_tested() -> None:
    found = {
        str(path.relative_to(EXAMPLES))
        for path in EXAMPLES.glob("*/*.py")
        if path.parent.name not in ELSEWHERE
    }
    assert found == {*ENDS, *INTERRUPTED, *SERVERS, *OTHERS, *MODULES}


@pytest.mark.parametrize(
    "name",
    ["doorbell/doorbell.py", "micropython/awaitable.py", "micropython/pipeline.py"],
)
def test_ctrl_c_ends_it_before_its_end(name: str, tmp_path: Path) -> None:
    with Program(name, tmp_path) as program:
        first = program.line()
        status, out, err = program.end(signal.SIGINT)
    if status == 0:  # it was quicker
        assert re.fullmatch(ENDS[name], first + out), out
    else:
        assert status == -signal.SIGINT
        assert err.endswith("\nKeyboardInterrupt\n")


@pytest.mark.parametrize("name", SERVERS)
def test_a_server(name: str, running: dict[str, Program]) -> None:
    program = running[name]
    port = int(program.line().removeprefix("listening on port "))

    def connect() -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port), timeout=60)
        if name in ("servers/handshake.py", "servers/generators.py"):
            client.sendall(b"hello\n")
            assert client.recv(100) == b"welcome\n"
        return client

    with connect() as first:
        for text in (b"one", b"two"):
            first.sendall(text)
            assert first.recv(100) == text
        if name == "servers/blocking.py":
            with connect() as second:  # it waits for the first one to leave
                second.sendall(b"three")
                first.shutdown(socket.SHUT_WR)
                assert first.recv(100) == b""
                assert second.recv(100) == b"three"
        else:
            with connect() as second:
                second.sendall(b"three")
                assert second.recv(100) == b"three"
                second.shutdown(socket.SHUT_WR)
                assert second.recv(100) == b""
        if name in ("servers/handshake.py", "servers/generators.py"):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as rude:
                rude.sendall(b"let me in\n")
                assert rude.recv(100) == b""
        assert program.end(signal.SIGINT) == (0, SERVERS[name], "")


@pytest.mark.parametrize("name", ["scheduling/scheduler.py"])
def test_a_scheduler_by_hand(name: str, running: dict[str, Program]) -> None:
    status, out, err = running[name].end()
    assert (status, err) == (0, "")
    lines = out.splitlines()
    # Whose turn it is first depends on how busy the machine is.
    assert sorted(lines[:5]) == ["is the tea ready?"] * 3 + ["look into the oven"] * 2
    assert lines[5:] == [
        "oven gave 2",
        "quotient gave 1.5",
        "tea gave 3",
        "impossible failed: division by zero",
    ]


def test_round_robin(tmp_path: Path) -> None:
    with Program("scheduling/round_robin.py", tmp_path) as program:  # alone: it never waits
        assert program.line() == "all had their turns\n"
        status, out, err = program.end(signal.SIGINT)
    assert (status, err) == (0, "")
    assert re.fullmatch(r"(all had their turns\n)*ended\n", out), out


# Last: until here they had time.
@pytest.mark.parametrize("name", INTERRUPTED)
def test_it_runs_until_it_is_interrupted(name: str, running: dict[str, Program]) -> None:
    program = running[name]
    expected, wanted_status = INTERRUPTED[name]
    lines: list[str] = []
    while not expected <= set(lines):
        lines.append(program.line().removesuffix("\n"))
        assert lines[-1], (lines, program.end())
    status, out, err = program.end(signal.SIGINT)
    lines += out.splitlines()
    assert status == wanted_status
    assert err == "" if status == 0 else err.endswith("\nKeyboardInterrupt\n")
    if name == "micropython/flash.py":
        last = {line.split()[0]: line.split()[1] for line in lines}
        assert last == {"(red": "off)", "(green": "off)", "(yellow": "off)", "(blue": "off)"}
    if name == "micropython/device.py":
        assert lines[-1] == "over"


@pytest.mark.parametrize("name", ENDS)
def test_it_runs_to_its_end(name: str, running: dict[str, Program]) -> None:
    program = running[name]
    status, out, err = program.end()
    assert (status, err) == (0, "")
    assert re.fullmatch(ENDS[name], out), out
    if name == "level/level.py":
        assert (program.folder / "display.png").read_bytes().startswith(b"\x89PNG")
