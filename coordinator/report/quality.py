"""How good the model is: curves, figures at the end, tasks, evaluations."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator.history import History
from coordinator.report.compared import metrics_side_by_side
from coordinator.report.released_figures import last_digit, optional_text, value_text
from coordinator.report.stored_run import StoredRun
from party.output.quantities import count_text, counted, time_text
from party.page.document import Section
from party.page.markup import Markup, element, prose
from party.page.metric_figures import MOST_METRICS, MetricByEpoch, balance_of_labels, metric_plots, sampled_note
from party.page.metric_words import metric_key, metric_meaning
from party.page.tables import bullets, table
from party.security.printable import printable

MOST_EVALUATIONS = 8  # side by side
NO_FIGURE = "–"
NO_HISTORY = (
    "No figures are stored: the coordinator writes them when a run ends. The label party has those so far:"
    " ask it for `party report`."
)
NO_EPOCH = "The run ended without a whole epoch, so no figure was released."
NOTHING_RELEASED = "The label party released no figures of this run."
ROC = (
    "ROC curve: not released. A curve is many figures of the labels; what was released is the area under it, in the"
    " metrics named auc. The label party can draw it, with `party report --curves`."
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
    metrics = stored.metrics
    if history is None or not metrics:
        text = NO_HISTORY if history is None else NOTHING_RELEASED if history.epoch else NO_EPOCH
        return Section("quality", "How training went", (element("p", prose(text)), *_withheld(history)))
    epochs = tuple(epoch + 1 for epoch in history.epoch)
    plots = metric_plots(metrics, epochs, value_text)
    balance = balance_of_labels(metrics, epochs, value_text)
    return Section(
        "quality",
        "How training went",
        (
            _best(history),
            *sampled_note(history.negatives_per_positive),
            _at_the_end(history, metrics),
            *_withheld(history),
            *plots,
            *balance,
        ),
    )


def evaluation_section(stored: StoredRun) -> Section:
    """Figures of evaluations, and what was not released.

    Args:
        stored: the run.
    """
    told = [one for one in stored.evaluations if not one.shuffled and not one.without][-MOST_EVALUATIONS:]
    known = [one.name for one in stored.metrics] + [name for one in told for name in one.metrics]
    calibrated = sorted({name for name in known if metric_key(name).startswith("calibration")})
    not_told = bullets([prose(ROC), RELIABILITY + (", ".join(map(printable, calibrated)) or "none in this run") + "."])
    if not told:
        return Section(
            "evaluations", "Figures on other rows", (element("p", "No evaluation of this run is stored."), not_told)
        )
    columns = [(f"{one.dataset}, {time_text(one.at)}", one) for one in told]
    made = metrics_side_by_side("Latest evaluations with all parties, as released", columns)
    return Section("evaluations", "Figures on other rows", (made, not_told))


def _best(history: History) -> Markup:
    epochs = counted(len(history.epoch), "epoch")
    if history.best_epoch is None:
        return element("p", f"{epochs}, in {counted(history.params.get('steps', 0), 'step')}.")
    best = count_text(history.best_epoch + 1)
    return element("p", f"{epochs}; the weights of epoch {best} were the best and stay.")


def _withheld(history: History | None) -> tuple[Markup, ...]:
    """The metrics that the label party withholds, and why."""
    if history is None or not history.withheld:
        return ()
    named = [f"{printable(name)}: withheld, {printable(reason)}." for name, reason in history.withheld.items()]
    named = named[:MOST_METRICS]
    return (bullets(named),)


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
    return table(f"Figures of the last epoch, {count_text(history.epoch[-1] + 1)}", head, body, numbers=(1, 2, 3))
