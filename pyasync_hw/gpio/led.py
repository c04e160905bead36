"""An LED: on, off, blinking, pulsing, on the loop's timers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from .. import hardware
from ..hardware.device import cancel_task
from .lines import Bias, Drive, Output
from .pwm import PWM

__all__ = ["LED"]

_Work = Callable[[float, float, "int | None"], Awaitable[None]]
_STEPS_PER_SECOND = 50
_PULSE_HZ = 100.0


class LED(Output):
    """An Output that blinks and pulses.

    blink() and pulse() begin at once and return a task, to be awaited or cancelled, after
    which the LED is off.  The next on(), off(), toggle(), blink() or pulse() ends it.
    """

    __slots__ = ("_pwm", "_task")

    def __init__(
        self,
        spec: int | str,
        *,
        value: int = 0,
        drive: Drive = "push_pull",
        bias: Bias = "as_is",
        active_low: bool = False,
        safe: int | None = None,
        chip: str | None = None,
        board: hardware.Backend | None = None,
        consumer: str = "pyasync_hw",
    ) -> None:
        self._task: asyncio.Task[None] | None = None
        self._pwm: PWM | None = None  # of a pulse
        super().__init__(
            spec,
            value=value,
            drive=drive,
            bias=bias,
            active_low=active_low,
            safe=safe,
            chip=chip,
            board=board,
            consumer=consumer,
        )

    def _set(self, value: int) -> None:
        self._stop()
        super()._set(value)

    @property
    def is_lit(self) -> bool:
        """Whether it is on now."""
        return bool(self.value)

    def blink(
        self, on_time: float = 1.0, off_time: float = 1.0, n: int | None = None
    ) -> asyncio.Task[None]:
        """On and off, in seconds, n times (None: for ever).  Times do not add up errors."""
        return self._begin_task(self._blink, on_time, off_time, n)

    def pulse(
        self, fade_in_time: float = 1.0, fade_out_time: float = 1.0, n: int | None = None
    ) -> asyncio.Task[None]:
        """Brighter and darker, in seconds, n times (None: for ever), by a PWM of 100 Hz."""
        return self._begin_task(self._pulse, fade_in_time, fade_out_time, n)

    def close(self) -> None:
        """See Output.close(); what blinks ends."""
        self._stop()
        super().close()

    def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            cancel_task(task)
        self._end_pulse()

    def _end_pulse(self) -> None:
        pwm, self._pwm = self._pwm, None
        if pwm is not None:
            pwm.close()  # now: when its task ends, the line may be at something new

    def _begin_task(
        self, work: _Work, first: float, second: float, n: int | None
    ) -> asyncio.Task[None]:
        self._begin()
        loop = asyncio.get_running_loop()
        if not (first >= 0 and second >= 0 and 0 < first + second < math.inf):
            raise ValueError(f"times must not be negative, nor both 0: {first}, {second}")
        if n is not None and (not isinstance(n, int) or n < 0):
            raise ValueError(f"n must be a number of times or None, not {n!r}")
        self._stop()
        self._task = loop.create_task(self._until_stopped(work, first, second, n))
        self._task.add_done_callback(self._end_task)  # one may be cancelled before it begins
        return self._task

    async def _until_stopped(self, work: _Work, first: float, second: float, n: int | None) -> None:
        task = asyncio.current_task()
        try:
            await work(first, second, n)
        except ValueError:
            if self._task is task:
                raise
            raise asyncio.CancelledError from None  # another thread has closed it
        finally:
            self._end_task(task)

    def _end_task(self, task: asyncio.Task[None] | None) -> None:
        if self._task is task:  # else somebody has set it meanwhile
            self._task = None
            self._end_pulse()
            super()._set(0)

    async def _blink(self, on_time: float, off_time: float, n: int | None) -> None:
        due = asyncio.get_running_loop().time()
        while n is None or n > 0:
            for value, duration in ((1, on_time), (0, off_time)):
                super()._set(value)
                due += duration
                await self._sleep_until(due)
            n = None if n is None else n - 1

    async def _pulse(self, fade_in: float, fade_out: float, n: int | None) -> None:
        due = asyncio.get_running_loop().time()
        low = self._settings.active_low
        with PWM(self.spec, _PULSE_HZ, active_low=low, chip=self._chip, board=self._backend) as pwm:
            self._pwm = pwm
            while n is None or n > 0:
                for duration, rising in ((fade_in, True), (fade_out, False)):
                    steps = max(1, round(duration * _STEPS_PER_SECOND))
                    for step in range(1, steps + 1):
                        pwm.duty = step / steps if rising else 1 - step / steps
                        due += duration / steps
                        await self._sleep_until(due)
                n = None if n is None else n - 1

    async def _sleep_until(self, due: float) -> None:
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        if self._task is not asyncio.current_task():  # another thread's cancel is on its way
            raise asyncio.CancelledError
