"""[[part]] of a board.toml, and what a scenario.toml does to parts."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest

from pyasync_hw import hardware, sim
from pyasync_hw.cli import machine
from pyasync_hw.hardware import ConfigError, load_board
from pyasync_hw.sim.parts import kinds as part_kinds
from pyasync_hw.sim.scenario import load_scenario

RUN = [sys.executable, "-m", "pyasync_hw", "run", "--hw", "sim"]
BOARD = """\
    model = "pi-zero-w"
    [[part]]
    kind = "button"
    name = "bell"
    pin = "GPIO17"
    bounce = 0.002

    [[part]]
    kind = "led"
    pin = 27

    [[part]]
    kind = "key-matrix"
    rows = [5, 6]
    columns = ["GPIO13", "BOARD35"]
    keys = "1234"

    [[part]]
    kind = "mcp3008"
    spi = "spi0.1"
    volts = [0.5]
"""


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write_file(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write_file


def test_a_file_has_parts(write) -> None:  # type: ignore[no-untyped-def]
    wiring = load_board(write("board.toml", BOARD))
    assert [(part.kind, part.name) for part in wiring.parts] == [
        ("button", "bell"),
        ("led", "led2"),
        ("key-matrix", "key-matrix3"),
        ("mcp3008", "mcp30084"),
    ]
    with sim.wired_board(wiring) as board:
        bell, led, pad, adc = board.parts
        assert isinstance(bell, sim.Button)
        assert (bell.bounce, bell.lines["pin"].name) == (0.002, "GPIO17")
        assert isinstance(led, sim.LED)
        assert isinstance(pad, sim.KeyMatrix)
        assert [line.offset for line in pad.lines.values()] == [5, 6, 13, 19]
        assert isinstance(adc, sim.MCP3008)
        assert adc.volts[0] == 0.5


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('\n[[part]]\nkind = "buton"', "3: part[0].kind: 'buton' is not known; allowed: "),
        ('[[part]]\nkind = "led"\npin = "GPIO99"', "3: part[0].pin: 'GPIO99' is not on the header"),
        ('[[part]]\nkind = "led"\npin = 4\nname = ""', "4: part[0].name: must not be empty"),
        ('[[part]]\nkind = "led"', "1: part[0]: the key 'pin' is missing"),
        ('[[part]]\nkind = "led"\npni = 3', "3: part[0].pni: unknown key (did you mean 'pin'?)"),
        ('[[part]]\nkind = "button"\npin = 3\nbounce = 2', "1: part[0]: bounce must be 0 to 1"),
        ('[[part]]\nkind = "button"\npin = 3\nbounce = ""', "4: part[0].bounce: must be a number"),
        ('[[part]]\nkind = "mcp3008"\nspi = "spi9"', "1: part[0]: 'spi9' is not an SPI device"),
        ('[[part]]\nkind = "key-matrix"\nrows = []\ncolumns = [1]', "3: part[0].rows: must name"),
        (
            '[[part]]\nkind = "led"\npin = 3\nname = "x"\n'
            '[[part]]\nkind = "led"\npin = 4\nname = "x"\n',
            "8: part[1].name: the name 'x' is already used by part[0].name",
        ),
        (
            '[[rc522]]\nbus = "spi0.0"\nirq = 24\n[[part]]\nkind = "led"\npin = "BOARD18"',
            "6: part[0].pin: GPIO24 is already used by rc522[0].irq",
        ),
        (
            '[[part]]\nkind = "led"\npin = 4\n[[part]]\nkind = "key-matrix"\nrows = [5, 4]\n'
            "columns = [6]",
            "6: part[1].rows: GPIO4 is already used by part[0].pin",
        ),
        (
            '[[part]]\nkind = "hc-sr04"\ntrigger = 23\necho = "BOARD16"',
            "1: part[0]: trigger and echo are the same line, GPIO23",
        ),
        (
            '[[rc522]]\nbus = "spi0.0"\nirq = 24\n[[part]]\nkind = "mcp3008"\nspi = "spi0.0"',
            "6: part[0].spi: spi0.0 is already used by rc522[0].bus",
        ),
        (
            2 * '[[part]]\nkind = "mcp3002"\n',
            "3: part[1].spi: spi0.0 is already used by part[0].spi",
        ),
        (
            '[[part]]\nkind = "bmp180"\n[[part]]\nkind = "adxl345"\naddress = 0x77',
            "5: part[1].address: address 0x77 of i2c-1 is already used by part[0].address",
        ),
        (
            2 * '[[part]]\nkind = "ssd1306"\n',
            "3: part[1].address: address 0x3c of i2c-1 is already used by part[0].address",
        ),
        (
            '[[part]]\nkind = "led"\npin = 5\n[hw]\nloopback = [5, 6]',
            "5: hw.loopback: GPIO5 is already used by part[0].pin",
        ),
        (
            '[[part]]\nkind = "mcp3008"\n[hw]\nspi_loop = "spi0.0"',
            "4: hw.spi_loop: spi0.0 is already used by part[0].spi",
        ),
    ],
)
def test_an_error_names_the_line(write, text: str, error: str) -> None:  # type: ignore[no-untyped-def]
    path = write("board.toml", text)
    with pytest.raises(ConfigError) as caught:
        load_board(path)
    assert str(caught.value).startswith(f"{path}:{error}")


def test_a_place_that_the_model_has_not_is_an_error_with_the_line(write) -> None:  # type: ignore[no-untyped-def]
    path = write("board.toml", '\n[[part]]\nkind = "mcp3008"\nspi = "spi5.0"\n')
    with pytest.raises(ConfigError, match=r"board.toml:2: 'mcp30081': pi-zero-w has no"):
        sim.wired_board(load_board(path))


class Doorbell(sim.Part):
    """Rings as long as its button is low."""

    pins = ("button", "bell")
    options = {"tone": int}  # noqa: RUF012

    def __init__(self, tone: int = 440, **wiring: str) -> None:
        super().__init__(**wiring)
        self.tone = tone

    def on_level(self, line: sim.PartLine, level: int, time: float) -> None:
        if line.pin == "button":
            self.lines["bell"].drive(not level)


def test_a_kind_of_ones_own(
    write,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = '[[part]]\nkind = "doorbell"\nbutton = 17\nbell = 27\ntone = 880\n'
    path = write("board.toml", text)
    monkeypatch.setattr("pyasync_hw.sim.parts.registry._kinds", dict[str, type[sim.Part]]())
    with pytest.raises(ConfigError, match="'doorbell' is not known"):
        load_board(path)
    point = metadata.EntryPoint("doorbell", f"{__name__}:Doorbell", "pyasync_hw.sim.parts")
    with monkeypatch.context() as patch:
        patch.setattr("pyasync_hw.sim.parts.registry._installed", lambda: {"doorbell": point})
        assert part_kinds() == ["doorbell"]
        assert load_board(path).parts[0].values == {"button": 17, "bell": 27, "tone": 880}
    sim.register("doorbell", Doorbell)
    with sim.wired_board(load_board(path)) as board:
        board.line(17).drive(1)
        board.line(17).drive(0)
        assert board.line(27).value == 1
    with pytest.raises(TypeError, match=r"a part is a class of sim\.Part"):
        sim.register("doorbell", int)  # type: ignore[arg-type]


PACKAGE = """
from pyasync_hw import sim

class Siren(sim.Part):
    pins = ("input",)
    options = {"tone": int}
    actions = ("say",)

    def __init__(self, *, tone=440, **wiring):
        super().__init__(**wiring)
        self.tone = tone

    def say(self, word="hello"):
        print(self.name, word, self.tone, flush=True)

    def on_attach(self):
        if self.tone == 13:
            raise ZeroDivisionError("unlucky")

    def on_level(self, line, level, time):
        print(self.name, "loud" if level else "quiet", flush=True)

class NoPart:
    pass
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with kinds of its own, for what is started."""
    (tmp_path / "sirens.py").write_text(PACKAGE)
    info = tmp_path / "sirens-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sirens\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[pyasync_hw.sim.parts]\nsiren = sirens:Siren\nlost = sirens_2:Siren\n"
        "gone = sirens:Gone\nno-part = sirens:NoPart\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")


def run_with(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.usefixtures("package")
def test_an_installed_package_adds_kinds(write) -> None:  # type: ignore[no-untyped-def]
    board = write("board.toml", '[[part]]\nkind = "siren"\ninput = 17\ntone = 880\n')
    scenario = write("scenario.toml", '[[event]]\nat = 0\npart = "siren1"\ndo = "say"\n')
    app = write(
        "app.py",
        """\
        from pyasync_hw import gpio
        with gpio.Output(17) as out:
            out.on()
            out.off()
        """,
    )
    done = run_with("--board", board, "--scenario", scenario, app)
    told = done.stdout.splitlines()
    assert sorted(told) == ["siren1 hello 880", "siren1 loud", "siren1 quiet"], done.stderr
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('kind = "lost"', "2: part[0].kind: 'lost' cannot be imported: No module named 'sirens_2'"),
        ('kind = "gone"', "2: part[0].kind: 'gone' cannot be imported: module 'sirens' has no"),
        ('kind = "no-part"', "2: part[0].kind: 'no-part' cannot be imported: a part is a class of"),
        ('kind = "siren"\ninput = 1\ntone = 1.5', "4: part[0].tone: must be an integer, not 1.5"),
        ('kind = "siren"\ninput = 1\ntone = 13', "1: 'siren1': ZeroDivisionError: unlucky"),
        ('kind = "sirens"', "2: part[0].kind: 'sirens' is not known; allowed: adc, adxl345"),
    ],
)
def test_what_is_wrong_with_a_packages_kind(write, text: str, error: str) -> None:  # type: ignore[no-untyped-def]
    board = write("board.toml", f"[[part]]\n{text}\n")
    done = run_with("--board", board, write("app.py", ""))
    assert f"{board}:{error}" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


def test_a_part_in_a_file_beside_the_board(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "here").mkdir()
    write("here/my_parts.py", PACKAGE)
    board = write("here/board.toml", '[[part]]\nkind = "my_parts:Siren"\ninput = 17\n')
    app = write(
        "app.py",
        """\
        import sys
        from pyasync_hw import gpio
        with gpio.Output(17) as out:
            out.on()
            out.off()
        print([folder for folder in sys.path if folder.endswith("here")])
        """,
    )
    done = run_with("--board", board, app)
    assert done.stdout.splitlines() == ["siren1 loud", "siren1 quiet", "[]"], done.stderr
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("my_part_of_nowhere:Siren", "No module named 'my_part_of_nowhere'"),
        ("my_broken_part:Siren", "ZeroDivisionError: division by zero"),
        ("json:Siren", "module 'json' has no attribute 'Siren'"),
        ("json:loads", r"a part is a class of sim.Part, not <function loads at"),
        (":", "Empty module name"),
    ],
)
def test_a_class_that_is_not_there(write, kind: str, error: str) -> None:  # type: ignore[no-untyped-def]
    write("my_broken_part.py", "1 / 0")
    board = write("board.toml", f'[[part]]\nkind = "{kind}"\n')
    with pytest.raises(ConfigError) as caught:
        load_board(board)
    assert f"{board}:2: part[0].kind: {kind!r} cannot be imported: {error}" in str(caught.value)


def test_a_scenario_acts_on_parts(write) -> None:  # type: ignore[no-untyped-def]
    """From the first request of the part's line on, in a program that knows nothing of it."""
    board = write("board.toml", '[[part]]\nkind = "button"\nname = "bell"\npin = 17\n')
    scenario = write(
        "scenario.toml",
        """\
        [[event]]
        at = 0.05
        part = "bell"
        do = "click"
        with = { hold = 0.05 }
        """,
    )
    app = write(
        "app.py",
        """\
        import RPi.GPIO as GPIO
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
        print(GPIO.wait_for_edge(17, GPIO.FALLING, timeout=60000))
        print(GPIO.wait_for_edge(17, GPIO.RISING, timeout=60000))
        GPIO.cleanup()
        """,
    )
    done = subprocess.run(
        [*RUN, "--board", board, "--scenario", scenario, app],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("17\n17\n", 0), done.stderr


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            'part = "bel"\ndo = "press"',
            "3: event[0].part: 'bel' is not known; allowed: bell, led2, key-matrix3, mcp30084",
        ),
        (
            'part = "bell"\ndo = "push"',
            "4: event[0].do: 'push' is not known; allowed: press, release, click",
        ),
        (
            'part = "bell"\ndo = "click"\nwith = { hodl = 1 }',
            "5: event[0].with: click: got an unexpected keyword argument 'hodl'",
        ),
        (
            'line = "GPIO4"\ndrive = 1\ndo = "press"',
            "5: event[0].do: unknown key; allowed: at, drive, line, part, present, reader, remove",
        ),
        ('part = "bell"', "1: event[0]: the key 'do' is missing"),
    ],
)
def test_an_error_of_a_scenario_names_the_line(write, text: str, error: str) -> None:  # type: ignore[no-untyped-def]
    wiring = load_board(write("board.toml", BOARD))
    path = write("scenario.toml", f"[[event]]\nat = 1\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_scenario(path, wiring)
    assert str(caught.value) == f"{path}:{error}"


def test_real_hardware_notes_that_parts_are_the_simulators(
    write,  # type: ignore[no-untyped-def]
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = hardware.set_default(None)
    try:
        path = write("board.toml", BOARD)
        assert machine.set_up("real", path, None) == "real"
    finally:
        hardware.set_default(before)
    assert capsys.readouterr().err == (
        f"pyasync_hw: {path}: [[part]] is for the simulator; this is real hardware\n"
    )
