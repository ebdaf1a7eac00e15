"""ROC and reliability of a run's predictions, which the label party alone can draw."""

from __future__ import annotations

from pathlib import Path

from party.configuration.party import load_party_configuration
from party.metrics.curves import LEAST_ROWS, Points, reliability_points, roc_points
from party.output.quantities import count_text
from party.page.document import Section
from party.page.markup import Markup, element
from party.page.plots import LinePlot, Series, line_plot
from party.runtime.predicted_labels import predicted_labels

ROC = "The further the line is above the diagonal, the better the ranking; the diagonal is a guess."
RELIABILITY = f"On the diagonal, probabilities are right. Each point stands for {LEAST_ROWS} rows or more."
NO_LABEL = "No label of two classes has rows of both."


def curves_section(path: Path, folder: Path, dataset: str) -> Section:
    """The curves of each label of two classes; reads the predictions and the labels of a dataset.

    Args:
        path: the party's YAML file.
        folder: the run's folder.
        dataset: name of a dataset that was predicted.

    Raises:
        SplitError: there are no predictions of it, or its labels cannot be read.
    """
    found = predicted_labels(load_party_configuration(path), folder, dataset)
    made: list[Markup] = []
    for number, (name, rows) in enumerate(found.items(), start=1):
        made.append(element("h3", f"{name}, {count_text(len(rows.labels))} rows of {dataset}"))
        roc = roc_points(rows.probabilities, rows.labels)
        names = ("share of negative rows above the threshold", "positive rows", "a guess")
        made.append(_curve(f"roc-{number}", f"ROC curve of {name}", ROC, points=roc, names=names))
        reliable = reliability_points(rows.probabilities, rows.labels)
        names = ("predicted probability", "share of positive rows", "right")
        if reliable:
            title = f"Reliability of {name}"
            made.append(_curve(f"reliability-{number}", title, RELIABILITY, points=reliable, names=names))
    return Section("curves", "ROC and reliability", tuple(made) or (element("p", NO_LABEL),))


def _curve(anchor: str, title: str, meaning: str, *, points: Points, names: tuple[str, str, str]) -> Markup:
    places = tuple(across for across, _ in points)
    series = (Series(names[1], tuple(up for _, up in points)), Series(names[2], places))
    return line_plot(
        LinePlot(
            anchor=anchor, title=title, meaning=meaning, epochs=places, series=series, text=_share, across=names[0]
        )
    )


def _share(value: float) -> str:
    return f"{value:.3f}"
