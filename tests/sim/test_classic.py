"""MIFARE Classic 1K (MF1S50YYX/V1): keys, access conditions, two-step write, values."""

from __future__ import annotations

import pytest
from bare import frame

from pyasync_hw.sim import CardState, MifareClassic1K
from pyasync_hw.sim.cards import Reply

KEY = b"\xff" * 6
KEY_A, KEY_B = bytes(range(6)), bytes(range(16, 22))
AUTH_A, AUTH_B = 0x60, 0x61
ACK, NAK_OPERATION, NAK_CRC = (b"\x0a", 4), (b"\x04", 4), (b"\x05", 4)
DATA = bytes(range(16))


def send(card: MifareClassic1K, data: bytes) -> Reply:
    data = frame(data)
    return card.receive(data, 8 * len(data))


def selected(card: MifareClassic1K) -> MifareClassic1K:
    card.power_on()
    card.receive(b"\x26", 7)
    for level in range(len(card.uid) // 3):
        send(card, bytes((0x93 + 2 * level, 0x70)) + card.cascade_bytes(level))
    assert card.state is CardState.ACTIVE
    return card


@pytest.fixture
def card() -> MifareClassic1K:
    return selected(MifareClassic1K("a61d227e"))


def authenticate(
    card: MifareClassic1K, block: int, key: bytes = KEY, key_type: int = AUTH_A
) -> bool | None:
    return card.authenticate(key_type, block, key, card.uid[-4:])


def write(card: MifareClassic1K, block: int, data: bytes) -> Reply:
    first = send(card, bytes((0xA0, block)))
    return first if first != ACK else send(card, data)


def trailer(c1: int, c2: int, c3: int, data: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    """A trailer with access bits: `data` for all data blocks, c1 c2 c3 for itself."""
    bits = [7 * data[i] | (c1, c2, c3)[i] << 3 for i in range(3)]
    one, two, three = bits
    access = bytes(((~two & 15) << 4 | ~one & 15, one << 4 | ~three & 15, three << 4 | two))
    return KEY_A + access + b"\x69" + KEY_B


def test_product_data() -> None:
    card = MifareClassic1K("a61d227e")
    assert (card.atqa, card.sak, card.product) == (b"\x04\x00", 0x08, "MIFARE Classic 1K")
    assert MifareClassic1K("04112233445566").atqa == b"\x44\x00"
    assert card.block(0)[:8].hex() == "a61d227ee7080400"


def test_reading_without_authentication_is_refused(card: MifareClassic1K) -> None:
    assert send(card, b"\x30\x04") == NAK_OPERATION
    assert card.state is CardState.IDLE


def test_read_and_write_after_authentication(card: MifareClassic1K) -> None:
    assert authenticate(card, 4) is True
    assert write(card, 5, DATA) == (*ACK, card.write_time)
    assert send(card, b"\x30\x05") == (frame(DATA), 144)
    assert card.block(5) == DATA


@pytest.mark.parametrize("key_type", [AUTH_A, AUTH_B])
def test_a_wrong_key(card: MifareClassic1K, key_type: int) -> None:
    assert authenticate(card, 4, b"\x00" * 6, key_type) is False
    assert (card.state, card.authenticated) == (CardState.IDLE, False)


def test_a_wrong_uid(card: MifareClassic1K) -> None:
    assert card.authenticate(AUTH_A, 4, KEY, b"\x00" * 4) is False


def test_a_block_that_does_not_exist(card: MifareClassic1K) -> None:
    assert authenticate(card, 64) is None


def test_a_card_that_is_not_selected_does_not_authenticate() -> None:
    card = MifareClassic1K("a61d227e")
    card.power_on()
    assert authenticate(card, 4) is None


def test_authentication_opens_one_sector(card: MifareClassic1K) -> None:
    authenticate(card, 4)
    assert send(card, b"\x30\x08") == NAK_OPERATION
    assert not card.authenticated


def test_authentication_of_another_sector_closes_the_first(card: MifareClassic1K) -> None:
    authenticate(card, 4)
    assert authenticate(card, 8) is True
    assert send(card, b"\x30\x04") == NAK_OPERATION


def test_a_wrong_crc_is_answered_with_a_nak(card: MifareClassic1K) -> None:
    authenticate(card, 4)
    assert card.receive(b"\x30\x04\x00\x00", 32) == NAK_CRC


def test_hlta_ends_the_authentication(card: MifareClassic1K) -> None:
    authenticate(card, 4)
    assert send(card, b"\x50\x00") is None
    assert (card.state, card.authenticated) == (CardState.HALT, False)


def test_key_a_is_never_read(card: MifareClassic1K) -> None:
    authenticate(card, 7)
    answer = send(card, b"\x30\x07")
    assert answer is not None
    assert answer[0][:16].hex() == "000000000000ff078069ffffffffffff"


def test_key_b_is_hidden_where_it_is_a_key() -> None:
    card = MifareClassic1K("a61d227e")
    card.set_block(7, trailer(0, 1, 1))
    assert authenticate(selected(card), 7, KEY_A) is True
    answer = send(card, b"\x30\x07")
    assert answer is not None
    assert answer[0][10:16] == bytes(6)


def test_a_readable_key_b_opens_nothing(card: MifareClassic1K) -> None:
    assert authenticate(card, 4, KEY, AUTH_B) is True
    assert send(card, b"\x30\x04") == NAK_OPERATION


def test_the_manufacturer_block_cannot_be_written(card: MifareClassic1K) -> None:
    authenticate(card, 0)
    assert write(card, 0, DATA) == NAK_OPERATION


# MF1S50YYX/V1, table 8, written out a second time: keys that may read, write.
@pytest.mark.parametrize(
    ("bits", "readers", "writers"),
    [
        ((0, 0, 0), "AB", "AB"),
        ((0, 1, 0), "AB", ""),
        ((1, 0, 0), "AB", "B"),
        ((1, 1, 0), "AB", "B"),
        ((0, 0, 1), "AB", ""),
        ((0, 1, 1), "B", "B"),
        ((1, 0, 1), "B", ""),
        ((1, 1, 1), "", ""),
    ],
)
@pytest.mark.parametrize("key", "AB")
def test_access_conditions_of_data_blocks(
    bits: tuple[int, int, int], readers: str, writers: str, key: str
) -> None:
    card = MifareClassic1K("a61d227e")
    # 0 1 1 for the trailer: key B is a key
    card.set_block(7, trailer(0, 1, 1, data=bits))
    who = {"A": (KEY_A, AUTH_A), "B": (KEY_B, AUTH_B)}[key]
    assert authenticate(selected(card), 5, *who) is True
    assert (send(card, b"\x30\x05") == (frame(bytes(16)), 144)) is (key in readers)
    assert authenticate(selected(card), 5, *who) is True
    assert (write(card, 5, DATA) == (*ACK, card.write_time)) is (key in writers)
    assert (card.block(5) == DATA) is (key in writers)


def test_access_bits_that_contradict_block_the_sector() -> None:
    card = MifareClassic1K("a61d227e")
    card.set_block(7, KEY_A + b"\x00\x00\x00\x00" + KEY_B)
    assert authenticate(selected(card), 5, KEY_A) is True
    assert send(card, b"\x30\x05") == NAK_OPERATION


def test_a_trailer_changes_keys_only_for_who_may() -> None:
    card = MifareClassic1K("a61d227e")
    authenticate(selected(card), 7)
    new = trailer(0, 1, 1)
    assert write(card, 7, new) == (*ACK, card.write_time)
    assert card.block(7) == new
    authenticate(selected(card), 7, KEY_A)  # key A may write nothing any more
    assert write(card, 7, b"\x00" * 16) == NAK_OPERATION
    assert authenticate(selected(card), 7, KEY_B, AUTH_B) is True
    assert write(card, 7, KEY + new[6:]) == (*ACK, card.write_time)
    assert card.block(7) == KEY + new[6:]


def test_a_write_of_the_wrong_length_is_refused(card: MifareClassic1K) -> None:
    authenticate(card, 4)
    assert write(card, 4, DATA[:8]) == NAK_OPERATION
    assert card.block(4) == bytes(16)


def test_losing_power_between_the_halves_of_a_write_changes_nothing(card: MifareClassic1K) -> None:
    authenticate(card, 4)
    assert send(card, b"\xa0\x04") == ACK
    card.power_on()
    assert send(card, DATA) is None
    assert card.block(4) == bytes(16)


class TestValues:
    @pytest.fixture
    def purse(self, card: MifareClassic1K) -> MifareClassic1K:
        card.set_block(4, card.value_block(100, 4))
        authenticate(card, 4)
        return card

    @pytest.mark.parametrize(("command", "value"), [(0xC1, 130), (0xC0, 70), (0xC2, 100)])
    def test_change_and_transfer(self, purse: MifareClassic1K, command: int, value: int) -> None:
        assert send(purse, bytes((command, 4))) == ACK
        assert send(purse, (30).to_bytes(4, "little")) is None
        assert purse.block(4) == purse.value_block(100, 4)
        assert send(purse, b"\xb0\x05") == (*ACK, purse.write_time)
        assert purse.block(5) == purse.value_block(value, 4)

    def test_a_block_that_is_no_value(self, purse: MifareClassic1K) -> None:
        assert send(purse, b"\xc1\x06") == ACK
        assert send(purse, bytes(4)) == NAK_OPERATION

    def test_transfer_without_a_value(self, purse: MifareClassic1K) -> None:
        assert send(purse, b"\xb0\x05") == NAK_OPERATION


@pytest.mark.parametrize("number", [-1, 64])
def test_block_numbers(card: MifareClassic1K, number: int) -> None:
    with pytest.raises(ValueError, match="block must be 0 to 63"):
        card.block(number)


def test_there_is_no_classic_with_ten_byte_uid() -> None:
    with pytest.raises(ValueError, match="4 or 7"):
        MifareClassic1K("04112233445566778899")
