"""The examples in gpiozero's own documentation, as it is installed, under `run`.

They are read from the docstrings, of which its site is made, and run unmodified on a
simulated board, all at once; what is seen on the lines, and what they print, is checked.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from running import ENVIRONMENT

gpiozero = pytest.importorskip("gpiozero")

PATIENCE_S = 60
POT = '[[part]]\nkind = "mcp3008"\nspi = "spi0.0"\nvolts = [1.65]\n'
SONAR = '[[part]]\nkind = "hc-sr04"\ntrigger = 17\necho = 18\ndistance = 0.5\n'
LIGHT = '[[part]]\nkind = "light-sensor"\npin = 18\n'


def example(cls: type, number: int) -> str:
    """The code block of that number in the docstring of a class."""
    blocks = re.findall(r"::\n\n((?:    .*\n|\n)+)", inspect.cleandoc(cls.__doc__ or "") + "\n")
    code = [block for block in map(textwrap.dedent, blocks) if block.startswith("from ")]
    return code[number]


def driven(line: int, *levels: int) -> str:
    """What a scenario says: a line at these levels, one after the other."""
    event = '[[event]]\nat = {}\nline = "GPIO{}"\ndrive = {}\n'
    return "".join(event.format(0.3 + 0.2 * n, line, level) for n, level in enumerate(levels))


class Seen:
    """What a Scope has written down so far."""

    def __init__(self, text: str) -> None:
        self.edges: dict[int, list[tuple[float, int]]] = {}
        for row in text.splitlines():
            when, line, level = row.split()
            self.edges.setdefault(int(line), []).append((float(when), int(level)))

    def __repr__(self) -> str:
        return str({line: edges[-6:] for line, edges in self.edges.items() if len(edges) > 1})

    def levels(self, line: int) -> list[int]:
        return [level for _, level in self.edges[line]]

    def duties(self, line: int) -> set[int]:
        """Of whole periods, in percent."""
        edges = self.edges[line][1:]  # it was at that level before
        waves = zip(edges, edges[1:], edges[2:], strict=False)
        return {
            round(100 * (fell - rose) / (next_rose - rose))
            for (rose, level), (fell, _), (next_rose, _) in waves
            if level == 1
        }


@dataclass
class Example:
    """What runs beside it, and what is to be seen at last."""

    cls: str
    shown: Callable[[Seen], bool] = lambda seen: True
    prints: str = ""  # a pattern
    number: int = 0
    parts: str = ""
    events: str = ""
    ends: bool = True  # by itself; else Ctrl+C ends it
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.cls}-{self.number}"


EXAMPLES = [
    Example("AnalogInputDevice", prints=r"0\.5\d+\n", parts=POT),  # a MCP3008
    Example("Button", prints="The button was pressed!\n", events=driven(4, 0)),
    Example("ButtonBoard", lambda s: s.levels(2)[-2:] == [0, 1], events=driven(6, 0), ends=False),
    Example("Buzzer", lambda s: s.levels(3)[-2:] == [0, 1]),
    Example("DistanceSensor", prints=r"(?s)Distance: +(49\.|50\.).*\n", parts=SONAR, ends=False),
    Example("LED", lambda s: s.levels(17) == [0, 1]),
    Example(
        "LEDBarGraph",
        lambda s: s.levels(2)[-3:] == [0, 1, 0] and s.levels(6)[-3:] == [0, 1, 0],
    ),
    Example(
        "LEDBarGraph",  # with PWM, by a potentiometer: two LEDs and a half of the five
        lambda s: s.duties(4) == {50} and s.levels(3)[-1] == 1 and s.levels(6)[-1] == 0,
        number=1,
        parts=POT,
        ends=False,
    ),
    Example("LEDBoard", lambda s: all(s.levels(line)[-2:] == [0, 1] for line in range(2, 7))),
    Example("LightSensor", prints="Light detected!\n", parts=LIGHT),
    Example(
        "LineSensor",
        prints="(?s).*Line detected.*No line",
        events=driven(4, 0, 1, 0, 1),
        ends=False,
    ),
    Example("MotionSensor", prints="Motion detected!\n", events=driven(4, 1)),
    Example("Motor", lambda s: s.levels(17)[:2] == [0, 1] and s.levels(18) == [0]),
    Example("PumpkinPi"),  # ends within a pulse
    Example("RGBLED", lambda s: 1 in s.levels(2)[1:] and 1 in s.levels(3)[1:]),
    Example("RGBLED", lambda s: 1 in s.levels(2)[1:] and 1 in s.levels(3)[1:], number=1),
    Example("Servo", lambda s: {5, 8} <= s.duties(17), ends=False),  # 1 ms of 20, and 1.5
    Example("Servo", lambda s: 1 in s.levels(17), number=1),
    Example("SnowPi"),  # ends with a pulse and a blink behind it
    Example("TrafficLights", lambda s: s.levels(3)[-2:] == [0, 1] and s.levels(2)[-1] == 0),
]


class Program:
    """An example that runs."""

    def __init__(self, example_: Example, folder: Path) -> None:
        folder.mkdir()
        self._seen = folder / "seen"
        self._printed = folder / "printed"
        used = {"AnalogInputDevice": (17,), "LightSensor": (17,), "DistanceSensor": (22,)}
        lines = used.get(example_.cls, tuple(range(2, 28)))
        if example_.parts == POT:
            lines = tuple(line for line in lines if line not in range(7, 12))
        text = f'[[part]]\nkind = "test-scope"\nlines = {list(lines)}\n'
        (folder / "board.toml").write_text(f'model = "pi-4"\n{text}{example_.parts}')
        (folder / "scenario.toml").write_text(example_.events)
        (folder / "app.py").write_text(example(getattr(gpiozero, example_.cls), example_.number))
        command = ["-m", "pyasync_hw", "run", "--hw", "sim", "--board", "board.toml"]
        with self._printed.open("w") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-u", *command, "--scenario", "scenario.toml", "app.py"],
                cwd=folder,
                env=environment(folder.parent, self._seen),
                stdout=printed,
                stderr=subprocess.PIPE,
                text=True,
            )

    @property
    def seen(self) -> Seen:
        whole, _, _ = self._seen.read_text().rpartition("\n")
        return Seen(whole)

    @property
    def printed(self) -> str:
        return self._printed.read_text()


def environment(folder: Path, seen: Path) -> dict[str, str]:
    """With the Scope as an installed kind of part, and no pin factory chosen."""
    path = os.pathsep.join([str(folder), str(Path(__file__).parent), ENVIRONMENT["PYTHONPATH"]])
    chosen = {**ENVIRONMENT, "PYTHONPATH": path, "SCOPE": str(seen)}
    chosen.pop("GPIOZERO_PIN_FACTORY", None)
    return chosen


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Program]]:
    """All of them, at the same time."""
    folder = tmp_path_factory.mktemp("examples")
    info = folder / "scope-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scope\nVersion: 1\n")
    points = "[pyasync_hw.sim.parts]\ntest-scope = gpiozero_scope:Scope\n"
    (info / "entry_points.txt").write_text(points)
    with contextlib.ExitStack() as stack:
        running = {}
        for one in EXAMPLES:
            running[one.name] = Program(one, folder / one.name)
            stack.enter_context(running[one.name].process)
            stack.callback(running[one.name].process.kill)
        yield running


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: one.name)
def test_an_example_of_the_documentation(programs: dict[str, Program], one: Example) -> None:
    program = programs[one.name]
    if one.ends:
        assert program.process.wait(PATIENCE_S) == 0, program.process.communicate()[1]
        assert one.shown(program.seen)
        assert re.match(one.prints, program.printed)
    else:
        end = time.monotonic() + PATIENCE_S
        while not (one.shown(program.seen) and re.match(one.prints, program.printed)):
            assert program.process.poll() is None, program.process.communicate()[1]
            assert time.monotonic() < end, program.seen
            time.sleep(0.01)
        program.process.send_signal(signal.SIGINT)
    _, errors = program.process.communicate(timeout=PATIENCE_S)
    if not one.ends:
        assert program.process.returncode == -signal.SIGINT
        assert "\nKeyboardInterrupt\n" in errors
    assert errors.count("Traceback") == (not one.ends), errors
    if one.ends and "Sensor" not in one.cls:  # some say that they measure better elsewhere
        assert errors == ""
