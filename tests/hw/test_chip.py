"""gpio.Chip and gpio.LineRequest."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError as FuturesCancelledError
from datetime import timedelta
from typing import Any

import pytest

from pyasync_hw import CancelToken, gpio, sim

Runner = Callable[[Awaitable[Any]], Any]
CHIP = "gpiochip0"
INPUT = gpio.LineSettings(direction="input", bias="pull_up", edge_detection="both")
OUTPUT = gpio.LineSettings(direction="output")


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


# -- what there is to know -------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dev/gpiochip0", "gpiochip0", "pinctrl-bcm2835"])
def test_a_chip_by_path_name_and_label(hw_board: sim.Board, path: str) -> None:
    with gpio.Chip(path) as chip:
        assert chip.get_info() == gpio.ChipInfo("gpiochip0", "pinctrl-bcm2835", 54)
        assert chip.path == "/dev/gpiochip0"
    assert chip.closed
    with pytest.raises(ValueError, match="GPIO chip gpiochip0 is closed"):
        chip.get_info()


def test_another_chip_is_not_there(hw_board: sim.Board) -> None:
    with pytest.raises(FileNotFoundError, match="pinctrl-bcm2835"):
        gpio.Chip("pinctrl-rp1", board=hw_board)


def test_lines_by_name_and_offset(hw_board: sim.Board) -> None:
    with gpio.Chip(CHIP) as chip:
        # Device trees of a Pi Zero call GPIO4 so.
        assert chip.line_offset_from_id("GPIO_GCLK") == 4
        assert chip.line_offset_from_id(53) == 53
        for wrong in ("GPIO4", 54, -1):
            with pytest.raises(ValueError, match=f"{wrong}"):
                chip.line_offset_from_id(wrong)
    with gpio.Input("GPIO4") as line:
        assert line.line_offset == 4


def test_line_info(hw_board: sim.Board) -> None:
    with gpio.Chip(CHIP) as chip:
        free = chip.get_line_info("GPIO17")
        assert (free.offset, free.name, free.used, free.consumer) == (17, "GPIO17", False, "")
        settings = gpio.LineSettings(
            direction="input",
            edge_detection="falling",
            bias="pull_up",
            active_low=True,
            debounce_period=timedelta(milliseconds=5),
            event_clock="realtime",
        )
        with chip.request_lines({17: settings}, consumer="bell"):
            info = chip.get_line_info(17)
            assert info == gpio.LineInfo(
                offset=17,
                name="GPIO17",
                used=True,
                consumer="bell",
                direction="input",
                active_low=True,
                bias="pull_up",
                drive="push_pull",
                edge_detection="falling",
                event_clock="realtime",
                debounced=True,
                debounce_period=0.005,
            )
        lamp = gpio.LineSettings(direction="output", drive="open_drain")
        with chip.request_lines({17: lamp}):
            info = chip.get_line_info(17)
            assert (info.direction, info.drive, info.bias) == ("output", "open_drain", "unknown")


# -- info events -----------------------------------------------------------------------


def test_who_watches_a_line_hears_of_it(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Chip(CHIP) as chip:
            assert chip.watch_line_info("GPIO17").consumer == ""
            waiter = asyncio.ensure_future(chip.next_info_event())
            await settle()
            assert not waiter.done()
            with chip.request_lines({17: INPUT, 27: INPUT}, consumer="bell") as request:
                event = await waiter
                assert (event.event_type, event.line_info.consumer) == ("requested", "bell")
                request.reconfigure_lines({17: OUTPUT})
                event = await chip.next_info_event()
                assert (event.event_type, event.line_info.direction) == ("config", "output")
            later = await chip.next_info_event()
            assert (later.event_type, later.line_info.used) == ("released", False)
            assert later.timestamp_ns >= event.timestamp_ns
            chip.unwatch_line_info(17)
            gpio.Input(17).close()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(chip.next_info_event(), 0.01)

    run(main())


def test_an_iterator_of_info_events(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        seen = []
        with gpio.Chip(CHIP) as chip:
            chip.watch_line_info(17)
            gpio.Input(17).close()
            async for event in chip.info_events():
                seen.append(event.event_type)
                if len(seen) == 2:
                    chip.close()
        assert seen == ["requested", "released"]

    run(main())


def test_a_cancelled_waiter_takes_no_event(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        with gpio.Chip(CHIP) as chip:
            chip.watch_line_info(17)
            first, second = (asyncio.ensure_future(chip.next_info_event()) for _ in range(2))
            await settle()
            line = gpio.Input(17)
            first.cancel()
            assert (await second).event_type == "requested"
            line.close()
            assert (await chip.next_info_event()).event_type == "released"
            with pytest.raises(asyncio.CancelledError):
                await first

    run(main())


def test_close_and_unplug_reach_all_who_wait(run: Runner) -> None:
    async def main(unplug: bool, expected: int) -> None:
        board = sim.Board()
        chip = gpio.Chip(CHIP, board=board)
        request = gpio.request_lines(CHIP, {17: INPUT}, board=board)
        waits = [chip.next_info_event(), chip.next_info_event()]
        waits += [request.next_event(), request.next_event()]
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        await settle()
        if unplug:
            board.close()
        else:
            chip.close()
            request.release()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, OSError) and outcome.errno == expected
        chip.close()
        request.release()
        board.close()

    run(main(True, errno.ENODEV))
    run(main(False, errno.EBADF))


def test_the_newest_of_more_than_32_goes(hw_board: sim.Board) -> None:
    with gpio.Chip(CHIP) as chip:
        chip.watch_line_info(17)
        for i in range(20):
            gpio.Input(17, consumer=str(i)).close()
        kept = [chip.blocking.next_info_event() for _ in range(32)]
        assert [e.line_info.consumer for e in kept[::2]] == [str(i) for i in range(16)]
        with pytest.raises(TimeoutError):
            chip.blocking.next_info_event(timeout=0)


def test_watching_twice_and_not_at_all(hw_board: sim.Board) -> None:
    with gpio.Chip(CHIP) as chip, gpio.Chip(CHIP) as other:
        chip.watch_line_info(17)
        other.watch_line_info(17)
        with pytest.raises(OSError, match="watched already") as caught:
            chip.watch_line_info(17)
        assert caught.value.errno == errno.EBUSY
        with pytest.raises(OSError, match="not watched"):
            chip.unwatch_line_info(18)


def test_blocking_for_an_info_event() -> None:
    with sim.Board() as board, gpio.Chip(CHIP, board=board) as chip:
        chip.watch_line_info(17)
        taker = threading.Timer(0.01, lambda: gpio.Input(17, board=board).close())
        taker.start()
        assert chip.blocking.next_info_event(timeout=60).event_type == "requested"
        taker.join()
        chip.blocking.next_info_event(timeout=60)
        token = CancelToken()
        token.cancel()
        with pytest.raises(FuturesCancelledError):
            chip.blocking.next_info_event(token=token)
        closer = threading.Timer(0.01, chip.close)
        closer.start()
        with pytest.raises(OSError, match="closed while") as caught:
            chip.blocking.next_info_event(timeout=60)
        assert caught.value.errno == errno.EBADF
        closer.join()


# -- requests of several lines -----------------------------------------------------------


def test_values_of_several_lines(hw_board: sim.Board) -> None:
    with gpio.Chip(CHIP) as chip:
        request = chip.request_lines(
            {("GPIO17", 27): INPUT, 5: gpio.LineSettings(active_low=True)}, output_values={5: 1}
        )
    with request:  # it outlives its chip
        assert (request.lines, request.offsets) == (("GPIO17", 27, 5), (17, 27, 5))
        assert request.get_values() == [1, 1, 1]
        assert hw_board.line(5).value == 0
        request.set_value(5, 0)
        hw_board.line(27).drive(0)
        assert request.get_values([5, 27, 17]) == [0, 0, 1]
        assert request.get_value("GPIO17") == request.get_value(17) == 1
        with pytest.raises(PermissionError, match="an input cannot be set"):
            request.set_values({5: 1, 27: 1})
        with pytest.raises(ValueError, match="line 6 is not requested here; these are: 'GPIO17'"):
            request.get_value(6)
        with pytest.raises(ValueError, match="must be 0 or 1"):
            request.set_value(5, 2)
    with pytest.raises(ValueError, match="closed"):
        request.get_values()


def test_sixty_four_lines_at_most(hw_board: sim.Board) -> None:
    with gpio.request_lines(CHIP, {tuple(range(54)): INPUT}) as request:
        assert request.num_lines == 54
    board = sim.Board("pi-4")
    with pytest.raises(ValueError, match="twice"):
        gpio.request_lines(CHIP, {(17, 18): INPUT, 17: None}, board=board)
    with pytest.raises(ValueError, match=r"lines 0 to|line must be"):
        gpio.request_lines(CHIP, {tuple(range(65)): INPUT}, board=board)
    board.close()


def test_others_keep_their_settings_and_values(hw_board: sim.Board) -> None:
    config = {17: INPUT, 5: OUTPUT, 6: OUTPUT}
    with gpio.request_lines(CHIP, config) as request, gpio.Chip(CHIP) as chip:
        request.set_values({5: 1, 6: 1})
        request.reconfigure_lines({17: gpio.LineSettings(direction="input", active_low=True)})
        assert (hw_board.line(5).value, hw_board.line(6).value) == (1, 1)
        assert chip.get_line_info(5).direction == "output"
        assert chip.get_line_info(17).edge_detection == "none"
        request.reconfigure_lines({5: INPUT})
        assert chip.get_line_info(17).active_low
        hw_board.line(5).drive(0)
        assert request.blocking.next_event(timeout=60).line_offset == 5


def test_edges_of_several_lines_in_one_order(run: Runner, hw_board: sim.Board) -> None:
    async def main() -> None:
        async with gpio.request_lines(CHIP, {(17, 27): INPUT}) as request:
            events = request.events()
            for pin, level in ((17, 0), (27, 0), (17, 1)):
                hw_board.line(pin).drive(level)
            seen = [await request.next_event() for _ in range(3)]
            assert [(e.line_offset, e.event_type, e.global_seqno, e.line_seqno) for e in seen] == [
                (17, "falling", 1, 1),
                (27, "falling", 2, 1),
                (17, "rising", 3, 2),
            ]
            assert [await anext(events) for _ in range(3)] == seen
            waiter = asyncio.ensure_future(request.next_event())
            await settle()
            waiter.cancel()
            hw_board.line(27).drive(1)
            assert (await request.next_event()).line_offset == 27

    run(main())


def test_reading_edges(hw_board: sim.Board) -> None:
    with gpio.request_lines(CHIP, {(17, 27): INPUT}, event_buffer_size=4) as request:
        assert request.read_edge_events() == []
        with pytest.raises(TimeoutError):
            request.blocking.read_edge_events(timeout=0)
        for i in range(6):
            hw_board.line(17).drive(i % 2)
        hw_board.line(27).drive(0)
        events = request.blocking.read_edge_events(3)
        assert [(e.line_offset, e.dropped, e.value) for e in events] == [
            (17, 3, 1),
            (17, 0, None),
            (17, 0, None),
        ]
        assert [e.line_offset for e in request.read_edge_events()] == [27]


def test_a_line_that_is_taken_names_who_has_it(hw_board: sim.Board) -> None:
    with (
        gpio.request_lines(CHIP, {(17, 27): INPUT}, consumer="bell"),
        pytest.raises(OSError, match="it is in use by 'bell'") as caught,
    ):
        gpio.request_lines(CHIP, {(27, 5): INPUT})
    assert caught.value.errno == errno.EBUSY
