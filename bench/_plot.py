"""Time and memory against rows, on two scales of tens, with the slope between the two largest sizes."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt

from verify_analytics.charts import canvas, palette

# 1 is linear: ten times the rows, ten times the time.
LOOKS = {
    "ours on DuckDB": palette.CHANNELS["sms"],
    "ours by day": palette.CHANNELS["rcs"],
    "ours on Polars": palette.CHANNELS["whatsapp"],
    "by hand in pandas": palette.CHANNELS["voice"],
}


class Point(NamedTuple):
    """One run: how many callbacks, how long all of it took, how much memory it had at most."""

    callbacks: int
    seconds: float
    peak_gb: float


def points(figures: Path) -> dict[str, list[Point]]:
    """Read what `bench.scale --json` wrote; of several runs of one size the last one counts."""
    found: dict[str, dict[int, Point]] = {}
    for line in figures.read_text().splitlines():
        run = json.loads(line)
        whole = sum(run["seconds"].values())
        found.setdefault(run["way"], {})[run["callbacks"]] = Point(run["callbacks"], whole, run["peak_gb"])
    return {way: [runs[size] for size in sorted(runs)] for way, runs in found.items() if way in LOOKS}


def slope(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Say by which power of rows something grows between two sizes.

    >>> slope((10.0, 2.0), (1000.0, 200.0))
    1.0
    """
    return math.log(other[1] / one[1]) / math.log(other[0] / one[0])


def draw(figures: Path, target: Path) -> None:
    """Draw both beside each other, with the slope of each line."""
    with canvas.house_style():
        figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
        for panel, name, unit in zip(
            panels, ("seconds", "peak_gb"), ("seconds, all of it", "peak memory, GB"), strict=True
        ):
            for way, runs in points(figures).items():
                _line(panel, way, [(float(run.callbacks), float(getattr(run, name))) for run in runs])
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value < 1e6 else f"{value / 1e6:g} M")
            panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            panel.yaxis.set_minor_formatter(lambda _value, _: "")
            panel.grid(visible=True, alpha=0.3)
            panel.set_xlabel("callbacks")
            panel.set_title(unit, loc="left", fontsize=11, color=palette.INK)
            panel.legend(
                loc="upper left", fontsize=8.5, frameon=False, title="slope of the last step", title_fontsize=8.5
            )
        figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)
        plt.close(figure)


def _line(panel: Any, way: str, places: Sequence[tuple[float, float]]) -> None:
    look = LOOKS[way]
    grows = f"{slope(*places[-2:]):.2f}  " if len(places) > 1 else ""
    panel.plot(
        *zip(*places, strict=True),
        color=look.colour,
        marker=look.marker,
        linestyle=look.line,
        linewidth=1.6,
        label=f"{grows}{way}",
    )
