"""What the samples say about a row: numbers, ratios within rounds, the best peer."""

from __future__ import annotations

from statistics import median, quantiles

from .driver import Measurement
from .loops import BASE, LIMIT, OURS
from .rows import Row

TIE = 1.15  # a lead below this is noise
SPINNING = 0.8  # of a core, while waiting for something that comes now and then


class Summary:
    """One row of one measurement."""

    def __init__(self, measured: Measurement, row: Row) -> None:
        self.row = row
        self.samples = measured.samples.get(row.case, {})
        self.failures = measured.failures.get(row.case, {})
        self.loops = [loop for loop in measured.versions if loop in self.samples]

    def values(self, loop: str) -> list[float | None]:
        rounds = self.samples.get(loop) or [None] * len(self.samples.get(BASE, []))
        return [sample[self.row.metric] if sample else None for sample in rounds]

    def middle(self, loop: str) -> float | None:
        values = [value for value in self.values(loop) if value is not None]
        return median(values) if values else None

    def ratios(self, slow: str, fast: str) -> list[float]:
        """How many times as fast one is as the other, for each round that both finished."""
        pairs = zip(self.values(slow), self.values(fast), strict=True)
        return [a / b for a, b in pairs if a is not None and b is not None and b > 0]

    def speed(self, loop: str, base: str = BASE) -> float | None:
        ratios = self.ratios(base, loop)
        return median(ratios) if ratios else None

    def spread(self, loop: str, base: str) -> float:
        """Half the width of the middle half of the rounds' ratios, as a part of the median."""
        ratios = self.ratios(base, loop)
        if len(ratios) < 4:
            return 0.0
        low, middle, high = quantiles(ratios, n=4)
        return (high - low) / 2 / middle

    def above_limit(self, loop: str) -> float | None:
        """How much more than bare C in the same round."""
        pairs = zip(self.values(loop), self.values(LIMIT), strict=True)
        excess = [a - b for a, b in pairs if a is not None and b is not None]
        return median(excess) if excess else None

    def flaw(self, loop: str) -> str | None:
        """Why a loop's number is not one to be measured by."""
        finished = [sample for sample in self.samples.get(loop, []) if sample]
        early = sum(sample.get("early", 0) for sample in finished)
        if early:
            return f"wakes up too early: {early:.0f} times"
        if self.row.idle and finished:
            busy = median(sample["cpu"] / sample["wall"] for sample in finished)
            if busy > SPINNING:
                return f"spins while it waits: {100 * busy:.0f} % of a core"
        return None

    def note(self, loop: str) -> str | None:
        """What a reader must know about a loop's number, or about there being none."""
        failure = self.failures.get(loop)
        if failure is None:
            return self.flaw(loop)
        values = self.values(loop)
        count = sum(1 for value in values if value is None)
        if count == len(values):
            return failure
        return f"failed in {count} of {len(values)} rounds: {failure}"

    def best_peer(self) -> str | None:
        peers = [loop for loop in self.loops if loop not in (OURS, BASE)]
        found = [
            (value, loop)
            for loop in peers
            if not self.flaw(loop) and (value := self.middle_against(loop)) is not None
        ]
        return max(found)[1] if found else None

    def middle_against(self, loop: str) -> float | None:
        """What peers are ranked by, the more the better."""
        if not self.row.absolute:
            return self.speed(loop)
        value = self.middle(loop)
        return None if value is None else -value

    def short(self) -> float | None:
        """By how much we miss the aim; 0.0 if we do not, None without aim or number."""
        row = self.row
        if row.above_limit is not None:
            excess = self.above_limit(OURS)
            return None if excess is None else max(0.0, excess - row.above_limit)
        if row.at_most is not None:
            value = self.middle(OURS)
            return None if value is None else max(0.0, value - row.at_most)
        speed = self.speed(OURS)
        if row.aim is None or speed is None:
            return None
        return max(0.0, row.aim - round(speed, 2))
