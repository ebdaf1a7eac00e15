"""Exact figures of a run, which the label party alone has, and what its model was made of."""

from __future__ import annotations

from party.output.quantities import count_text, time_text
from party.own_report.own_run import ExactEvaluation, OwnRun
from party.page.document import Section
from party.page.markup import Markup, element
from party.page.metric_figures import balance_of_labels, metric_plots, sampled_note
from party.page.metric_words import metric_meaning
from party.page.tables import table
from party.security.printable import printable

NO_FIGURE = "–"
MOST_EVALUATIONS = 8  # side by side
AT_THE_LABEL_PARTY = "The label party has the figures of the model. A feature party computes none."
NO_EPOCH = "No epoch has ended, so there are no figures yet."


def figures_section(run: OwnRun) -> Section:
    """Metrics by epoch and of evaluations.

    Args:
        run: the run.
    """
    title = "How good the model is"
    if not run.configuration.holds_labels:
        return Section("figures", title, (element("p", AT_THE_LABEL_PARTY),))
    if not run.metrics:
        return Section("figures", title, (element("p", NO_EPOCH), *_evaluations(run)))
    epochs = tuple(epoch + 1 for epoch in run.epochs)
    return Section(
        "figures",
        title,
        (
            *sampled_note(run.negatives),
            _at_the_end(run),
            *_evaluations(run),
            *metric_plots(run.metrics, epochs, exact_text),
            *balance_of_labels(run.metrics, epochs, exact_text),
        ),
    )


def model_section(run: OwnRun) -> Section:
    """What this party's models were made of, as the run's record has it.

    Args:
        run: the run.
    """
    base, fuse = run.record.base, run.record.fuse
    kinds = [f"Base model: {base.section.kind}."] if base is not None else []
    kinds += [f"Fuse model: {fuse.section.kind}."] if fuse is not None else []
    text = " ".join(kinds) or "No model is saved: the run has not finished."
    made = [element("p", text)]
    if base is not None:
        body = [(one.name, one.kind, count_text(one.width), count_text(one.size)) for one in base.features]
        head = ("feature", "kind", "values per row", "rows of its embedding")
        made.append(table("Features that the base model reads", head, body, numbers=(2, 3)))
    return Section("model", "What the model is made of", tuple(made))


def exact_text(value: float) -> str:
    """An exact figure, to six significant digits."""
    return f"{value:.6g}"


def _at_the_end(run: OwnRun) -> Markup:
    body = [(one.name, _last(one.train), _last(one.held_out), metric_meaning(one.name)) for one in run.metrics]
    best = "" if run.best_epoch is None else f"; the weights of epoch {run.best_epoch + 1:,} stayed"
    head = ("metric", "training rows", "held-out rows", "how to read it")
    return table(f"Exact figures of the last epoch, {run.epochs[-1] + 1:,}{best}", head, body, numbers=(1, 2))


def _evaluations(run: OwnRun) -> list[Markup]:
    shown = run.evaluations[-MOST_EVALUATIONS:]
    if not shown:
        return []
    names = dict.fromkeys(name for one in shown for name in one.metrics)
    body = [(printable(name), *(_of(one, name) for one in shown)) for name in names]
    body.append(("rows", *(count_text(one.rows) for one in shown)))
    if any(one.negatives_per_positive for one in shown):
        counts = (count_text(one.negatives_per_positive) for one in shown)
        body.append(("sampled negatives for each positive row", *counts))
    head = ("metric", *(f"{one.rows_of}, {time_text(one.at)}" for one in shown))
    return [table("Latest evaluations, exact", head, body, numbers=range(1, len(head)))]


def _of(evaluation: ExactEvaluation, name: str) -> str:
    return _known(evaluation.metrics[name]) if name in evaluation.metrics else NO_FIGURE


def _last(values: tuple[float | None, ...]) -> str:
    return _known(values[-1]) if values else NO_FIGURE


def _known(value: float | None) -> str:
    return "undefined" if value is None else exact_text(value)
