"""i2c.Device and i2c.Bus: on the simulated board, by what a program sees."""

from __future__ import annotations

import asyncio
import errno
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import pyasync_hw
from pyasync_hw import _core, i2c, sim

ADDRESS = 0x76
BIT = 10_000  # ns at 100 kHz


class Registers:
    """A part with 256 registers and a pointer that goes on, as most sensors are."""

    def __init__(self) -> None:
        self.memory = bytearray(range(256))
        self.pointer = 0
        self.log: list[tuple[str, Any]] = []

    def write(self, data: bytes) -> None:
        self.log.append(("write", data))
        if data:
            self.pointer = data[0]
            for value in data[1:]:
                self.memory[self.pointer] = value
                self.pointer = (self.pointer + 1) % 256

    def read(self, n: int) -> bytes:
        self.log.append(("read", n))
        found = bytes(self.memory[(self.pointer + i) % 256] for i in range(n))
        self.pointer = (self.pointer + n) % 256
        return found


@pytest.fixture
def part(hw_board: sim.Board) -> Registers:
    part = Registers()
    hw_board.attach_i2c("i2c-1", ADDRESS, part)
    return part


def on_asyncio(main: Callable[[], Awaitable[Any]]) -> Any:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(main())


@pytest.fixture(params=["ours", "virtual", "asyncio"])
def run(request: pytest.FixtureRequest, hw_board: sim.Board) -> Callable[[Any], Any]:
    if request.param == "asyncio":
        return on_asyncio
    clock = hw_board.clock if request.param == "virtual" else None
    return lambda main: pyasync_hw.run(main(), clock=clock)


def test_read_write_and_write_read(part: Registers, run: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with i2c.Device("i2c-1", ADDRESS) as device:
            await device.write(b"\x10abc")
            assert await device.write_read(b"\x10", 3) == b"abc"
            assert await device.read(2) == bytes([0x13, 0x14])
            assert await device.transfer([b"\x10", bytearray(b"\x20"), 2]) == [b" !"]

    run(main)
    assert part.log[:3] == [("write", b"\x10abc"), ("write", b"\x10"), ("read", 3)]


def test_the_same_without_a_loop(part: Registers) -> None:
    with i2c.Device(1, ADDRESS) as device:
        device.blocking.write(b"\x10abc")
        assert device.blocking.write_read(b"\x10", 3) == b"abc"
        assert device.blocking.read(1) == b"\x13"
    with i2c.BlockingBus("/dev/i2c-1") as bus, bus.device(ADDRESS) as device:
        assert device.write_read(b"\x10", 1) == b"a"
        assert bus.transfer([(ADDRESS, b"\x11"), (ADDRESS, 2)]) == [b"bc"]
    assert bus.closed


def test_it_takes_its_bits_on_the_virtual_clock(hw_board: sim.Board, part: Registers) -> None:
    async def main() -> None:
        async with i2c.Device("i2c-1", ADDRESS) as device:
            before = hw_board.clock.time_ns()
            await device.write(b"\0")
            assert hw_board.clock.time_ns() - before == (1 + 2 * 9 + 1) * BIT
            before = hw_board.clock.time_ns()
            assert len(await device.write_read(b"\0", 100)) == 100
            assert hw_board.clock.time_ns() - before == (1 + 18 + 1 + 909 + 1) * BIT

    assert hw_board.clock is not None
    pyasync_hw.run(main(), clock=hw_board.clock)


def test_a_loop_goes_on_during_a_long_message(
    hw_board: sim.Board, run: Callable[[Any], Any]
) -> None:
    class Slow(Registers):
        def read(self, n: int) -> bytes:
            loop.call_soon_threadsafe(started.set)
            assert goes_on.wait(60)
            return super().read(n)

    loop: asyncio.AbstractEventLoop
    started = asyncio.Event()
    goes_on = threading.Event()
    hw_board.attach_i2c("i2c-1", 0x20, Slow())

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        async with i2c.Device("i2c-1", 0x20) as device:
            reading = asyncio.ensure_future(device.read(10))
            await started.wait()
            goes_on.set()
            assert await reading == bytes(range(10))

    run(main)


def test_tasks_get_the_bus_in_the_order_in_which_they_came(
    part: Registers, run: Callable[[Any], Any]
) -> None:
    async def main() -> None:
        async with i2c.Bus("i2c-1") as bus:
            device = bus.device(ADDRESS)
            # long and short ones: not all of them go to the executor
            jobs = [device.write(bytes([n]) * (1 + n % 2 * 5)) for n in range(20)]
            await asyncio.gather(*jobs)

    run(main)
    assert [data[0] for _, data in part.log] == list(range(20))


def test_a_lock_keeps_other_tasks_out(part: Registers, run: Callable[[Any], Any]) -> None:
    async def main() -> None:
        async with i2c.Device("i2c-1", ADDRESS) as device:
            async with device.bus.lock():
                other = asyncio.ensure_future(device.write(b"other"))
                await asyncio.sleep(0)
                await device.write(b"first")
                await device.write(b"second")
                cancelled = asyncio.ensure_future(device.write(b"cancelled"))
                await asyncio.sleep(0)
                cancelled.cancel()
            await other
            await device.write(b"last")
            assert cancelled.cancelled()

    run(main)
    assert [data for _, data in part.log] == [b"first", b"second", b"other", b"last"]


@pytest.mark.parametrize("model", ["pi-zero-w", "pi-5"])
def test_nothing_answers(model: str) -> None:
    with sim.Board(model), i2c.Device("i2c-1", 0x76) as device:
        for call in (
            lambda: device.blocking.read(1),
            lambda: device.blocking.write(b"abc"),
            lambda: device.blocking.write_read(b"a", 1),
        ):
            with pytest.raises(OSError, match="nothing answers at 0x76 of i2c-1") as caught:
                call()
            assert caught.value.errno == errno.EREMOTEIO


def test_a_part_that_does_not_acknowledge(hw_board: sim.Board) -> None:
    class Refuses(Registers):
        def write(self, data: bytes) -> bool:
            return data != b"no"

    hw_board.attach_i2c(1, 0x20, Refuses())
    with i2c.Device(1, 0x20) as device:
        device.blocking.write(b"yes")
        with pytest.raises(OSError, match="nothing answers at 0x20"):
            device.blocking.write(b"no")


def test_missing_bytes_read_as_ff(hw_board: sim.Board) -> None:
    class Short(Registers):
        def read(self, n: int) -> bytes:
            return b"ab"

    hw_board.attach_i2c(1, 0x20, Short())
    with i2c.Device(1, 0x20) as device:
        assert device.blocking.read(4) == b"ab\xff\xff"


def test_what_a_part_raises_is_reported(hw_board: sim.Board, monkeypatch: Any) -> None:
    class Broken(Registers):
        def write(self, data: bytes) -> None:
            raise ArithmeticError("of the part")

        def read(self, n: int) -> bytes:
            return bytes(n + 1)

    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_value))
    hw_board.attach_i2c(1, 0x20, Broken())
    with i2c.Device(1, 0x20) as device:
        for call in (lambda: device.blocking.write(b"a"), lambda: device.blocking.read(3)):
            with pytest.raises(OSError, match="nothing answers"):
                call()
    assert [type(exc) for exc in seen] == [ArithmeticError, ValueError]


def test_a_part_is_taken_away(hw_board: sim.Board, part: Registers) -> None:
    with i2c.Device(1, ADDRESS) as device:
        device.blocking.read(1)
        hw_board.detach_i2c(1, ADDRESS)
        with pytest.raises(OSError, match="nothing answers"):
            device.blocking.read(1)
        with pytest.raises(LookupError, match="nothing is attached to 0x76 of i2c-1"):
            hw_board.detach_i2c(1, ADDRESS)


def test_a_board_that_is_unplugged(part: Registers) -> None:
    with sim.Board() as board:
        board.attach_i2c(1, 0x20, part)
        device = i2c.Device(1, 0x20)
    with device, pytest.raises(OSError) as caught:
        device.blocking.read(1)
    assert caught.value.errno == errno.ESHUTDOWN


def test_scan(hw_board: sim.Board, part: Registers, run: Callable[[Any], Any]) -> None:
    hw_board.attach_i2c(1, 0x50, part)  # where an EEPROM is: it is read

    async def main() -> None:
        async with i2c.Bus(1) as bus:
            assert await bus.scan() == [0x50, 0x76]

    run(main)
    assert part.log == [("read", 1), ("write", b"")]


def test_ten_bit_addresses(part: Registers) -> None:
    with sim.Board("pi-5") as board:
        board.attach_i2c(1, 0x150, part, ten_bit=True)
        with i2c.Device(1, 0x150, ten_bit=True) as device:
            assert device.blocking.write_read(b"\x07", 1) == b"\x07"
        with i2c.Device(1, 0x50) as device, pytest.raises(OSError, match="nothing answers"):
            device.blocking.read(1)
    with i2c.Device(1, 0x150, ten_bit=True) as device, pytest.raises(OSError) as caught:
        device.blocking.read(1)  # a Pi Zero
    assert caught.value.errno == errno.EOPNOTSUPP
    assert "10-bit" in str(caught.value)


def test_a_pi_zero_reads_in_the_last_message_only(part: Registers) -> None:
    with i2c.Device(1, ADDRESS) as device, pytest.raises(OSError) as caught:
        device.blocking.transfer([1, b"a"])
    assert caught.value.errno == errno.EOPNOTSUPP
    with sim.Board("pi-5") as board:
        board.attach_i2c(1, ADDRESS, part)
        with i2c.Device(1, ADDRESS) as device:
            assert device.blocking.transfer([1, b"\x09", 2, 1]) == [b"\0", b"\x09\x0a", b"\x0b"]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], "1 to 42 messages, not 0"),
        ([b"a"] * 43, "1 to 42 messages, not 43"),
        ([bytes(8193)], "at most 8192 bytes"),
        ([8193], "must be 0 to 8192"),
        ([-1], "must be 0 to 8192"),
    ],
)
def test_bad_transfers(part: Registers, messages: list[Any], text: str) -> None:
    with i2c.Device(1, ADDRESS) as device, pytest.raises(ValueError, match=text):
        device.blocking.transfer(messages)
    assert part.log == []


def test_bad_arguments(hw_board: sim.Board, part: Registers) -> None:
    with pytest.raises(ValueError, match=r"0x00 to 0x7f, not 0xec.*0x76 then"):
        i2c.Device(1, 0xEC)
    with pytest.raises(TypeError, match="address is a whole number"):
        i2c.Device(1, "0x76")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is not an I2C bus; write"):
        i2c.Bus("spi0.0")
    with pytest.raises(TypeError, match="an I2C bus is a number or a name"):
        i2c.Bus(1.0)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="no such I2C bus"):
        i2c.Bus(7)
    with pytest.raises(TypeError, match=r"write\(data\) and read\(n\)"):
        hw_board.attach_i2c(1, 0x20, object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has no i2c-7; it has i2c-0, i2c-1"):
        hw_board.attach_i2c(7, 0x20, part)
    with pytest.raises(OSError, match="something has this address already"):
        hw_board.attach_i2c(1, ADDRESS, part)
    with i2c.Device(1, ADDRESS) as device:
        for bad in ([1], "ab", None, 1.5):
            with pytest.raises(TypeError):
                device.blocking.transfer([bad])  # type: ignore[list-item]


def test_closed(part: Registers, run: Callable[[Any], Any]) -> None:
    device = i2c.Device(1, ADDRESS)
    device.close()
    device.close()
    assert device.closed
    with pytest.raises(ValueError, match="I2C bus i2c-1 is closed"):
        device.blocking.read(1)

    async def main() -> None:
        with pytest.raises(ValueError, match="closed"):
            await device.read(1)
        with pytest.raises(ValueError, match="closed"):
            async with device:
                pass

    run(main)


def test_a_real_bus_is_not_for_a_virtual_clock_and_says_how_to_switch_it_on() -> None:
    from pyasync_hw.hardware import KernelBackend

    with pytest.raises(FileNotFoundError, match="switch I2C on") as caught:
        i2c.Bus(250, board=KernelBackend())
    assert caught.value.filename == "/dev/i2c-250"
    with pytest.raises(OSError, match="it is no I2C bus"):
        _core.open_i2cdev("/dev/null", "i2c-0")


class Count:
    """A number as numpy's are: with a buffer, where Python lets a class have one (3.12)."""

    def __index__(self) -> int:
        return 3

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(b"12345678")


def test_a_count_that_has_a_buffer_is_read_and_never_written(hw_board: sim.Board) -> None:
    written: list[bytes] = []

    class Part:
        def write(self, data: bytes) -> None:
            written.append(data)

        def read(self, n: int) -> bytes:
            return bytes(n)

    hw_board.attach_i2c(1, 0x50, Part())
    with i2c.Device(1, 0x50) as device:
        count: Any = Count()
        assert device.blocking.read(count) == bytes(3)
        assert device.blocking.write_read(b"a", count) == bytes(3)
        assert device.blocking.transfer([count]) == [bytes(3)]
        with pytest.raises(TypeError, match=r"what is written is bytes, .*write bytes\(\[3\]\)"):
            device.blocking.write(count)
    assert written == [b"a"]
