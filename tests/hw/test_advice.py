"""What errors advise: on hardware about wires, on a simulated board about that."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from pyasync_hw import _core, gpio, hardware, rc522, sim
from pyasync_hw.errors import ChipNotFoundError, TagLostError, TagTimeoutError
from pyasync_hw.reader.failures import Failures, SimulatedFailures

UID = "a61d227e"
WIRES = (
    "MISO",
    "supply",
    "connect the",
    "3 cm",
    "hold ",
    "wires",
    "group ",
    "dtparam",
)


def test_no_simulated_reader(hw_board: sim.Board) -> None:
    with pytest.raises(ChipNotFoundError) as caught, rc522.Reader():
        pass
    assert str(caught.value) == (
        "RC522 reader spi0.0: nothing is attached to spi0.0 of this simulated board; attach_rc522()"
    )
    hw_board.attach_rc522("spi0.1")
    with pytest.raises(ChipNotFoundError, match=r"to spi1\.2 .*; attach_rc522\('spi1\.2'\)"):
        rc522.Reader("spi1.2").__enter__()


def test_a_simulated_chip_that_is_kept_in_reset(hw_board: sim.Board) -> None:
    hw_board.attach_rc522(reset="GPIO25")
    hw_board.line("GPIO25").drive(0)
    with pytest.raises(ChipNotFoundError, match="release its reset line"):
        rc522.Reader(reset=None).__enter__()


@pytest.mark.parametrize("line", ["irq", "reset"])
def test_a_simulated_line_that_is_not_attached(hw_board: sim.Board, line: str) -> None:
    hw_board.attach_rc522(irq=None, reset=None)
    pins = {"irq": None, "reset": None, line: "GPIO22"}
    with (
        pytest.warns(RuntimeWarning, match=f"attach_rc522\\({line}='GPIO22'\\)"),
        rc522.Reader(irq=pins["irq"], reset=pins["reset"]) as reader,
    ):
        text = str(reader.wiring_error)
    assert f"or pass {line}=None" in text
    assert not any(word in text for word in WIRES)


def test_a_simulated_field_without_a_card(hw_board: sim.Board) -> None:
    field = hw_board.attach_rc522()
    with rc522.Reader() as reader:
        with pytest.raises(TagTimeoutError, match=r"present\(\) one"):
            reader.blocking.request()
        field.present(sim.MifareClassic1K(uid=UID))
        tag = reader.blocking.wait_for_tag(timeout=60)
        field.remove()
        with pytest.raises(TagLostError, match=rf"tag {UID} .* simulated field; present\(\) it"):
            tag.blocking.transceive(b"\x30\x00")


ERRORS = [
    "timeout",
    "collision",
    "frame",
    "nak",
    "authentication",
    "no-chip",
    "readback",
    "lost-registers",
    "field-off",
]


def test_no_error_of_the_simulator_is_about_wires(hw_board: sim.Board) -> None:
    real = Failures("reader", "spi0.0", 24, 25)
    simulated = SimulatedFailures("reader", "spi0.0", 24, 25, hw_board)
    makes: list[Callable[[Failures], OSError]] = [Failures.dead_irq, Failures.dead_reset]
    for word in [*ERRORS, errno.ENODEV, errno.ESHUTDOWN, "cancelled"]:
        makes += [lambda failures, word=word: failures.exception(word, None)]  # type: ignore[misc]
    makes += [lambda failures: failures.exception("timeout", bytes.fromhex(UID))]
    for make in makes:
        assert type(make(real)) is type(make(simulated))
        text = str(make(simulated))
        assert not any(word in text for word in WIRES), text
    assert any(word in str(real.exception("no-chip", None)) for word in WIRES)


# chip= of a machine that has one, where nobody has chosen a board.

PROGRAM = """
import sys
from pyasync_hw import gpio
try:
    gpio.Input(4, bias="pull_up", chip=sys.argv[1])
except OSError as error:
    print(error.errno, error)
else:
    print("simulated")
"""


def _opened(chip: str, choice: str, program: str = PROGRAM) -> str:
    result = subprocess.run(
        [sys.executable, "-c", program, chip],
        env={**os.environ, "PYASYNC_HW": choice},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout


@pytest.mark.skipif(hardware.is_raspberry_pi(), reason="this is a Raspberry Pi")
@pytest.mark.parametrize("before", ["", "gpio.Input(17).close()"])
def test_a_chip_of_this_machine_is_taken_at_its_word(before: str) -> None:
    program = PROGRAM.replace("try:", f"{before}\ntry:", 1)
    real = _opened("/dev/null", "auto", program)
    assert real.startswith(f"{errno.ENOTTY} ")
    assert "it is no GPIO chip" in real
    assert "has one GPIO chip" in _opened("/dev/null", "sim", program)
    assert "has one GPIO chip" in _opened("/dev/null/none", "auto", program)
    assert _opened("pinctrl-bcm2835", "sim", program) == "simulated\n"


def test_a_board_that_was_chosen_is_meant(hw_board: sim.Board) -> None:
    with pytest.raises(FileNotFoundError, match="hw_board has one GPIO chip"):
        gpio.Input(4, chip="/dev/null")
    with gpio.Input(4, chip="gpiochip0"), gpio.Input(5, chip="gpiochip0", board=hw_board):
        pass


def test_a_chip_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a PC that has a GPIO chip."""
    if hardware.is_raspberry_pi():
        pytest.skip("this is a Raspberry Pi")
    monkeypatch.setenv("PYASYNC_HW", "auto")
    before = hardware.set_default(None)
    monkeypatch.setattr(_core, "find_chip", lambda name: f"/dev/null/{name}")
    try:
        with pytest.raises(NotADirectoryError) as caught:
            gpio.Input(4, chip="gpiochip0")
        assert caught.value.filename == "/dev/null/gpiochip0"
    finally:
        hardware.set_default(before)
