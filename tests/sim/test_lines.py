"""Simulated lines keep the kernel's rules (gpiolib-cdev.c, include/uapi/linux/gpio.h)."""

from __future__ import annotations

import errno
import select

import pytest
from bare import events, settings

from pyasync_hw import VirtualClock, sim
from pyasync_hw._core import LineRequest

INPUT = settings()
BOTH = settings(edge_detection="both", bias="pull_up")


def is_readable(request: LineRequest) -> bool:
    return bool(select.select([request.fileno()], [], [], 0)[0])


def toggle(line: sim.SimLine, times: int) -> None:
    for _ in range(times):
        line.drive(1 - line.value)


@pytest.mark.parametrize(("bias", "level"), [("pull_up", 1), ("pull_down", 0)])
def test_a_pull_decides_when_nothing_drives(board: sim.Board, bias: str, level: int) -> None:
    with_bias = board.request_lines({17: settings(bias=bias)}, "test")
    line = board.line(17)
    assert (with_bias.get(), line.value) == (level, level)
    line.drive(1 - level)
    assert with_bias.get() == 1 - level
    line.release()
    assert with_bias.get() == level
    with_bias.close()


def test_a_floating_line_keeps_its_level(board: sim.Board) -> None:
    line = board.line(17)
    request = board.request_lines({17: settings(bias="disabled")}, "test")
    for level in (1, 0):
        line.drive(level)
        line.release()
        assert line.value == level
    request.close()


def test_pulls_at_power_on_are_those_of_the_chip(board: sim.Board) -> None:
    assert [board.line(gpio).value for gpio in (0, 8, 9, 27)] == [1, 1, 0, 0]


def test_bias_as_is_leaves_the_pull_of_the_last_request(board: sim.Board) -> None:
    board.request_lines({17: settings(bias="pull_up")}, "test").close()
    request = board.request_lines({17: INPUT}, "test")
    assert request.get() == 1
    request.close()


def test_active_low_turns_values_and_edges_round(board: sim.Board) -> None:
    line = board.line(17)
    line.drive(1)
    request = board.request_lines({17: settings(edge_detection="rising", active_low=True)}, "test")
    assert request.get() == 0
    line.drive(0)
    line.drive(1)
    assert [event.event_type for event in events(request)] == ["rising"]
    request.close()


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        ("none", []),
        ("rising", ["rising", "rising"]),
        ("falling", ["falling"]),
        ("both", ["rising", "falling", "rising"]),
    ],
)
def test_the_edge_filter(board: sim.Board, edge: str, expected: list[str]) -> None:
    request = board.request_lines({17: settings(edge_detection=edge, bias="pull_down")}, "test")
    toggle(board.line(17), 3)
    assert [event.event_type for event in events(request)] == expected
    request.close()


def test_an_edge_carries_the_time_at_which_it_happened(
    board: sim.Board, clock: VirtualClock
) -> None:
    request = board.request_lines({17: BOTH}, "test")
    clock.advance(1.25)
    board.line(17).drive(0)
    clock.advance(1)
    assert [event.timestamp_ns for event in events(request)] == [1_250_000_000]
    request.close()


def test_driving_to_the_present_level_is_no_edge(board: sim.Board) -> None:
    request = board.request_lines({17: BOTH}, "test")
    board.line(17).drive(1)
    board.line(17).release()
    assert events(request) == []
    request.close()


def test_sequence_numbers_count_per_request_and_per_line(board: sim.Board) -> None:
    request = board.request_lines({17: BOTH, 27: BOTH}, "test")
    board.line(17).drive(0)
    board.line(27).drive(0)
    board.line(17).drive(1)
    assert [(e.line_offset, e.global_seqno, e.line_seqno) for e in events(request)] == [
        (17, 1, 1),
        (27, 2, 1),
        (17, 3, 2),
    ]
    request.close()


def test_a_full_queue_drops_the_oldest_and_tells(board: sim.Board) -> None:
    request = board.request_lines({17: BOTH}, "test")
    toggle(board.line(17), 16 + 3)
    taken = events(request)
    assert [event.global_seqno for event in taken] == list(range(4, 20))
    assert [event.dropped for event in taken] == [3] + [0] * 15
    request.close()


def test_the_queue_has_16_events_per_line(board: sim.Board) -> None:
    request = board.request_lines({17: BOTH, 27: BOTH}, "test")
    toggle(board.line(17), 40)
    assert len(events(request)) == 32
    request.close()


def test_the_descriptor_is_readable_exactly_while_events_are_queued(board: sim.Board) -> None:
    request = board.request_lines({17: BOTH}, "test")
    assert not is_readable(request)
    toggle(board.line(17), 20)
    assert is_readable(request)
    assert len(events(request)) == 16
    assert not is_readable(request)
    toggle(board.line(17), 1)
    assert is_readable(request)
    request.close()


class TestDebounce:
    PERIOD = 0.005

    @pytest.fixture
    def request_(self, board: sim.Board) -> LineRequest:
        slow = settings(edge_detection="both", bias="pull_up", debounce_period=self.PERIOD)
        return board.request_lines({17: slow}, "test")

    def test_an_edge_comes_at_the_end_of_the_period(
        self, board: sim.Board, clock: VirtualClock, request_: LineRequest
    ) -> None:
        clock.advance(1)
        board.line(17).drive(0)
        clock.advance(self.PERIOD - 0.0001)
        assert (events(request_), request_.get()) == ([], 1)
        clock.advance(0.0001)
        [event] = events(request_)
        assert (event.event_type, event.timestamp_ns) == ("falling", 1_005_000_000)
        assert request_.get() == 0
        request_.close()

    def test_each_bounce_starts_the_period_again(
        self, board: sim.Board, clock: VirtualClock, request_: LineRequest
    ) -> None:
        for _ in range(3):
            toggle(board.line(17), 1)
            clock.advance(0.001)
        assert board.line(17).value == 0
        clock.advance(1)
        [event] = events(request_)
        assert event.timestamp_ns == 7_000_000
        request_.close()

    def test_a_bounce_that_comes_back_is_nothing(
        self, board: sim.Board, clock: VirtualClock, request_: LineRequest
    ) -> None:
        toggle(board.line(17), 2)
        clock.advance(1)
        assert events(request_) == []
        request_.close()


class TestOutput:
    def test_is_driven_and_read_back(self, board: sim.Board) -> None:
        request = board.request_lines({17: settings(direction="output", output_value=True)}, "test")
        assert (board.line(17).value, request.get()) == (1, 1)
        request.set(1, 0)
        assert (board.line(17).value, request.get()) == (0, 0)
        request.close()

    def test_a_stronger_hand_shows_in_the_read_back(self, board: sim.Board) -> None:
        request = board.request_lines({17: settings(direction="output", output_value=True)}, "test")
        board.line(17).drive(0)
        assert request.get() == 0
        request.close()

    def test_active_low(self, board: sim.Board) -> None:
        request = board.request_lines(
            {17: settings(direction="output", active_low=True, output_value=True)}, "test"
        )
        assert (board.line(17).value, request.get()) == (0, 1)
        request.close()

    @pytest.mark.parametrize(
        ("drive", "strong", "pull"), [("open_drain", 0, "pull_up"), ("open_source", 1, "pull_down")]
    )
    def test_open_drain_and_open_source_leave_one_level_to_the_pull(
        self, board: sim.Board, drive: str, strong: int, pull: str
    ) -> None:
        request = board.request_lines(
            {17: settings(direction="output", drive=drive, bias=pull)}, "test"
        )
        request.set(1, strong)
        assert board.line(17).value == strong
        request.set(1, 1 - strong)
        assert board.line(17).value == 1 - strong  # by the pull
        request.close()

    def test_the_line_is_an_input_again_when_the_request_closes(self, board: sim.Board) -> None:
        board.request_lines({17: settings(direction="output", output_value=True)}, "t").close()
        assert board.line(17).value == 0

    def test_an_input_cannot_be_set(self, board: sim.Board) -> None:
        request = board.request_lines({17: INPUT, 27: settings(direction="output")}, "test")
        with pytest.raises(PermissionError):
            request.set(0b11, 0b11)
        assert board.line(27).value == 0
        request.close()


class TestConfig:
    def test_an_input_becomes_an_output(self, board: sim.Board) -> None:
        request = board.request_lines({17: BOTH}, "test")
        request.config([settings(direction="output", output_value=True)])
        assert board.line(17).value == 1
        toggle(board.line(17), 1)
        assert events(request) == []
        request.close()

    def test_events_that_are_queued_stay_and_numbers_go_on(self, board: sim.Board) -> None:
        request = board.request_lines({17: BOTH}, "test")
        toggle(board.line(17), 2)
        request.config([settings(edge_detection="falling", bias="pull_up")])
        toggle(board.line(17), 2)
        assert [event.global_seqno for event in events(request)] == [1, 2, 3]
        request.close()

    def test_a_line_as_it_is_stays_as_it_was(self, board: sim.Board) -> None:
        request = board.request_lines({17: BOTH, 27: INPUT}, "test")
        request.config([settings(direction="as_is"), BOTH])
        toggle(board.line(17), 1)
        assert len(events(request)) == 1
        request.close()


class TestRequest:
    def test_a_line_has_one_holder_whose_name_is_told(self, board: sim.Board) -> None:
        first = board.request_lines({17: INPUT}, "door bell")
        assert board.line(17).consumer == "door bell"
        with pytest.raises(OSError, match="door bell") as caught:
            board.request_lines({27: INPUT, 17: INPUT}, "other")
        assert caught.value.errno == errno.EBUSY
        assert board.line(27).consumer is None
        first.close()
        assert board.line(17).consumer is None
        board.request_lines({27: INPUT, 17: INPUT}, "other").close()

    def test_the_same_line_twice(self, board: sim.Board) -> None:
        with pytest.raises(OSError, match="twice"):
            board.request_lines({17: INPUT, "GPIO17": INPUT}, "test")

    def test_no_lines(self, board: sim.Board) -> None:
        with pytest.raises(ValueError, match="1 to 64"):
            board.request_lines({}, "test")

    def test_hardware_time_stamps_are_not_supported(self, board: sim.Board) -> None:
        with pytest.raises(OSError) as caught:
            board.request_lines({17: settings(event_clock="hte")}, "test")
        assert caught.value.errno == errno.EOPNOTSUPP

    def test_events_before_the_request_are_not_its_own(self, board: sim.Board) -> None:
        toggle(board.line(17), 3)
        request = board.request_lines({17: BOTH}, "test")
        assert events(request) == []
        request.close()
