"""board.toml: what it gives, and where its errors point."""

import textwrap

import pytest

from pyasync_hw.hardware import BoardNames
from pyasync_hw.hardware.pins import BOARD_TO_BCM, parse_pin, parse_spi
from pyasync_hw.hardware.tomlfile import ConfigError
from pyasync_hw.hardware.wiring import ReaderWiring, Wiring, load_board


@pytest.fixture
def board_file(tmp_path):
    def write(text):
        path = tmp_path / "board.toml"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def test_readers_in_the_order_of_the_file(board_file):
    wiring = load_board(
        board_file(
            """\
            model = "pi-4"
            [[rc522]]
            name = "door"
            bus = "spi0.0"
            irq = "GPIO24"
            reset = "GPIO25"
            [[rc522]]
            bus = "spi0.1"
            irq = 17
            speed_hz = 1_000_000
            """
        )
    )
    assert wiring == Wiring(
        "pi-4",
        (
            ReaderWiring("door", "spi0.0", "GPIO24", "GPIO25"),
            ReaderWiring("spi0.1", "spi0.1", 17, None, 1_000_000),
        ),
        names=BoardNames(),
    )
    assert wiring.reader("door") is wiring.readers[0]
    with pytest.raises(KeyError, match=r"door, spi0\.1"):
        wiring.reader("gate")


def test_an_empty_file_is_a_board_without_parts(board_file):
    assert load_board(board_file("")) == Wiring("pi-zero-w", (), names=BoardNames())


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "board.toml"
    path.write_bytes(b'\xef\xbb\xbfmodel = "pi-4"\n')
    assert load_board(path).model == "pi-4"


ERRORS = {
    "one table where there may be several": (
        '[rc522]\nbus = "spi0.0"\nirq = 24\n',
        1,
        "rc522",
        r"write \[\[rc522\]\]",
    ),
    "unknown key": (
        'model = "pi-4"\n\n[[rc522]]\nbus = "spi0.0"\nirk = "GPIO24"\n',
        5,
        "rc522[0].irk",
        r"unknown key \(did you mean 'irq'\?\); allowed: bus, irq, name, reset, speed_hz",
    ),
    "unknown table": ("# x\n[[rc523]]\n", 2, "rc523", "did you mean 'rc522'"),
    "wrong type": (
        '[[rc522]]\nbus = "spi0.0"\nirq = 24.0\n',
        3,
        "rc522[0].irq",
        "must be a string or an integer, not 24.0",
    ),
    "a truth value is no pin": (
        '[[rc522]]\nbus = "spi0.0"\nirq = true\n',
        3,
        "rc522[0].irq",
        "not True",
    ),
    "a table where tables belong": ('rc522 = "door"\n', 1, "rc522", "must be an array"),
    "array of strings": ('rc522 = ["door"]\n', 1, "rc522", r"write \[\[rc522\]\]"),
    "no such pin": (
        '[[rc522]]\nbus = "spi0.0"\nirq = "GPIO28"\n',
        3,
        "rc522[0].irq",
        r"GPIO0\.\.GPIO27",
    ),
    "a power pin": (
        '[[rc522]]\nbus = "spi0.0"\nirq = "BOARD1"\n',
        3,
        "rc522[0].irq",
        "pin 1 of the header carries no GPIO; allowed: 3, 5, 7",
    ),
    "no such bus": ('[[rc522]]\nbus = "i2c0"\n', 2, "rc522[0].bus", "spi<bus>.<chip select>"),
    "missing key": ('[[rc522]]\nbus = "spi0.0"\n', 1, "rc522[0]", "the key 'irq' is missing"),
    "model": ('\nmodel = "arduino"\n', 2, "model", "allowed: pi-zero, pi-zero-w"),
    "speed": (
        '[[rc522]]\nbus = "spi0.0"\nirq = 24\nspeed_hz = 20_000_000\n',
        4,
        "rc522[0].speed_hz",
        "allowed: 1 to 10000000",
    ),
    "pin used twice": (
        '[[rc522]]\nbus = "spi0.0"\nirq = 24\n[[rc522]]\nbus = "spi0.1"\nirq = "BOARD18"\n',
        6,
        "rc522[1].irq",
        r"GPIO24 is already used by rc522\[0\]\.irq",
    ),
    "chip select used twice": (
        '[[rc522]]\nbus = "spi0.0"\nirq = 24\nname="a"\n[[rc522]]\nbus = "spi0.0"\nirq = 25\n',
        6,
        "rc522[1].bus",
        r"already used by rc522\[0\]\.bus",
    ),
    "after a multi-line value": (
        'model = """\npi-4"""\n[[rc522]]\nbus = "spi0.0"\nirq = 24\ncolor = 1\n',
        6,
        "rc522[0].color",
        "unknown key",
    ),
    "not TOML": ('model = "pi-4"\nirq =\n', 2, "", "not valid TOML"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_names_file_line_key_and_remedy(board_file, case):
    text, line, key, problem = ERRORS[case]
    path = board_file(text)
    with pytest.raises(ConfigError, match=problem) as caught:
        load_board(path)
    assert (caught.value.path, caught.value.line, caught.value.key) == (str(path), line, key)
    assert str(caught.value).startswith(f"{path}:{line}: {key}")


def test_bytes_that_are_not_text(tmp_path):
    path = tmp_path / "board.toml"
    path.write_bytes(b'# one\nmodel = "\xff"\n')
    with pytest.raises(ConfigError, match=r"board\.toml:2: not UTF-8"):
        load_board(path)


@pytest.mark.parametrize(
    "spec", [17, "17", "GPIO17", "BCM17", "BOARD11", "J8:11", "WPI0", "gpio17"]
)
def test_pin_names(spec):
    assert parse_pin(spec) == 17


@pytest.mark.parametrize("pin", list(BOARD_TO_BCM))
def test_numbers_of_wiringpi(pin):
    """As gpiozero has them."""
    header = {
        **{3: 8, 5: 9, 7: 7, 8: 15, 10: 16, 11: 0, 12: 1, 13: 2, 15: 3, 16: 4, 18: 5, 19: 12},
        **{21: 13, 22: 6, 23: 14, 24: 10, 26: 11, 29: 21, 31: 22, 32: 26, 33: 23, 35: 24},
        **{36: 27, 37: 25, 38: 28, 40: 29},
    }
    assert parse_pin(f"WPI{header[pin]}") == BOARD_TO_BCM[pin]


@pytest.mark.parametrize(
    ("spec", "remedy"),
    [
        (40, "if it counts the pins of the header, write 'BOARD40'"),
        ("GPIO29", "write 'BOARD29'"),
        (529, "if it is from /sys/class/gpio, write 'GPIO17'"),
        (39, "allowed: GPIO0..GPIO27$"),
        ("WPI17", "wiringPi numbers pins 0 to 16 and 21 to 31"),
        ("BOARD9", "pin 9 of the header carries no GPIO"),
        ("GPIO_GCLK", "chip= for a line by its own name"),
    ],
)
def test_a_number_in_another_numbering(spec, remedy):
    with pytest.raises(ValueError, match=remedy):
        parse_pin(spec)


@pytest.mark.parametrize("spec", [True, None, 1.5, b"GPIO17"])
def test_pin_of_a_wrong_type(spec):
    with pytest.raises(TypeError, match="GPIO17"):
        parse_pin(spec)


@pytest.mark.parametrize("spec", [-1, 28, "", "GPIO", "BOARD2", "17 ", "GPIO017a"])
def test_pin_that_does_not_exist(spec):
    with pytest.raises(ValueError, match=r"GPIO27|allowed"):
        parse_pin(spec)


def test_spi_names():
    assert parse_spi("spi0.1") == parse_spi("/dev/spidev0.1") == (0, 1)
    with pytest.raises(ValueError, match="chip select"):
        parse_spi("0.1")
    with pytest.raises(TypeError, match=r"spi0\.0"):
        parse_spi(0)
