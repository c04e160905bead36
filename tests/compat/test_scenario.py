"""scenario.toml: what it gives, what it does to a board, and where its errors point."""

import textwrap

import pytest

from pyasync_hw import VirtualClock, sim
from pyasync_hw.hardware.tomlfile import ConfigError
from pyasync_hw.hardware.wiring import MODELS, ReaderWiring, Wiring
from pyasync_hw.sim.scenario import CardSpec, Event, Scenario, load_scenario


@pytest.fixture
def scenario_file(tmp_path):
    def write(text):
        path = tmp_path / "scenario.toml"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def test_events_are_sorted_by_time(scenario_file):
    scenario = load_scenario(
        scenario_file(
            """\
            [[event]]
            at = 1.5
            reader = "door"
            remove = "a61d227e"
            [[event]]
            at = 2
            line = "GPIO17"
            drive = 0
            [[event]]
            at = 0.5
            reader = "door"
            present = { kind = "mifare-classic-1k", uid = "a61d227e", power_up = 0.005 }
            """
        )
    )
    uid = bytes.fromhex("a61d227e")
    assert scenario == Scenario(
        (
            Event(
                0.5, reader="door", present=CardSpec("mifare-classic-1k", uid, {"power_up": 0.005})
            ),
            Event(1.5, reader="door", remove=uid),
            Event(2.0, line="GPIO17", drive=0),
        )
    )


def test_the_only_reader_need_not_be_named(scenario_file):
    text = """\
        [[event]]
        at = 0.5
        present = { kind = "mifare-classic-1k", uid = "a61d227e" }
        [[event]]
        at = 1
        remove = "a61d227e"
        """
    door, gate = ReaderWiring("door"), ReaderWiring("gate", "spi0.1", 5, 6)
    scenario = load_scenario(scenario_file(text), Wiring(readers=(door,)))
    assert [event.reader for event in scenario.events] == ["door", "door"]
    for readers in ((), (door, gate)):
        with pytest.raises(ConfigError, match="needs either 'reader'"):
            load_scenario(scenario_file(text), Wiring(readers=readers))


def test_apply_gives_the_board_what_is_due_when_a_field_goes_on_or_a_line_is_used():
    uid = bytes.fromhex("a61d227e")
    scenario = Scenario(
        (
            Event(0.5, reader="door", present=CardSpec("mifare-classic-1k", uid)),
            Event(1.5, reader="door", remove=uid),
            Event(2.5, reader="door", present=CardSpec("mifare-classic-1k", uid)),
        )
    )
    clock = VirtualClock()
    with sim.Board(clock=clock) as board:
        reader = board.attach_rc522(name="door")
        scenario.apply(board)
        clock.advance(10)
        assert not reader.cards  # nothing has switched the field on
        with pytest.raises(LookupError, match="gate"):
            Scenario((Event(0, reader="gate", remove=uid),)).apply(board)


ERRORS = {
    "unknown key": ("[[event]]\nat = 1\ncard = 1\n", 3, "event[0].card", "allowed: at, drive"),
    "UID of another kind": (
        "[[event]]\nat = 1\nreader = 'door'\n"
        "present = { kind = 'mifare-classic-1k', uid = '01020304050607080910' }\n",
        4,
        "event[0].present.uid",
        "4 or 7 bytes",
    ),
    "no time": ("[[event]]\nline = 17\ndrive = 0\n", 1, "event[0]", "'at' is missing"),
    "negative time": (
        "[[event]]\nat = -1\nline = 17\ndrive = 0\n",
        2,
        "event[0].at",
        "0 to 1e9 seconds",
    ),
    "nobody": ("[[event]]\nat = 1\n", 1, "event[0]", "either 'reader'"),
    "reader and line": (
        "[[event]]\nat = 1\nreader = 'door'\nline = 17\n",
        1,
        "event[0]",
        "either 'reader'",
    ),
    "reader unknown": (
        "[[event]]\nat = 1\nreader = 'gate'\nremove = 'a61d227e'\n",
        3,
        "event[0].reader",
        "'gate' is not known; allowed: door",
    ),
    "reader does nothing": ("[[event]]\nat = 1\nreader = 'door'\n", 1, "event[0]", "'present'"),
    "reader driven": (
        "[[event]]\nat = 1\nreader = 'door'\ndrive = 1\n",
        4,
        "event[0].drive",
        "belongs to a line",
    ),
    "line presented to": (
        "[[event]]\nat = 1\nline = 17\npresent = {}\n",
        4,
        "event[0].present",
        "belongs to a reader",
    ),
    "level": (
        "[[event]]\nat = 1\nline = 17\ndrive = 2\n",
        4,
        "event[0].drive",
        "allowed: 0, 1",
    ),
    "pin": ("[[event]]\nat = 1\nline = 99\ndrive = 1\n", 3, "event[0].line", r"GPIO0\.\.GPIO27"),
    "kind": (
        "[[event]]\nat = 1\nreader = 'door'\npresent = { kind = 'x', uid = 'a61d227e' }\n",
        4,
        "event[0].present.kind",
        "allowed: mifare-classic-1k",
    ),
    "uid of a wrong size": (
        "[[event]]\nat = 1\nreader = 'door'\n"
        "[event.present]\nkind = 'mifare-classic-1k'\nuid = 'a61d22'\n",
        6,
        "event[0].present.uid",
        "4, 7 or 10 bytes",
    ),
    "uid not hexadecimal": (
        "[[event]]\nat = 1\nreader = 'door'\nremove = 'door'\n",
        4,
        "event[0].remove",
        "hex digits",
    ),
    "removed before it came": (
        "[[event]]\nat = 1\nreader = 'door'\nremove = 'a61d227e'\n"
        "[[event]]\nat = 2\nreader = 'door'\n"
        "present = { kind = 'mifare-classic-1k', uid = 'a61d227e' }\n",
        4,
        "event[0].remove",
        "no earlier event presents that card to 'door'",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_names_file_line_key_and_remedy(scenario_file, case):
    text, line, key, problem = ERRORS[case]
    path = scenario_file(text)
    wiring = Wiring(readers=(ReaderWiring("door"),))
    with pytest.raises(ConfigError, match=problem) as caught:
        load_scenario(path, wiring)
    assert (caught.value.path, caught.value.line, caught.value.key) == (str(path), line, key)


def test_every_model_of_a_board_file_can_be_simulated():
    assert set(MODELS) == set(sim.MODELS)
