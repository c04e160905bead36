"""The ISO/IEC 14443-3 state machine of a card, frame by frame."""

from __future__ import annotations

import pytest
from bare import frame

from pyasync_hw.sim import Card, CardState
from pyasync_hw.sim.cards import Reply, crc_a

REQA, WUPA = (b"\x26", 7), (b"\x52", 7)
HLTA = frame(b"\x50\x00")
UIDS = {4: "a61d227e", 7: "04112233445566", 10: "04112233445566778899"}


def send(card: Card, data: bytes) -> Reply:
    return card.receive(data, 8 * len(data))


def powered(uid: str = UIDS[4]) -> Card:
    card = Card(uid)
    card.power_on()
    return card


def select(card: Card) -> list[int]:
    """All cascade levels; the SAKs."""
    saks = []
    for sel in (0x93, 0x95, 0x97):
        answer = send(card, bytes((sel, 0x20)))
        assert answer is not None and answer[1] == 40
        sak = send(card, frame(bytes((sel, 0x70)) + answer[0]))
        assert sak is not None
        saks.append(sak[0][0])
        assert sak[0][1:] == crc_a(sak[0][:1])
        if not sak[0][0] & 0x04:
            return saks
    raise AssertionError("never complete")


def in_state(state: CardState) -> Card:
    card = powered()
    if state in (CardState.HALT, CardState.READY_STAR, CardState.ACTIVE_STAR):
        card.receive(*REQA)
        select(card)
        send(card, HLTA)
        if state is not CardState.HALT:
            card.receive(*WUPA)
    elif state in (CardState.READY, CardState.ACTIVE):
        card.receive(*REQA)
    if state in (CardState.ACTIVE, CardState.ACTIVE_STAR):
        select(card)
    assert card.state is state
    return card


def test_crc_a_of_the_standards_examples() -> None:
    assert crc_a(b"\x00\x00") == b"\xa0\x1e"  # ISO/IEC 14443-3, annex B
    assert crc_a(b"\x12\x34") == b"\x26\xcf"


def test_without_power_a_card_is_silent() -> None:
    card = Card(UIDS[4])
    assert card.state is CardState.OFF
    assert card.receive(*REQA) is None


S = CardState


@pytest.mark.parametrize(
    ("state", "request_", "answers", "after"),
    [
        (S.IDLE, REQA, True, S.READY),
        (S.IDLE, WUPA, True, S.READY),
        (S.HALT, REQA, False, S.HALT),
        (S.HALT, WUPA, True, S.READY_STAR),
        (S.READY, REQA, False, S.IDLE),
        (S.READY, WUPA, False, S.IDLE),
        (S.READY_STAR, REQA, False, S.HALT),
        (S.READY_STAR, WUPA, False, S.HALT),
        (S.ACTIVE, REQA, False, S.IDLE),
        (S.ACTIVE, WUPA, False, S.IDLE),
        (S.ACTIVE_STAR, REQA, False, S.HALT),
        (S.ACTIVE_STAR, WUPA, False, S.HALT),
    ],
)
def test_requests(state: S, request_: tuple[bytes, int], answers: bool, after: S) -> None:
    card = in_state(state)
    assert card.receive(*request_) == ((b"\x04\x00", 16) if answers else None)
    assert card.state is after


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (S.IDLE, S.IDLE),
        (S.HALT, S.HALT),
        (S.READY, S.IDLE),
        (S.READY_STAR, S.HALT),
        (S.ACTIVE, S.IDLE),
        (S.ACTIVE_STAR, S.HALT),
    ],
)
@pytest.mark.parametrize("wrong", [b"\x95\x20", b"\x30\x00\x00\x00", frame(b"\x77\x01"), b"\x93"])
def test_a_frame_that_does_not_belong_here_is_not_answered(
    state: S, after: S, wrong: bytes
) -> None:
    card = in_state(state)
    assert send(card, wrong) is None
    assert card.state is after


@pytest.mark.parametrize(("state", "after"), [(S.READY, S.IDLE), (S.READY_STAR, S.HALT)])
def test_hlta_before_selection_is_an_error(state: S, after: S) -> None:
    card = in_state(state)
    assert send(card, HLTA) is None
    assert card.state is after


@pytest.mark.parametrize("state", [S.ACTIVE, S.ACTIVE_STAR])
def test_hlta_halts_without_an_answer(state: S) -> None:
    card = in_state(state)
    assert send(card, HLTA) is None
    assert card.state is S.HALT


def test_power_on_forgets_halt() -> None:
    card = in_state(S.HALT)
    card.power_on()
    assert card.state is S.IDLE


@pytest.mark.parametrize("size", UIDS)
def test_cascade_levels(size: int) -> None:
    card = powered(UIDS[size])
    assert card.receive(*REQA) == ({4: b"\x04\x00", 7: b"\x44\x00", 10: b"\x84\x00"}[size], 16)
    assert select(card) == [0x04] * (size // 3 - 1) + [0x00]
    assert card.state is S.ACTIVE


@pytest.mark.parametrize("size", UIDS)
def test_the_bytes_of_a_level_end_in_their_bcc(size: int) -> None:
    card = powered(UIDS[size])
    uid = b""
    for level in range(size // 3):
        *part, bcc = card.cascade_bytes(level)
        assert part[0] ^ part[1] ^ part[2] ^ part[3] == bcc
        last = level == size // 3 - 1
        assert last or part[0] == 0x88
        uid += bytes(part if last else part[1:])
    assert uid.hex() == UIDS[size]


@pytest.mark.parametrize("known", range(40))
def test_anticollision_answers_the_bits_that_are_not_known(known: int) -> None:
    card = powered()
    card.receive(*REQA)
    own = int.from_bytes(card.cascade_bytes(0), "little")
    nvb = (2 + known // 8) << 4 | known % 8
    given = (own & ((1 << known) - 1)).to_bytes((known + 7) // 8, "little")
    answer = card.receive(bytes((0x93, nvb)) + given, 16 + known)
    assert answer is not None
    assert answer[1] == 40 - known
    assert int.from_bytes(answer[0], "little") == own >> known
    assert card.state is S.READY


def test_a_card_with_other_bits_leaves_the_anticollision() -> None:
    card = powered("a61d227e")
    card.receive(*REQA)
    assert card.receive(b"\x93\x21\x01", 17) is None  # its first bit is 0
    assert card.state is S.IDLE


def test_select_of_another_uid_is_not_answered() -> None:
    card = powered()
    card.receive(*REQA)
    assert send(card, frame(b"\x93\x70\x01\x02\x03\x04\x04")) is None
    assert card.state is S.IDLE


def test_select_with_a_wrong_crc_is_not_answered() -> None:
    card = powered()
    card.receive(*REQA)
    assert send(card, b"\x93\x70" + card.cascade_bytes(0) + b"\x00\x00") is None
    assert card.state is S.IDLE


@pytest.mark.parametrize(
    "uid", ["", "a61d22", "a61d227e00", "xyz", "88112233", b"\x01" * 8, None, 4.5]
)
def test_a_bad_uid(uid: object) -> None:
    with pytest.raises(ValueError, match="uid"):
        Card(uid)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "uid", ["a6:1d:22:7e", "A6 1D 22 7E", bytes.fromhex("a61d227e"), (166, 29, 34, 126)]
)
def test_ways_to_write_a_uid(uid: object) -> None:
    assert Card(uid).uid == bytes.fromhex("a61d227e")  # type: ignore[arg-type]


@pytest.mark.parametrize("power_up", [-0.1, 2, float("nan")])
def test_a_bad_power_up_time(power_up: float) -> None:
    with pytest.raises(ValueError, match="power_up"):
        Card(UIDS[4], power_up=power_up)


def test_a_subclass_answers_commands_of_its_own() -> None:
    class Echo(Card):
        def command(self, data: bytes) -> Reply:
            return self.with_crc(data[::-1])

    card = Echo(UIDS[4])
    card.power_on()
    card.receive(*REQA)
    select(card)
    assert send(card, frame(b"\x01\x02\x03")) == (frame(b"\x03\x02\x01"), 40)
    assert card.state is S.ACTIVE
