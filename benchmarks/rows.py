"""The rows of the table: what of which case, and what we aim at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    title: str
    case: str
    metric: str
    aim: float | None = None  # times asyncio's speed, at least
    # Instead, as the number itself:
    at_most: float | None = None
    above_limit: float | None = None  # so much above bare C in the same run, at most
    unit: str = "ns"
    idle: bool = False  # the loop has next to nothing to do, so one that is busy spins

    @property
    def absolute(self) -> bool:
        return self.at_most is not None or self.above_limit is not None


AIMS = [
    Row("`call_soon`, chain", "call_soon_chain", "cpu", 9.0),
    Row("`call_soon`, burst of 15,000", "call_soon_burst", "cpu", 5.5),
    Row("task switch", "task_switch", "cpu", 2.8),
    Row("create a task and await it", "create_and_await", "cpu", 2.7),
    Row("`gather` of 10,000", "gather", "cpu", 2.0),
    Row("`Queue`", "queue", "cpu", 2.1),
    Row("`Event`", "event", "cpu", 2.3),
    Row("timer insert, 30,000", "timers", "insert", 6.2),
    Row("timer cancel, 30,000", "timers", "cancel", 5.0),
    Row("`sleep(100 µs)`: too late by, p50", "sleep_100us", "over", above_limit=15_000),
    Row("executor, one job: p50", "executor", "p50", 1.9),
    Row("executor, 100 in flight", "executor_100", "cpu", 3.0),
    Row("`call_soon_threadsafe`, burst", "threadsafe_burst", "cpu", 15.0),
    Row("`call_soon_threadsafe`: p50", "threadsafe_latency", "p50", 1.6, idle=True),
    Row("descriptor → callback: p50", "descriptor_callback", "p50", 1.9, idle=True),
    Row("descriptor → coroutine: p50", "descriptor_coroutine", "p50", 2.4, idle=True),
    Row("subprocess, one by one: wall", "subprocess_sequential", "wall", 1.3),
    Row("subprocess, 6 at once: wall", "subprocess_at_once", "wall", 1.2),
    Row("memory per pending timer", "timer_memory", "bytes", at_most=180, unit="B"),
    Row("import of the package: CPU", "import_package", "cpu", at_most=3_000_000),
]

BESIDE = [
    Row("`call_soon`, burst of 50,000", "call_soon_long_burst", "cpu"),
    Row("timer insert, 100,000", "many_timers", "insert"),
    Row("timer cancel, 100,000", "many_timers", "cancel"),
    Row("executor, one job: CPU", "executor", "cpu"),
    Row("executor, 100 in flight: wall", "executor_100", "wall"),
    Row("`call_soon_threadsafe`, burst: wall", "threadsafe_burst", "wall"),
    Row("`call_soon_threadsafe`, one at a time: CPU", "threadsafe_latency", "cpu"),
    Row("descriptor → callback: CPU", "descriptor_callback", "cpu"),
    Row("descriptor → coroutine: CPU", "descriptor_coroutine", "cpu"),
    Row("subprocess, one by one: CPU", "subprocess_sequential", "cpu"),
    Row("subprocess, 6 at once: CPU", "subprocess_at_once", "cpu"),
    Row("`sleep(100 µs)`: CPU", "sleep_100us", "cpu"),
]
