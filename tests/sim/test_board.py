"""The board's Python face: models, wiring, readers, lines, and what it refuses."""

from __future__ import annotations

import errno

import pytest
from bare import Chip, frame, settings

from pyasync_hw import VirtualClock, hardware, sim

CARD = "a61d227e"


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ("pi-zero-w", "pinctrl-bcm2835"),
        ("pi-4", "pinctrl-bcm2711"),
        ("pi-5", "pinctrl-rp1"),
    ],
)
def test_models(model: str, label: str) -> None:
    with sim.Board(model) as board:
        assert board.find_line("BOARD11") == (label, 17)
        assert board.find_line("GPIO17", chip=label) == (label, 17)
        request = board.request_lines({"J8:11": settings()}, "test")
        assert (request.chip_name, request.offsets) == (label, (17,))
        request.close()


def test_line_names_differ() -> None:
    with sim.Board("pi-zero-w") as zero, sim.Board("pi-5") as five:
        assert zero.find_line("SPI_CE0_N", chip="gpiochip0")[1] == 8
        assert five.find_line("GPIO8", chip="gpiochip0")[1] == 8
        with pytest.raises(ValueError, match="no line called 'SPI_CE0_N'"):
            five.find_line("SPI_CE0_N", chip="gpiochip0")


def test_an_unknown_model() -> None:
    with pytest.raises(ValueError, match="pi-zero-w"):
        sim.Board("pi-9000")


def test_a_clock_must_be_a_clock() -> None:
    with pytest.raises(TypeError, match="clock must be a VirtualClock"):
        sim.Board(clock=1.0)  # type: ignore[arg-type]


def test_it_is_a_backend(board: sim.Board) -> None:
    assert isinstance(board, hardware.Backend)


def test_inside_the_block_it_is_the_current_hardware() -> None:
    with sim.Board() as outer:
        with sim.Board() as inner:
            assert hardware.current() is inner
        assert hardware.current() is outer


@pytest.mark.parametrize("chip", ["gpiochip1", "pinctrl-rp1"])
def test_another_gpio_chip(board: sim.Board, chip: str) -> None:
    with pytest.raises(FileNotFoundError, match="pinctrl-bcm2835"):
        board.line(0, chip=chip)


@pytest.mark.parametrize("spec", ["GPIO28", "BOARD1", "SDA1", "", -1, 99])
def test_a_pin_that_is_not_there(board: sim.Board, spec: int | str) -> None:
    with pytest.raises(ValueError, match=r"pin|header"):
        board.line(spec)


class TestReader:
    def test_its_wiring(self, reader: sim.SimReader) -> None:
        assert (reader.name, reader.bus, reader.irq, reader.reset) == (
            "door",
            "spi0.0",
            "GPIO24",
            "GPIO25",
        )

    def test_is_found_by_name(self, board: sim.Board, reader: sim.SimReader) -> None:
        second = board.attach_rc522("spi0.1", irq=None, reset=None)
        assert board.readers == [reader, second]
        assert board.reader("spi0.1") is second
        with pytest.raises(LookupError, match=r"door, spi0\.1"):
            board.reader("window")

    def test_a_chip_select_has_one(self, board: sim.Board, reader: sim.SimReader) -> None:
        with pytest.raises(OSError) as caught:
            board.attach_rc522("spi0.0", name="second")
        assert caught.value.errno == errno.EBUSY
        assert board.readers == [reader]

    def test_a_name_is_there_once(self, board: sim.Board, reader: sim.SimReader) -> None:
        with pytest.raises(ValueError, match="door"):
            board.attach_rc522("spi0.1", name="door")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"spi": "spi9.0"}, "spi0.0"),
            ({"spi": "i2c-1"}, "SPI device"),
            ({"irq": "GPIO40"}, "header"),
            ({"irq": 24, "reset": "BOARD18"}, "same line"),
            ({"version": 256}, "version"),
        ],
    )
    def test_wrong_wiring(self, board: sim.Board, changes: dict[str, object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            board.attach_rc522(**changes)  # type: ignore[arg-type]
        assert board.readers == []

    @pytest.mark.parametrize("version", [0x91, 0x92, 0x88])
    def test_version(self, board: sim.Board, clock: VirtualClock, version: int) -> None:
        board.attach_rc522(version=version)
        spi = board.open_spi(0, 0)
        assert Chip(spi, clock).read(0x37) == version
        spi.close()

    def test_the_reset_line_stops_the_field(self, reader: sim.SimReader, chip: Chip) -> None:
        assert reader.field_on
        reader.board.line(25).drive(0)
        assert not reader.field_on
        assert chip.read(0x37) == 0
        reader.board.line(25).release()
        chip.clock.advance(0.001)
        assert chip.read(0x37) == 0x92
        assert not reader.field_on

    def test_a_short_pulse_on_the_reset_line_is_not_lost(
        self, reader: sim.SimReader, chip: Chip
    ) -> None:
        output = reader.board.request_lines({25: settings("output", output_value=True)}, "test")
        output.set(1, 0)
        output.set(1, 1)
        assert not reader.field_on
        output.close()

    def test_the_irq_line_needs_a_pull_up(self, board: sim.Board, reader: sim.SimReader) -> None:
        assert board.line(24).value == 0  # open drain, inactive, and the Pi pulls down
        request = board.request_lines({24: settings(bias="pull_up")}, "test")
        assert request.get() == 1
        request.close()

    def test_registers_are_read_without_side_effects(
        self, reader: sim.SimReader, chip: Chip
    ) -> None:
        chip.write(0x09, 0x11, 0x22)
        before = reader.registers
        assert reader.registers == before
        assert (before[0x37], before[0x0A], len(before)) == (0x92, 2, 64)


class TestSPI:
    def test_a_bus_that_is_not_there(self, board: sim.Board) -> None:
        with pytest.raises(FileNotFoundError, match=r"spi7\.0"):
            board.open_spi(7, 0)

    def test_nobody_answers_where_nothing_is_wired(self, board: sim.Board) -> None:
        spi = board.open_spi(0, 1)
        assert spi.transfer(b"\xee\x00") == b"\x00\x00"
        spi.close()

    @pytest.mark.parametrize(("speed_hz", "mode"), [(10_000_001, 0), (1_000_000, 1)])
    def test_what_the_chip_cannot_follow(
        self, board: sim.Board, reader: sim.SimReader, speed_hz: int, mode: int
    ) -> None:
        spi = board.open_spi(0, 0, speed_hz, mode)
        assert spi.transfer(b"\xee\x00") == b"\x00\x00"
        spi.close()

    @pytest.mark.parametrize(("speed_hz", "mode"), [(0, 0), (1_000_000, 1 << 20)])
    def test_wrong_settings(self, board: sim.Board, speed_hz: int, mode: int) -> None:
        with pytest.raises(OSError, match="can't do this mode or speed"):
            board.open_spi(0, 0, speed_hz, mode)

    def test_a_message_is_as_long_as_spidevs_buffer(self, board: sim.Board) -> None:
        spi = board.open_spi(0, 0)
        assert len(spi.transfer(bytes(4096))) == 4096
        with pytest.raises(OSError) as caught:
            spi.transfer(bytes(4097))
        assert caught.value.errno == errno.EMSGSIZE
        spi.close()

    def test_chip_select_between_transfers(self, board: sim.Board, reader: sim.SimReader) -> None:
        spi = board.open_spi(0, 0)
        read_version, zero = b"\xee", b"\x00"
        assert spi.message([(read_version, 0, 0, False), zero])[1] == b"\x92"
        assert spi.message([(read_version, 0, 0, True), zero])[1] == b"\x00"
        spi.close()


class TestCards:
    def test_come_and_go(self, reader: sim.SimReader) -> None:
        one, two = sim.MifareClassic1K(CARD), sim.MifareClassic1K("01020304")
        reader.present(one)
        reader.present(two)
        assert reader.cards == [one, two]
        reader.remove(one)
        assert reader.cards == [two]
        reader.present(one)
        reader.remove(CARD)
        assert reader.cards == [two]
        reader.remove()
        assert reader.cards == []

    def test_is_in_one_field_once(self, board: sim.Board, reader: sim.SimReader) -> None:
        other = board.attach_rc522("spi0.1", irq=None, reset=None)
        card = sim.MifareClassic1K(CARD)
        reader.present(card)
        with pytest.raises(ValueError, match="already"):
            reader.present(card)
        with pytest.raises(ValueError, match="another"):
            other.present(card)
        assert (reader.cards, other.cards) == ([card], [])

    def test_a_timed_card_is_moved(
        self, board: sim.Board, reader: sim.SimReader, chip: Chip, clock: VirtualClock
    ) -> None:
        other = board.attach_rc522("spi0.1", irq=None, reset=None)
        card = sim.MifareClassic1K(CARD)
        other.present(card)
        reader.present(card, at=1)
        clock.advance(1)
        assert (reader.cards, other.cards) == ([card], [])

    def test_removing_what_is_not_there(self, reader: sim.SimReader) -> None:
        with pytest.raises(ValueError, match="not in this reader's field"):
            reader.remove(sim.MifareClassic1K(CARD))
        with pytest.raises(ValueError, match=CARD):
            reader.remove(CARD)
        reader.remove()

    def test_a_card_that_is_expected_can_be_removed_by_uid(
        self, reader: sim.SimReader, chip: Chip, clock: VirtualClock
    ) -> None:
        card = sim.MifareClassic1K(CARD)
        reader.present(card, at=1)
        reader.remove(CARD, at=2)
        clock.advance(1)
        assert reader.cards == [card]
        clock.advance(1)
        assert reader.cards == []

    @pytest.mark.parametrize("card", ["a61d227e", None, object()])
    def test_only_cards_can_be_presented(self, reader: sim.SimReader, card: object) -> None:
        with pytest.raises(TypeError, match=r"sim\.Card"):
            reader.present(card)  # type: ignore[arg-type]

    @pytest.mark.parametrize("at", [-1, float("nan"), float("inf"), 1e10])
    def test_a_wrong_time(self, reader: sim.SimReader, at: float) -> None:
        with pytest.raises(ValueError, match="at must be"):
            reader.present(sim.MifareClassic1K(CARD), at=at)
        assert reader.cards == []

    def test_a_field_holds_16(self, reader: sim.SimReader) -> None:
        for number in range(16):
            reader.present(sim.Card(bytes((1, 2, 3, number))))
        with pytest.raises(ValueError, match="at most 16"):
            reader.present(sim.Card("aabbccdd"))

    @pytest.mark.parametrize("power_up", [0.002, 0.004])
    def test_power_up_time(
        self, board: sim.Board, reader: sim.SimReader, clock: VirtualClock, power_up: float
    ) -> None:
        reader.present(sim.MifareClassic1K(CARD, power_up=power_up))
        spi = board.open_spi(0, 0, 10_000_000)
        chip = Chip(spi, clock)
        chip.write(0x15, 0x40)
        chip.write(0x14, 0x83)
        clock.advance(power_up - 0.0015)  # the messages until it transmits take 0.8 ms
        chip.write(0x0D, 0x07)
        assert chip.command(0x0C, b"\x26", 7, wait=0.001) == b""
        clock.advance(0.005)
        assert chip.request() == b"\x04\x00"
        spi.close()

    def test_power_up_time_of_a_field(self, board: sim.Board) -> None:
        reader = board.attach_rc522(power_up=0.005)
        card = sim.MifareClassic1K(CARD)
        reader.present(card)
        assert card.power_up == 0.005


class TestOnTheAir:
    @pytest.mark.parametrize("uid", [CARD, "04112233445566"])
    def test_read_and_write(self, reader: sim.SimReader, chip: Chip, uid: str) -> None:
        card = sim.MifareClassic1K(uid)
        reader.present(card)
        chip.clock.advance(0.005)
        assert chip.request() == card.atqa
        levels, sak = chip.select()
        assert (levels[-5:-1], sak) == (card.uid[-4:], 0x08)
        assert chip.authenticate(4, b"\xff" * 6, card.uid[-4:])
        assert chip.transceive(frame(b"\xa0\x04")) == b"\x0a"
        assert chip.transceive(frame(bytes(range(16)))) == b"\x0a"
        assert chip.transceive(frame(b"\x30\x04")) == frame(bytes(range(16)))
        assert card.block(4) == bytes(range(16))

    def test_a_wrong_key(self, reader: sim.SimReader, chip: Chip) -> None:
        card = sim.MifareClassic1K(CARD)
        reader.present(card)
        chip.clock.advance(0.005)
        chip.request()
        chip.select()
        assert not chip.authenticate(4, b"\x00" * 6, card.uid)
        assert card.state is sim.CardState.IDLE

    def test_plain_frames_are_noise_to_an_authenticated_card(
        self, reader: sim.SimReader, chip: Chip
    ) -> None:
        card = sim.MifareClassic1K(CARD)
        reader.present(card)
        chip.clock.advance(0.005)
        chip.request()
        chip.select()
        assert chip.authenticate(4, b"\xff" * 6, card.uid)
        chip.stop_crypto()
        assert chip.transceive(frame(b"\x30\x04")) == b""
        assert (card.state, card.authenticated) == (sim.CardState.IDLE, False)

    def test_field_off_resets_the_card(self, reader: sim.SimReader, chip: Chip) -> None:
        card = sim.MifareClassic1K(CARD)
        reader.present(card)
        chip.clock.advance(0.005)
        chip.request()
        chip.select()
        chip.transceive(frame(b"\x50\x00"))
        assert card.state is sim.CardState.HALT
        assert chip.request() == b""
        chip.field(False)
        chip.field(True)
        assert chip.request() == card.atqa

    def test_two_cards_collide(self, reader: sim.SimReader, chip: Chip) -> None:
        reader.present(sim.MifareClassic1K("a61d227e"))
        reader.present(sim.MifareClassic1K("a61d227f"))
        chip.clock.advance(0.005)
        assert chip.request() == b"\x04\x00"
        chip.transceive(b"\x93\x20")
        assert chip.read(0x06) & 0x08  # ErrorReg.CollErr
