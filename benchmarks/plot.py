"""A picture of the table: python -m benchmarks.plot SAMPLES.json ... -o FILE.svg

Needs matplotlib: pip install 'pyasync_hw[plot]'.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from .driver import Measurement
from .loops import BASE, OURS
from .rows import AIMS, Row
from .summary import Summary

COLOURS = {"uvloop": "#8c8c8c", "rloop": "#c9a227", "zloop": "#6a9fb5", "blazio": "#9b7fb5"}
MARKS = {"uvloop": "s", "rloop": "^", "zloop": "D", "blazio": "v"}
HIGHLIGHT = "#c0392b"


def title(row: Row) -> str:
    return row.title.replace("`", "")


def draw(axes: Axes, measured: Measurement, rows: list[Row]) -> None:
    summaries = [Summary(measured, row) for row in rows]
    heights = range(len(rows), 0, -1)
    axes.axvline(1.0, color="black", linewidth=0.8)
    for loop in (*(loop for loop in measured.versions if loop not in (BASE, OURS)), OURS):
        points = [
            (speed, height)
            for summary, height in zip(summaries, heights, strict=True)
            if not summary.flaw(loop) and (speed := summary.speed(loop)) is not None
        ]
        if not points:
            continue
        ours = loop == OURS
        axes.scatter(
            [speed for speed, _ in points],
            [height for _, height in points],
            label=loop,
            s=70 if ours else 26,
            marker="o" if ours else MARKS.get(loop, "o"),
            color=HIGHLIGHT if ours else COLOURS.get(loop, "#555555"),
            zorder=3 if ours else 2,
        )
    aims = [(row.aim, height) for row, height in zip(rows, heights, strict=True) if row.aim]
    axes.scatter(
        [aim for aim, _ in aims],
        [height for _, height in aims],
        label="aim",
        s=120,
        marker="|",
        color="black",
        zorder=4,
    )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(list(heights), [title(row) for row in rows])
    axes.grid(axis="both", color="#e4e4e4", zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_title(f"Python {measured.python}", fontsize=11)
    axes.set_xlabel(f"times as fast as {BASE}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot", description=__doc__)
    parser.add_argument("samples", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    documents = [Measurement.read(path.read_text()) for path in args.samples]
    # A loop's own package is all that there is to import: no ratio to asyncio.
    rows = [
        row
        for row in AIMS
        if row.case != "import_package" and any(row.case in each.samples for each in documents)
    ]
    pyplot.rcParams.update({"svg.hashsalt": "", "svg.fonttype": "none", "font.size": 9})
    figure, panels = pyplot.subplots(
        1,
        len(documents),
        figsize=(3.2 + 4.3 * len(documents), 1.4 + 0.27 * len(rows)),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, measured in zip(panels[0], documents, strict=True):
        draw(axes, measured, rows)
    handles: dict[str, Artist] = {}
    for axes in panels[0]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    handles["aim"] = handles.pop("aim")  # last
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
    )
    figure.savefig(args.output, metadata={"Date": None})


if __name__ == "__main__":
    main()
