"""Validation AUC against seconds, one line per variant, mean of the seeds."""

from __future__ import annotations

import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from party.security.files import write_atomically

INCHES = (11, 7)
DOTS_PER_INCH = 120
LINE_STYLES = ("-", "--", ":")  # colours repeat after ten lines
COLOURS = 10

Curves = Mapping[str, Sequence[Sequence[tuple[float, float]]]]


def write_plot(path: Path, title: str, curves: Curves, target: float) -> None:
    """Draws the curves.

    Args:
        path: of the PNG file.
        title: what they were measured under.
        curves: by variant, for every seed, seconds and AUC at the end of each epoch.
        target: AUC that counts as reached.
    """
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.add_subplot()
    for number, (name, by_seed) in enumerate(curves.items()):
        epochs = list(zip(*by_seed, strict=True))
        seconds = [statistics.mean(one for one, _ in points) for points in epochs]
        values = [statistics.mean(one for _, one in points) for points in epochs]
        style = LINE_STYLES[number // COLOURS % len(LINE_STYLES)]
        axes.plot(seconds, values, style, color=f"C{number % COLOURS}", marker="o", markersize=4, label=name)
    axes.axhline(target, color="black", linewidth=0.8, label="to be reached")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(ScalarFormatter())
    axes.set_xlabel("seconds since the first batch (logarithmic)")
    axes.set_ylabel("validation AUC")
    axes.set_title(title)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(loc="lower right", fontsize="small", ncols=2)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH)
    write_atomically(path, content.getvalue())
