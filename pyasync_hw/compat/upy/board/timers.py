"""machine.Timer, RTC and WDT."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from ...service import service
from . import callbacks
from .restart import restart

__all__ = ["RTC", "WDT", "Timer"]


class Timer:
    """Timer(id=-1, *, mode, period, freq, callback): has `callback(timer)` called, soon after.

    A time that comes while the callback of the one before still waits is left out.
    """

    ONE_SHOT, PERIODIC = 0, 1

    def __init__(self, id: int = -1, mode: int = PERIODIC, **options: Any) -> None:
        self._id = id
        self._mode = mode
        self._period_s = 0.0
        self._callback: Callable[[Any], object] | None = None
        self._end: Callable[[], object] | None = None
        self._run = 0
        self._waits_for = 0  # the run whose call of the callback waits
        if options:
            self.init(mode=mode, **options)

    def init(
        self,
        *,
        mode: int = PERIODIC,
        freq: float = -1,
        period: float = -1,
        tick_hz: int = 1000,
        callback: Callable[[Any], object] | None = None,
        **_: object,
    ) -> None:
        """Begin anew: every `period` milliseconds, or `freq` times a second; or once."""
        if mode not in (self.ONE_SHOT, self.PERIODIC):
            raise ValueError(f"mode must be Timer.ONE_SHOT or Timer.PERIODIC, not {mode!r}")
        seconds = 1 / freq if freq > 0 else period / tick_hz
        if seconds < 0:
            raise ValueError("a timer needs period= or freq=")
        self.deinit()
        if self._id >= 0:  # a timer of the hardware is one, whoever has it
            before = _hardware_timers.pop(self._id, None)
            if before is not None:
                before.deinit()
            _hardware_timers[self._id] = self
        self._mode, self._period_s, self._callback = mode, max(seconds, 1e-4), callback
        self._run += 1
        if callback is not None:
            callbacks.arm(self)
        self._end = service.spawn(self._tick(self._run))

    async def _tick(self, run: int) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self._run == run:
            due += self._period_s
            late = loop.time() - due
            if late > self._period_s:  # periods that are over are left out
                due += late // self._period_s * self._period_s
            await asyncio.sleep(max(0.0, due - loop.time()))
            if self._run != run:
                return
            if self._callback is not None and self._waits_for != run:
                self._waits_for = run
                callbacks.call_soon(self._call, run)
            if self._mode == self.ONE_SHOT:
                return

    def _call(self, run: int) -> None:
        if self._run != run or self._callback is None:
            return
        self._waits_for = 0
        if self._mode == self.ONE_SHOT:
            callbacks.disarm(self)
        self._callback(self)

    def deinit(self) -> None:
        """End it: no callback begins any more."""
        self._run += 1
        callbacks.disarm(self)
        end, self._end = self._end, None
        if end is not None:
            end()

    def value(self) -> int:
        """The period in milliseconds."""
        return round(self._period_s * 1000)

    def __repr__(self) -> str:
        mode = "PERIODIC" if self._mode == self.PERIODIC else "ONE_SHOT"
        return f"Timer({self._id}, mode={mode}, period={self.value()})"


_hardware_timers: dict[int, Timer] = {}


class RTC:
    """RTC(): the time of day; setting it changes what RTCs of this program say, and no clock."""

    _offset_s = 0.0
    _memory = b""

    def __init__(self, id: int = 0, **options: Any) -> None:
        if "datetime" in options:
            self.init(options["datetime"])

    def datetime(self, datetimetuple: Any = None) -> tuple[int, ...] | None:
        """(year, month, day, weekday, hours, minutes, seconds, subseconds); Monday is 0."""
        if datetimetuple is None:
            now = time.time() + RTC._offset_s
            t = time.gmtime(now) if RTC._offset_s else time.localtime(now)
            return (*t[:3], t.tm_wday, *t[3:6], int(now % 1 * 1e6))
        year, month, day, _, hours, minutes, seconds, subseconds = datetimetuple
        self._set(year, month, day, hours, minutes, seconds, subseconds)
        return None

    def init(self, datetime: Any) -> None:
        """(year, month, day[, hour[, minute[, second[, microsecond[, tzinfo]]]]]).

        With 8 of them as datetime() takes them, which is how ports differ.
        """
        if len(datetime) == 8 and datetime[7] is not None:
            self.datetime(datetime)
        else:
            self._set(*(tuple(datetime[:7]) + (0,) * (7 - len(datetime))))

    def _set(self, *when: int) -> None:
        import calendar

        stamp = calendar.timegm((*when[:6], 0, 0, 0)) + when[6] / 1e6
        RTC._offset_s = stamp - time.time()

    def now(self) -> tuple[Any, ...]:
        """(year, month, day, hour, minute, second, microsecond, tzinfo)."""
        found = self.datetime()
        assert found is not None
        return (*found[:3], *found[4:], None)

    def deinit(self) -> None:
        """The time is that of the system again."""
        RTC._offset_s = 0.0

    def memory(self, data: Any = None) -> bytes | None:
        """Bytes that outlive a reset on an ESP; here this run of the program."""
        if data is None:
            return RTC._memory
        RTC._memory = data.encode() if isinstance(data, str) else bytes(data)
        return None


class WDT:
    """WDT(id=0, timeout=5000): resets the program unless feed() is called so often (ms)."""

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:
        if timeout <= 0:
            raise ValueError(f"timeout must be more than 0 ms, not {timeout!r}")
        self._timeout_s = timeout / 1000
        self._fed_at = time.monotonic()
        service.spawn(self._watch())

    def feed(self) -> None:
        """Not yet."""
        self._fed_at = time.monotonic()

    async def _watch(self) -> None:
        while (left := self._fed_at + self._timeout_s - time.monotonic()) > 0:
            await asyncio.sleep(left)
        restart("wdt")
