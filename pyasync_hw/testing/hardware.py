"""What tests marked `hw` run on: the simulator, a Raspberry Pi's hardware, or a kernel's gpio-sim.

Each says what it lacks by Missing, whose text is the reason of a skip.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from .. import VirtualClock, gpio, hardware, i2c, sim, spi
from ..hardware.pins import HEADER_GPIOS, parse_pin, parse_spi
from ..hardware.wiring import Wiring
from .gpio_sim import GpioSim, Missing

__all__ = ["FEATURES", "Bench", "KernelBench", "Missing", "RealBench", "SimBench", "Wire"]

FEATURES = ("gpio", "spi", "i2c", "reader", "card")
_SIM_CARD = "a61d227e"


class Wire:
    """Two lines that are connected: `a` is for an output, `b` for an input.

    Open the ends by output() and input(), with the settings of gpio.Output and gpio.Input:
    on gpio-sim, where there is no wire, that is what carries the level to the other end.
    """

    def __init__(self, a: int | str, b: int | str, chip: str | None = None) -> None:
        self.a = a
        self.b = b
        self.chip = chip

    def output(self, **settings: Any) -> gpio.Output:
        """The end that drives."""
        return gpio.Output(self.a, chip=self.chip, **settings)

    def input(self, **settings: Any) -> gpio.Input:
        """The end that sees what the other one drives."""
        return gpio.Input(self.b, chip=self.chip, **settings)


class _CarriedOutput(gpio.Output):
    """An output that tells its wire."""

    def __init__(self, wire: GpioSimWire, **settings: Any) -> None:
        self._wire = wire
        super().__init__(wire.a, chip=wire.chip, **settings)
        self._wire.carry(self._physical)

    @property
    def _physical(self) -> int:
        return self._core.get(1) ^ self._settings.active_low

    def _set(self, value: int) -> None:
        super()._set(value)
        self._wire.carry(self._physical)


class GpioSimWire(Wire):
    """Lines 0 and 1 of a chip: what its output does, line 1 is pulled to."""

    def __init__(self, chip: GpioSim) -> None:
        super().__init__(0, 1, chip.path)
        self._chip = chip

    def output(self, **settings: Any) -> gpio.Output:
        """See Wire.output()."""
        return _CarriedOutput(self, **settings)

    def carry(self, level: int) -> None:
        """Line 0 is at this level now."""
        self._chip.pull(1, level)


class _Echo:
    """MISO is MOSI."""

    def transfer(self, data: bytes) -> bytes:
        return data


class _Memory:
    """256 bytes; the first one of a message says where."""

    def __init__(self) -> None:
        self._bytes = bytearray(256)
        self._next = 0

    def write(self, data: bytes) -> None:
        if data:
            self._next = data[0]
        for byte in data[1:]:
            self._bytes[self._next] = byte
            self._next = (self._next + 1) % 256

    def read(self, n: int) -> bytes:
        answer = bytes(self._bytes[(self._next + i) % 256] for i in range(n))
        self._next = (self._next + n) % 256
        return answer


class Bench:
    """The hardware of one kind; `wiring` is what board.toml says, `file` its name."""

    def __init__(self, wiring: Wiring | None, file: str | None) -> None:
        self.wiring = wiring or Wiring()
        self._file = file

    @contextmanager
    def board(self, time_limit: float | None) -> Iterator[hardware.Backend]:
        """It, as the current hardware."""
        backend = hardware.KernelBackend(self.wiring.readers)
        use = hardware.use(backend)
        try:
            yield backend
        finally:
            use.close()

    def close(self) -> None:
        """After the last test."""

    def check(self, feature: str) -> None:
        """Raises Missing when that cannot be had."""
        named = dict(
            zip(FEATURES, (self.wire, self.spi, self.i2c, self.reader, self.card), strict=True)
        )
        named[feature](None)

    def wire(self, board: Any) -> Wire:
        """Two lines that are connected."""
        raise NotImplementedError

    def spi(self, board: Any) -> str:
        """An SPI device that sends back what it gets."""
        if self.wiring.loops.spi_loop is None:
            raise Missing(self._say("connect MOSI and MISO", 'spi_loop = "spi0.1"'))
        return self._there(self.wiring.loops.spi_loop)

    def i2c(self, board: Any) -> tuple[int | str, int]:
        """Bus and address of a device that may be read and written."""
        if self.wiring.loops.i2c is None:
            deed = "connect an I2C device that may be read and written"
            raise Missing(self._say(deed, 'i2c = ["i2c-1", 0x50]'))
        bus, _ = self.wiring.loops.i2c
        _look(lambda: i2c.Bus(bus, board=hardware.KernelBackend()))
        return self.wiring.loops.i2c

    def reader(self, board: Any) -> str:
        """The SPI device of a reader that is wired."""
        if not self.wiring.readers:
            raise Missing(f"no RC522: wire one, and say so in a table [[rc522]] of {self._name}")
        return self._there(self.wiring.readers[0].bus)

    def _there(self, bus: str) -> str:
        _look(lambda: spi.Device(bus, board=hardware.KernelBackend(), via="board"))
        return bus

    def card(self, board: Any) -> bytes:
        """The UID of a card that lies in the field of that reader."""
        self.reader(board)
        if self.wiring.loops.card is None:
            raise Missing(self._say("lay a card on the reader", f'card = "{_SIM_CARD}"'))
        return bytes.fromhex(self.wiring.loops.card)

    @property
    def _name(self) -> str:
        return self._file or "a board.toml (--board FILE)"

    def _say(self, deed: str, line: str) -> str:
        return f"{deed}, and say so in table [hw] of {self._name}: {line}"


class SimBench(Bench):
    """A fresh board for each test, with everything that a test may ask for."""

    @contextmanager
    def board(self, time_limit: float | None) -> Iterator[sim.Board]:
        """See Bench.board()."""
        clock = VirtualClock(limit=time_limit)
        with sim.wired_board(self.wiring, clock=clock, name="hw_board") as board:
            yield board

    def check(self, feature: str) -> None:
        """Nothing is missing."""

    def wire(self, board: sim.Board) -> Wire:
        """See Bench.wire()."""
        one, other = self.wiring.loops.loopback or _free_pins(board, 5, 6)
        board.attach(sim.Wire(one, other))
        return Wire(one, other)

    def spi(self, board: sim.Board) -> str:
        """See Bench.spi()."""
        spec = self.wiring.loops.spi_loop or _free_spi(board, "spi0.1")
        board.attach_spi(*parse_spi(spec), _Echo())
        return spec

    def i2c(self, board: sim.Board) -> tuple[int | str, int]:
        """See Bench.i2c()."""
        bus, address = self.wiring.loops.i2c or ("i2c-1", 0x50)
        try:
            board.attach_i2c(bus, address, _Memory())
        except OSError as exc:
            if exc.errno != errno.EBUSY:  # a [[part]] is there, and answers
                raise
        return bus, address

    def reader(self, board: sim.Board) -> str:
        """See Bench.reader()."""
        if not board.readers:
            irq, reset = _free_pins(board, 24, 25)
            where = _free_spi(board, "spi0.0")
            board.attach_rc522(where, irq=irq, reset=reset, name="hw_reader")
        return board.readers[0].bus

    def card(self, board: sim.Board) -> bytes:
        """See Bench.card()."""
        self.reader(board)
        uid = self.wiring.loops.card or _SIM_CARD
        board.readers[0].present(sim.MifareClassic1K(uid=uid))
        return bytes.fromhex(uid)


class RealBench(Bench):
    """The header of a Raspberry Pi, and what board.toml says of it."""

    def wire(self, board: Any) -> Wire:
        """See Bench.wire()."""
        if self.wiring.loops.loopback is None:
            deed = "connect two pins of the header that nothing else is on"
            raise Missing(self._say(deed, 'loopback = ["GPIO5", "GPIO6"]'))
        for pin in self.wiring.loops.loopback:
            _look(partial(gpio.Input, pin, edges="none", board=hardware.KernelBackend()))
        return Wire(*self.wiring.loops.loopback)


class KernelBench(Bench):
    """The lines of gpio-sim, and of board.toml what the machine has besides."""

    def __init__(self, wiring: Wiring | None, file: str | None) -> None:
        super().__init__(wiring, file)
        self._chip: GpioSim | None = None

    def close(self) -> None:
        """Take the chip away again."""
        if self._chip is not None:
            self._chip.close()
            self._chip = None

    def wire(self, board: Any) -> Wire:
        """See Bench.wire()."""
        if self._chip is None:
            self._chip = GpioSim(num_lines=2)
        return GpioSimWire(self._chip)


def _free_pins(board: sim.Board, *wanted: int) -> tuple[str, str]:
    """Two pins that nothing is wired to."""
    taken = {line.offset for part in board.parts for line in part.lines.values()}
    for reader in board.readers:
        taken |= {parse_pin(pin) for pin in (reader.irq, reader.reset) if pin is not None}
    one, other = [pin for pin in (*wanted, *HEADER_GPIOS) if pin not in taken][:2]
    return f"GPIO{one}", f"GPIO{other}"


def _free_spi(board: sim.Board, wanted: str) -> str:
    """An SPI device that nothing is wired to."""
    taken = {reader.bus for reader in board.readers}
    taken |= {f"spi{bus}.{cs}" for bus, cs in board.on_spi}
    known = [f"spi{bus}.{cs}" for bus, cs in sim.MODELS[board.model].spi]
    return next(name for name in (wanted, *known) if name not in taken)


def _look(open_it: Callable[[], gpio.Input | i2c.Bus | spi.Device]) -> None:
    try:
        open_it().close()
    except OSError as exc:
        raise Missing(str(exc)) from exc
