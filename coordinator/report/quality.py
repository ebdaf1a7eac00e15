"""How good the model is: curves, figures at the end, tasks, evaluations."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator.history import History
from coordinator.report.figures_by_epoch import (
    MetricByEpoch,
    last_digit,
    metrics_by_epoch,
    optional_text,
    value_text,
)
from coordinator.report.stored_run import StoredRun
from party.page.document import Section
from party.page.markup import Markup, element
from party.page.metric_words import LOSS, metric_key, metric_meaning, tasks_of
from party.page.palette import SERIES
from party.page.plots import Bar, LinePlot, Series, bar_plot, line_plot
from party.page.quantities import count_text, time_text
from party.page.tables import bullets, table
from party.security.printable import printable

MOST_PLOTS = 12
MOST_EVALUATIONS = 100
NO_FIGURE = "–"
NO_HISTORY = (
    "No figures are stored: the coordinator writes them when a run ends. The label party has those so far:"
    " ask it for `party report`."
)
NO_EPOCH = "The run ended without a whole epoch, so no figure was released."
NOTHING_RELEASED = "The label party released no figures of this run."
ROC = (
    "ROC curve: not released. A curve is many figures of the labels; what was released is the area under it, in the"
    " metrics named auc. The label party has the predictions, and can draw it."
)
RELIABILITY = (
    "Reliability curve: not released, for the same reason. Released are the metrics calibration and calibration_error"
    " where the label party names them: "
)


def quality_section(stored: StoredRun) -> Section:
    """Curves and figures of training.

    Args:
        stored: the run.
    """
    history = stored.history
    metrics = [] if history is None else metrics_by_epoch(history)
    shown = [one for one in metrics if one.values]
    if history is None or not shown:
        text = NO_HISTORY if history is None else NOTHING_RELEASED if history.epoch else NO_EPOCH
        return Section("quality", "How training went", (element("p", text),))
    epochs = tuple(epoch + 1 for epoch in history.epoch)
    plots = [_plot(one, number, epochs) for number, one in enumerate(shown[:MOST_PLOTS], start=1)]
    rest = len(shown) - len(plots)
    more = [element("p", f"{rest} more metrics are in the table alone.", class_="muted")] if rest > 0 else []
    return Section(
        "quality",
        "How training went",
        (_best(history), _at_the_end(history, shown), *plots, *more, *_tasks(shown, epochs)),
    )


def evaluation_section(stored: StoredRun) -> Section:
    """Figures of evaluations, and what was not released.

    Args:
        stored: the run.
    """
    told = [one for one in stored.evaluations if not one.shuffled and not one.without][-MOST_EVALUATIONS:]
    names = list(dict.fromkeys(name for one in told for name in one.metrics))
    known = [] if stored.history is None else [one.name for one in metrics_by_epoch(stored.history)]
    calibrated = sorted({name for name in (*known, *names) if metric_key(name).startswith("calibration")})
    not_told = bullets([ROC, RELIABILITY + (", ".join(map(printable, calibrated)) or "none in this run") + "."])
    if not told:
        return Section(
            "evaluations", "Figures on other rows", (element("p", "No evaluation of this run is stored."), not_told)
        )
    body = [
        (
            one.dataset,
            time_text(one.at),
            count_text(one.rows),
            *(optional_text(one.metrics[name]) if name in one.metrics else NO_FIGURE for name in names),
        )
        for one in told
    ]
    head = ("dataset", "time", "rows", *map(printable, names))
    made = table("Evaluations with all parties, as released", head, body, numbers=range(2, len(head)))
    return Section("evaluations", "Figures on other rows", (made, not_told))


def main_metric(history: History) -> MetricByEpoch | None:
    """The metric that says most to most readers: an AUC, or else the first that has a value.

    Args:
        history: of a run.
    """
    known = [one for one in metrics_by_epoch(history) if one.values]
    return next((one for one in known if metric_key(one.name) == "auc"), known[0] if known else None)


def _plot(metric: MetricByEpoch, number: int, epochs: tuple[int, ...]) -> Markup:
    both = (("training rows", metric.train), ("held-out rows", metric.held_out))
    series = tuple(Series(name, values) for name, values in both if any(value is not None for value in values))
    return line_plot(
        LinePlot(
            anchor=f"metric-{number}",
            title=f"{metric.name} by epoch",
            meaning=metric_meaning(metric.name),
            epochs=epochs,
            series=series,
            text=value_text,
        )
    )


def _best(history: History) -> Markup:
    if history.best_epoch is None:
        return element("p", f"{len(history.epoch):,} epochs, in {history.params.get('steps', 0):,} steps.")
    return element(
        "p", f"{len(history.epoch):,} epochs; the weights of epoch {history.best_epoch + 1:,} were the best and stay."
    )


def _at_the_end(history: History, metrics: Sequence[MetricByEpoch]) -> Markup:
    body = [
        (
            one.name,
            optional_text(one.train[-1]) if one.train else NO_FIGURE,
            optional_text(one.held_out[-1]) if one.held_out else NO_FIGURE,
            last_digit(one.values),
            metric_meaning(one.name),
        )
        for one in metrics
    ]
    head = ("metric", "training rows", "held-out rows", "last digit released", "how to read it")
    return table(f"Figures of the last epoch, {history.epoch[-1] + 1:,}", head, body, numbers=(1, 2, 3))


def _tasks(metrics: Sequence[MetricByEpoch], epochs: tuple[int, ...]) -> list[Markup]:
    """How several labels share the loss; nothing for one label."""
    losses = {one.name: one for one in metrics if metric_key(one.name) == LOSS}
    tasks = [name for name in tasks_of(losses) if losses[f"{name}_{LOSS}"].values]
    if len(tasks) < 2:  # noqa: PLR2004
        return []
    series = [Series(name, _of_rows(losses[f"{name}_{LOSS}"])) for name in tasks]
    last = {one.name: one.values[-1] or 0.0 for one in series}
    total = sum(last.values()) or 1.0
    bars = [Bar(name, abs(value), f"{value_text(value)}, {value / total:.0%}") for name, value in last.items()]
    made = [
        element("h3", "Balance of the labels"),
        element("p", "A label whose loss stays high, or is most of the sum, gets most of the training."),
        bar_plot("tasks", "Loss of each label in the last epoch", bars, head=("label", "loss and share of the sum")),
    ]
    if len(series) <= len(SERIES):
        meaning = "Lines that fall together are in balance."
        plot = LinePlot(
            anchor="balance",
            title="Loss of each label by epoch",
            meaning=meaning,
            epochs=epochs,
            series=tuple(series),
            text=value_text,
        )
        made.append(line_plot(plot))
    return made


def _of_rows(metric: MetricByEpoch) -> tuple[float | None, ...]:
    """Values on held-out rows where there are any, else on training rows."""
    return metric.held_out if any(value is not None for value in metric.held_out) else metric.train
