"""The table of a line's edges: gpio.Input beside add_reader() and os.read(), and bare C."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from .driver import Measurement
from .loops import LIMIT, OURS
from .quantity import quantity
from .summary import TIE

PLACES = {"one_cpu": "one CPU", "two_cpus": "a CPU each"}
WAYS = {"gpio": "`gpio.Input`", "reader": "`add_reader`"}
METRICS = ("p50", "p99", "cpu")


@dataclass(frozen=True)
class Contender:
    """One line of the table."""

    way: str
    loop: str
    place: str

    @property
    def title(self) -> str:
        if self.loop == LIMIT:
            return LIMIT
        return f"{WAYS[self.way]} on {self.loop}"

    def values(self, measured: Measurement, metric: str) -> list[float | None]:
        samples = measured.samples[f"edge_{self.way}_{self.place}"][self.loop]
        return [sample[metric] if sample else None for sample in samples]

    def middle(self, measured: Measurement, metric: str) -> float | None:
        found = [value for value in self.values(measured, metric) if value is not None]
        return median(found) if found else None

    def speed(self, measured: Measurement, other: Contender, metric: str) -> float | None:
        """How many times as fast as the other, in the same rounds."""
        pairs = zip(other.values(measured, metric), self.values(measured, metric), strict=True)
        ratios = [a / b for a, b in pairs if a is not None and b]
        return median(ratios) if ratios else None


def contenders(measured: Measurement, place: str) -> list[Contender]:
    found = [
        Contender(way, loop, place)
        for way in WAYS
        for loop in measured.samples.get(f"edge_{way}_{place}", {})
    ]
    return sorted(found, key=lambda each: (each.loop != LIMIT, each.way))


def cells(measured: Measurement, one: Contender, peers: list[Contender]) -> list[str]:
    middles = [one.middle(measured, metric) for metric in METRICS]
    texts = ["-" if value is None else quantity(value, "ns") for value in middles]
    peer = Contender("reader", one.loop, one.place)
    for metric in ("p50", "cpu"):
        compared = one.way == "gpio" and peer in peers
        speed = one.speed(measured, peer, metric) if compared else None
        texts.append("" if speed is None else f"{speed:.2f}")
    return texts


def behind(measured: Measurement, one: Contender, peers: list[Contender]) -> list[str]:
    """The readers that are faster by more than noise: on that loop, and for ours on any."""
    found = []
    for peer in peers:
        if peer.way != "reader" or peer.loop == LIMIT or one.loop not in (OURS, peer.loop):
            continue
        for metric, name in (("p50", "p50"), ("cpu", "CPU")):
            speed = one.speed(measured, peer, metric)
            if speed is not None and speed * TIE < 1:
                found.append(f"{peer.title} ({name} {1 / speed:.2f} times as good)")
    return found


def edge_table(measured: Measurement) -> list[str]:
    """Markdown; nothing if no such case was measured."""
    lines: list[str] = []
    losses: list[str] = []
    for place, where in PLACES.items():
        all_of_them = contenders(measured, place)
        for one in all_of_them:
            texts = cells(measured, one, all_of_them)
            lines.append(f"| {where} | {one.title} | " + " | ".join(texts) + " |")
            faster = behind(measured, one, all_of_them) if one.way == "gpio" else []
            if faster:
                losses.append(f"- {where}, {one.title}: " + ", ".join(faster))
    if not lines:
        return []
    return [
        "### Edge → coroutine",
        "",
        "| | | p50 | p99 | CPU | p50 / `add_reader` of that loop | CPU |",
        "|---" * 7 + "|",
        *lines,
        "",
        "Behind an `add_reader`:" if losses else "Behind an `add_reader`: nowhere.",
        *(["", *losses] if losses else []),
    ]
