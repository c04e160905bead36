"""What all parts of a simulated board are: pins on lines, and news of what happens there."""

from __future__ import annotations

import contextlib
import functools
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ...hardware.pins import parse_pin
from .values import pin_list

if TYPE_CHECKING:
    from ..board import Board
    from .teller import Teller

__all__ = ["Part", "PartLine"]

Pin = int | str


class PartLine:
    """A pin of a part, wired to a line of the board: what the part drives, and sees.

    `pin` is its name on the part ("trigger"; "rows[1]" of several), `name` the line's.
    """

    def __init__(self, board: Board, pin: str, spec: Pin) -> None:
        self.pin = pin
        self.offset = board.find_line(spec)[1]
        self.name = f"GPIO{self.offset}"
        self._world = board._world
        self._output = self._world.output(self.offset)

    def drive(self, level: bool | int, *, at: float | None = None) -> None:
        """Drive it low (0) or high (1), at a time of Board.time() or now; low is stronger."""
        self._world.set_output(self._output, level, at)

    def release(self, *, at: float | None = None) -> None:
        """Let go, at a time of Board.time() or now: others decide, or a pull."""
        self._world.set_output(self._output, None, at)

    @property
    def value(self) -> int:
        """Its physical level, 0 or 1."""
        return self._world.level(self.offset)

    @property
    def others(self) -> int | None:
        """What all others drive it to, or None: nobody does."""
        return self._world.others(self._output)

    def __repr__(self) -> str:
        return f"<PartLine {self.pin} on {self.name}>"


class Part:
    """Something wired to a simulated board: Board.attach() does that.

        class Inverter(sim.Part):
            pins = ("input", "output")

            def on_level(self, line, level, time):
                if line.pin == "input":
                    self.lines["output"].drive(not level)

        board.attach(Inverter(input="GPIO17", output="GPIO27"))

    Its methods on_attach(), on_level(), on_driven() and what call_at() calls run one at a
    time for all parts of a board, in a thread of the board's own and with no lock: they may
    do to the board whatever they like, but not wait.  On a virtual clock no time passes meanwhile.
    What they raise goes to sys.unraisablehook.
    """

    pins: ClassVar[Sequence[str]] = ()  # each wired to a line
    pin_lists: ClassVar[Sequence[str]] = ()  # each wired to some lines
    options: ClassVar[Mapping[str, type | tuple[type, ...]]] = {}  # of a [[part]] table
    actions: ClassVar[Sequence[str]] = ()  # methods that a scenario may call
    shares_lines: ClassVar[bool] = False  # a [[part]] may be wired to lines that others have

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for attribute in ("pins", "pin_lists", "actions"):
            names = getattr(cls, attribute)
            if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                raise TypeError(f"{cls.__name__}.{attribute} must be a tuple of names: {names!r}")
        taken = {"kind", "name"} & {*cls.pins, *cls.pin_lists, *cls.options}
        if taken:
            raise TypeError(f"{taken.pop()!r} of {cls.__name__} is a key of every part")
        missing = [name for name in cls.actions if not callable(getattr(cls, name, None))]
        if missing:
            raise TypeError(f"{cls.__name__} has no method {missing[0]!r}, one of its actions")
        for option, kinds in cls.options.items():
            one_or_more = kinds if isinstance(kinds, tuple) else (kinds,)
            if not all(isinstance(kind, type) for kind in one_or_more):
                raise TypeError(f"{cls.__name__}.options[{option!r}] must be a type, not {kinds!r}")

    def __init__(self, *, name: str = "", **pins: Any) -> None:
        """`pins`: the line of each of `pins`, and a sequence of lines for `pin_lists`."""
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {name!r}")
        self.name = name
        self.lines: dict[str, PartLine] = {}
        self._specs: dict[str, Pin] = {}
        for pin in self.pins:
            self._specs[pin] = self._wired(pins, pin)
        for pin in self.pin_lists:
            for number, spec in enumerate(pin_list(pin, self._wired(pins, pin))):
                self._specs[f"{pin}[{number}]"] = spec
        if pins:
            raise TypeError(f"{type(self).__name__} has no pin {', '.join(pins)}")
        self._check_pins()
        self._teller: weakref.ref[Teller] | None = None
        self._board: weakref.ref[Board] | None = None

    def _check_pins(self) -> None:
        names: dict[int, str] = {}
        for pin, spec in self._specs.items():
            number = parse_pin(spec)
            if number in names:
                raise ValueError(f"{names[number]} and {pin} are the same line, GPIO{number}")
            names[number] = pin

    def _wired(self, pins: dict[str, Any], pin: str) -> Any:
        if pin not in pins:
            raise TypeError(f"{type(self).__name__} needs to know the line of its pin {pin!r}")
        return pins.pop(pin)

    def claims(self) -> Mapping[str, str]:
        """What no other part of a board.toml may have, by the key of its table."""
        if self.shares_lines:
            return {}
        return {pin: f"GPIO{parse_pin(spec)}" for pin, spec in self._specs.items()}

    def attached(self, board: Board, teller: Teller) -> list[PartLine]:
        """Board.attach() wires it; its lines."""
        if self._board is not None:
            raise ValueError(f"{self!r} is wired already")
        self._board = weakref.ref(board)
        self._teller = weakref.ref(teller)
        self.lines = {pin: PartLine(board, pin, spec) for pin, spec in self._specs.items()}
        return list(self.lines.values())

    def detached(self) -> None:
        """Board.attach() takes it off again."""
        for line in self.lines.values():
            with contextlib.suppress(ValueError):  # the board is closed
                line.release()
        self.lines = {}
        self._board = self._teller = None

    @property
    def board(self) -> Board:
        """The board it is wired to.  Raises ReferenceError when it is on none (any more)."""
        board = None if self._board is None else self._board()
        if board is None:
            raise ReferenceError(f"{self!r} is on no board")
        return board

    def line(self, pin: str) -> PartLine:
        """The line of a pin.  Raises ReferenceError when it is on no board."""
        if pin not in self.lines:
            raise ReferenceError(f"{self!r} is on no board")
        return self.lines[pin]

    def call_at(self, time: float, callback: Callable[..., object], *args: object) -> None:
        """Call it at a time of Board.time(); soon, if that is past."""
        teller = None if self._teller is None else self._teller()
        if teller is None:
            raise ReferenceError(f"{self!r} is on no board")
        teller.call_at(self.board, time, callback, *args)

    def act(self, do: str, arguments: Mapping[str, Any], *, at: float) -> None:
        """Call one of `actions`, `at` seconds after its first line was first requested.

        Of a part without lines: after the board was made.
        """
        if do not in self.actions:
            known = ", ".join(self.actions) or "nothing"
            raise ValueError(f"{self!r} cannot {do!r}; it can: {known}")
        method = getattr(self, do)
        inspect.signature(method).bind(**arguments)
        after = next((line.offset for line in self.lines.values()), -1)
        teller = None if self._teller is None else self._teller()
        if teller is None:
            raise ReferenceError(f"{self!r} is on no board")
        teller.call_at(self.board, at, functools.partial(method, **arguments), after=after)

    def run(self, callback: Callable[..., object], *args: object) -> None:
        """Call it in the thread that runs all parts' code, and wait until it is over.

        It goes on without, should that take 5 s.
        """
        board = self.board
        if board._teller is None or board._teller.is_here():
            callback(*args)
        else:
            self.call_at(board.time(), callback, *args)

    def on_attach(self) -> None:
        """It has just been wired (in the thread that called Board.attach())."""

    def on_level(self, line: PartLine, level: int, time: float) -> None:
        """A line has come to `level`, at a time of Board.time()."""

    def on_driven(self, line: PartLine, level: int | None, time: float) -> None:
        """A line is driven to `level` from then on, by whomever; None: by nobody any more.

        Also where that leaves the line's level as it was.
        """

    def __repr__(self) -> str:
        where = ", ".join(f"{pin}={spec}" for pin, spec in self._specs.items())
        return f"<{type(self).__name__} {self.name} {where}>"
