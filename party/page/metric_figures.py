"""Metrics over the epochs of a run: plots, and how several labels share the loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from party.page.markup import Markup, element
from party.page.metric_words import (
    LOSS,
    VALIDATION_PREFIX,
    is_standard_error,
    metric_key,
    metric_meaning,
    tasks_of,
)
from party.page.palette import SERIES
from party.page.plots import Bar, LinePlot, Series, bar_plot, line_plot
from party.security.printable import printable

MOST_METRICS = 120  # of one page: a label party may name any number
MOST_PLOTS = 12
LARGEST = 1e38  # about that of float32: a larger one is no figure of a model, and no axis would hold it
OF_A_MODEL = ("gate", "gradient_share", "")  # these say less than measures of quality, and come last
Text = Callable[[float], str]
Values = tuple[float | None, ...]


@dataclass(frozen=True)
class MetricByEpoch:
    """A metric over the epochs of a run.

    Attributes:
        name: without the prefix of held-out rows.
        train: values on training rows; None where one is undefined. Empty if it is not known there.
        held_out: the same on held-out rows.
    """

    name: str
    train: Values
    held_out: Values

    @property
    def values(self) -> tuple[float, ...]:
        """All values that there are."""
        return tuple(value for value in (*self.train, *self.held_out) if value is not None)


def metrics_by_epoch(series: Mapping[str, Sequence[float | None]], epochs: int) -> list[MetricByEpoch]:
    """The metrics of a history that have a value, in its order; standard errors are left out.

    Args:
        series: values by name, with a prefix on held-out rows; None or NaN where one is undefined.
        epochs: number of epochs.
    """
    named = dict.fromkeys(name.removeprefix(VALIDATION_PREFIX) for name in series)
    chosen = [one for one in named if not is_standard_error(one, named)][:MOST_METRICS]
    made = [
        MetricByEpoch(
            shown,
            _padded(series.get(name, ()), epochs),
            _padded(series.get(VALIDATION_PREFIX + name, ()), epochs),
        )
        for shown, name in zip(_told_apart(chosen), chosen, strict=True)
    ]
    return [one for one in made if one.values]


def main_metric(metrics: Sequence[MetricByEpoch]) -> MetricByEpoch | None:
    """The metric that says most to most readers: an AUC, or else the first.

    Args:
        metrics: of a run.
    """
    return next((one for one in metrics if metric_key(one.name) == "auc"), metrics[0] if metrics else None)


def metric_plots(metrics: Sequence[MetricByEpoch], epochs: tuple[int, ...], text: Text) -> list[Markup]:
    """A plot for each metric, as far as they are not too many.

    Args:
        metrics: of a run.
        epochs: numbers of the epochs, from 1.
        text: writes a value.
    """
    ordered = sorted(metrics, key=lambda one: metric_key(one.name) in OF_A_MODEL)
    plots = [_plot(one, f"metric-{number}", epochs, text) for number, one in enumerate(ordered[:MOST_PLOTS], start=1)]
    rest = len(metrics) - len(plots)
    return [*plots, element("p", f"{rest} more metrics are in the table alone.", class_="muted")] if rest else plots


def balance_of_labels(metrics: Sequence[MetricByEpoch], epochs: tuple[int, ...], text: Text) -> list[Markup]:
    """How several labels share the loss; nothing for one label.

    Args:
        metrics: of a run.
        epochs: numbers of the epochs, from 1.
        text: writes a value.
    """
    by_name = {one.name: one for one in metrics}
    series = [Series(name, _on_best_rows(by_name[f"{name}_{LOSS}"])) for name in tasks_of(by_name)]
    if len(series) < 2:  # noqa: PLR2004
        return []
    last = {one.name: one.values[-1] or 0.0 for one in series}
    total = sum(map(abs, last.values())) or 1.0
    bars = [Bar(name, abs(value), f"{text(value)}, {abs(value) / total:.0%}") for name, value in last.items()]
    made = [
        element("h3", "Balance of the labels"),
        element("p", "A label whose loss stays high, or is most of the sum, gets most of the training."),
        bar_plot("labels", "Loss of each label in the last epoch", bars, head=("label", "loss and share of the sum")),
    ]
    if len(series) <= len(SERIES):
        plot = LinePlot(
            anchor="balance",
            title="Loss of each label by epoch",
            meaning="Lines that fall together are in balance.",
            epochs=epochs,
            series=tuple(series),
            text=text,
        )
        made.append(line_plot(plot))
    return made


def sampled_note(negatives: Mapping[str, int]) -> list[Markup]:
    """Says that figures are over sampled negatives, which are no others'; nothing where none were sampled.

    Args:
        negatives: number for each positive row, under `train` and `validation`.
    """
    named = {"train": "training rows", "validation": "held-out rows"}
    texts = [f"{named.get(rows, rows)}: {count:,}" for rows, count in negatives.items() if count]
    if not texts:
        return []
    text = (
        "Figures are over negatives that were sampled for each positive row, and compare only with such figures"
        f" ({'; '.join(texts)} for each)."
    )
    return [element("p", text, class_="warning")]


def _plot(metric: MetricByEpoch, anchor: str, epochs: tuple[int, ...], text: Text) -> Markup:
    both = (("training rows", metric.train), ("held-out rows", metric.held_out))
    return line_plot(
        LinePlot(
            anchor=anchor,
            title=f"{metric.name} by epoch",
            meaning=metric_meaning(metric.name),
            epochs=epochs,
            series=tuple(Series(name, values) for name, values in both if any(one is not None for one in values)),
            text=text,
        )
    )


def _on_best_rows(metric: MetricByEpoch) -> Values:
    """Values on held-out rows where there are any, else on training rows."""
    return metric.held_out if any(value is not None for value in metric.held_out) else metric.train


def _told_apart(names: Sequence[str]) -> Iterator[str]:
    """The names as they are shown: a number tells those apart that only what is cut off does."""
    seen: Counter[str] = Counter()
    for name in map(printable, names):
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"


def _padded(values: Sequence[float | None], epochs: int) -> Values:
    if not values:
        return ()
    known = [value if value is not None and abs(value) <= LARGEST else None for value in values[:epochs]]
    return (*known, *(None for _ in range(epochs - len(known))))
