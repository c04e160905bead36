"""Samples to Markdown: python -m benchmarks.report SAMPLES.json ... [--markdown FILE]."""

from __future__ import annotations

import argparse
from pathlib import Path

from .bus_table import bus_table
from .driver import Measurement
from .edge_table import edge_table
from .loops import BASE, LIMIT, OURS
from .quantity import quantity
from .rows import AIMS, BESIDE, Row
from .summary import TIE, Summary

NONE = "-"


def aim(row: Row) -> str:
    if row.above_limit is not None:
        return f"{LIMIT} + {quantity(row.above_limit, row.unit)}"
    if row.at_most is not None:
        return quantity(row.at_most, row.unit)
    return "" if row.aim is None else f"{row.aim:g}"


def number(summary: Summary, loop: str) -> str:
    if summary.row.absolute or loop == BASE:
        value = summary.middle(loop)
        return NONE if value is None else quantity(value, summary.row.unit)
    speed = summary.speed(loop)
    return NONE if speed is None else f"{speed:.2f}"


def verdict(summary: Summary) -> str:
    """Our number, and whether it is what we aim at."""
    text = f"**{number(summary, OURS)}**"
    if summary.row.above_limit is not None and (limit := summary.middle(LIMIT)) is not None:
        text += f" ({LIMIT}: {quantity(limit, summary.row.unit)})"
    short = summary.short()
    if short is None:
        return text
    if not short:
        return text + " ✓"
    by = quantity(short, summary.row.unit) if summary.row.absolute else f"{short:.2f}"
    return f"{text} ✗ short by {by}"


def comparison(summary: Summary, peer: str) -> str:
    """How many times as fast as the best peer we are."""
    speed = summary.speed(OURS, peer)
    if speed is None:
        return NONE
    text = f"{speed:.2f} ± {100 * summary.spread(OURS, peer):.0f} %"
    if speed * TIE < 1:
        return f"**{text} behind**"
    return text + " tie" if speed < TIE else text


def table(measured: Measurement, rows: list[Row], notes: list[str]) -> list[str]:
    loops = [loop for loop in measured.versions if loop not in (BASE, OURS)]
    heads = ["", "aim", "pyasync_hw", *loops, "best of them", "ours / best", BASE]
    if not any(map(aim, rows)):
        heads.remove("aim")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        if row.case not in measured.samples:
            continue
        summary = Summary(measured, row)
        cells = (
            [row.title, aim(row), verdict(summary)]
            if "aim" in heads
            else [row.title, verdict(summary)]
        )
        for loop in loops:
            cell = number(summary, loop)
            if note := summary.note(loop):
                text = f"{loop} {note}" if cell != NONE else f"{loop}: {note}"
                if text not in notes:
                    notes.append(text)
                cell += f" [{notes.index(text) + 1}]"
            cells.append(cell)
        best = summary.best_peer()
        cells += [best or NONE, comparison(summary, best) if best else NONE, number(summary, BASE)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def losses(measured: Measurement) -> list[str]:
    """Rows that miss their aim, and rows in which a peer is faster by more than noise."""
    summaries = [Summary(measured, row) for row in AIMS if row.case in measured.samples]
    short = [each.row.title for each in summaries if each.short()]
    behind = [
        f"{each.row.title} ({peer}, {1 / speed:.2f} times as fast)"
        for each in summaries
        if (peer := each.best_peer())
        and (speed := each.speed(OURS, peer)) is not None
        and speed * TIE < 1
    ]
    return [
        "Short of the aim: " + (", ".join(short) or "nowhere") + ".",
        "",
        "Behind the best peer: " + (", ".join(behind) or "nowhere") + ".",
    ]


def heading(measured: Measurement) -> str:
    return "## Python " + ".".join(measured.python.split(".")[:2])


def section(measured: Measurement) -> str:
    versions = ", ".join(f"{loop} {number}" for loop, number in measured.versions.items())
    notes: list[str] = []
    lines = [
        heading(measured),
        "",
        f"{measured.rounds} rounds in {measured.seconds:.0f} s, Linux {measured.kernel}, "
        f"{measured.machine}, {measured.cpus} CPUs, load {measured.load_before:.1f} before. "
        f"{versions}.",
    ]
    if any(row.case in measured.samples for row in AIMS):
        lines += ["", *table(measured, AIMS, notes), "", *losses(measured)]
    if any(row.case in measured.samples for row in BESIDE):
        lines += ["", "Beside them, without an aim:", "", *table(measured, BESIDE, notes)]
    for more in (edge_table(measured), bus_table(measured)):
        if more:
            lines += ["", *more]
    if notes:
        lines += ["", *(f"{i}. {note}" for i, note in enumerate(notes, 1))]
    return "\n".join(lines) + "\n"


def put(file: Path, head: str, text: str) -> None:
    """Write a section into a Markdown file, in place of the one of that heading."""
    old = file.read_text() if file.exists() else ""
    before, found, rest = old.partition(head + "\n")
    after = rest[rest.index("\n## ") + 1 :] if found and "\n## " in rest else ""
    if not found and before:
        before = before.rstrip() + "\n\n"
    file.write_text(before + text + ("\n" + after if after else ""))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("samples", nargs="+", type=Path)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the tables into it")
    args = parser.parse_args()
    for path in args.samples:
        measured = Measurement.read(path.read_text())
        text = section(measured)
        if args.markdown:
            put(args.markdown, heading(measured), text)
        else:
            print(text)


if __name__ == "__main__":
    main()
