"""Evaluations side by side."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator.report.released_figures import optional_text
from coordinator.stored_evaluations import StoredEvaluation
from party.output.quantities import bytes_text, count_text
from party.page.markup import Markup
from party.page.metric_figures import MOST_METRICS
from party.page.tables import table
from party.security.printable import printable

NO_FIGURE = "–"


def metrics_side_by_side(caption: str, columns: Sequence[tuple[str, StoredEvaluation]]) -> Markup:
    """A table with a row for each metric and a column for each evaluation.

    Args:
        caption: what the table shows.
        columns: title and evaluation.
    """
    told = [one for _, one in columns]
    body = [
        (
            printable(name),
            *(_figure(name, one) for one in told),
        )
        for name in list(dict.fromkeys(name for one in told for name in (*one.metrics, *one.withheld)))[:MOST_METRICS]
    ]
    body.append(("rows", *(count_text(one.rows) for one in told)))
    if any(one.negatives_per_positive for one in told):
        body.append(
            ("sampled negatives for each positive row", *(count_text(one.negatives_per_positive) for one in told))
        )
    body.append(("messages", *(bytes_text(one.message_bytes) for one in told)))
    head = ("metric", *(title for title, _ in columns))
    return table(caption, head, body, numbers=range(1, len(head)))


def _figure(name: str, evaluation: StoredEvaluation) -> str:
    if name in evaluation.withheld:
        return "withheld"
    return optional_text(evaluation.metrics[name]) if name in evaluation.metrics else NO_FIGURE
