"""What each party brings: evaluations of one dataset with every subset of the feature parties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coordinator.contributions import MAXIMUM_FEATURE_PARTIES, left_out_sets
from coordinator.report.compared import metrics_side_by_side
from coordinator.report.released_figures import optional_text
from coordinator.report.stored_run import StoredRun
from coordinator.stored_evaluations import StoredEvaluation
from party.page.document import Section
from party.page.markup import Markup, element, prose
from party.page.metric_words import metric_key
from party.page.plots import Bar, bar_plot
from party.security.printable import printable

Left = tuple[str, ...]
GUESS = 0.5  # the area under the curve of a guess
MASKED = "With masked sums nobody can tell what a single party brings: only the sum is known."
NOT_MEASURED = (
    "Not measured. `coordinator contributions` evaluates the run with every subset of the feature parties; the model"
    " must have learned to do without them."
)


def brought_section(stored: StoredRun) -> Section:
    """What the model is worth with and without each party.

    Args:
        stored: the run.
    """
    title = "What each party brings"
    if stored.run.masked_parties:
        return Section("brought", title, (element("p", MASKED),))
    found = _complete(stored)
    if found is None:
        return Section("brought", title, (element("p", prose(NOT_MEASURED)),))
    dataset, by_left_out = found
    text = (
        f"The same model on dataset {dataset}, with every subset of the feature parties. The label party always takes"
        " part; for those left out it uses what it learned in training."
    )
    columns = [(_present(stored, left_out), one) for left_out, one in by_left_out.items()]
    compared = metrics_side_by_side("Figures with every subset, as released", columns)
    return Section("brought", title, (element("p", text), *_gain(stored, by_left_out), compared))


def _complete(stored: StoredRun) -> tuple[str, Mapping[Left, StoredEvaluation]] | None:
    """The dataset that was last evaluated with every subset, and the latest evaluation of each of them."""
    if len(stored.run.feature_parties) > MAXIMUM_FEATURE_PARTIES:
        return None
    wanted = left_out_sets(stored.run)
    told = [one for one in stored.evaluations if not one.shuffled]
    for dataset in dict.fromkeys(one.dataset for one in reversed(told)):
        latest = {one.without: one for one in told if one.dataset == dataset}
        if all(left_out in latest for left_out in wanted):
            return dataset, {left_out: latest[left_out] for left_out in wanted}
    return None


def _gain(stored: StoredRun, by_left_out: Mapping[Left, StoredEvaluation]) -> list[Markup]:
    """How far the area under the curve is above a guess with each subset; nothing where none is released."""
    names = by_left_out[()].metrics
    name = next((one for one in names if metric_key(one) == "auc"), None)
    values = [] if name is None else [one.metrics.get(name) for one in by_left_out.values()]
    known = [value for value in values if value is not None and value >= GUESS]
    if name is None or len(known) < len(values):
        return []
    bars = [
        Bar(_present(stored, left_out), value - GUESS, optional_text(value))
        for left_out, value in zip(by_left_out, known, strict=True)
    ]
    title = f"{printable(name)} with each subset; bars begin at {GUESS:g}, a guess"
    return [bar_plot("gain", title, bars, head=("parties", printable(name)))]


def _present(stored: StoredRun, left_out: Sequence[str]) -> str:
    return ", ".join(name for name in stored.run.parties if name not in left_out)
