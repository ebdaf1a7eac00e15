"""Contributions of parties, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordinator.contributions import Contribution, Contributions, left_out_sets
from coordinator.figures import WITHHELD, figure_text, withheld_text
from party.configuration.run import RunConfiguration
from party.metrics.sampled_negatives import negatives_words
from party.output.quantities import count_text
from party.output.tables import TextTable, numbered, worded
from party.security.printable import printable

SHOWN_DIGITS = 6  # significant digits of exact metrics; rounded ones have fewer
NOTHING = "-"


def announcement(run: RunConfiguration, dataset: str) -> str:
    """Returns a line that says how many evaluations every party will count.

    Args:
        run: configuration of the run.
        dataset: name of the dataset.
    """
    count = len(left_out_sets(run))
    return (
        f"{count} evaluations of dataset {dataset}, which use {count} of policy.maximum_evaluations at"
        f" {run.label_party} and {count // 2} at each feature party"
    )


def contributions_lines(found: Contributions, columns: int | None = None) -> Iterator[str]:
    """Makes the lines that `coordinator contributions` prints: a table, and what is missing from it.

    Args:
        found: the evaluations so far.
        columns: of the terminal; None for a pipe.
    """
    yield from contribution_lines(found.evaluations, columns)
    withheld: dict[str, list[str]] = {}
    for one in found.evaluations:
        for name, reason in one.withheld.items():
            withheld.setdefault(reason, []).append(name)
    yield from (withheld_text(dict.fromkeys(names), reason) for reason, names in withheld.items())
    negatives = max((one.negatives_per_positive for one in found.evaluations), default=0)
    if negatives:
        yield f"metrics{negatives_words(negatives)}"


def contribution_lines(contributions: Sequence[Contribution], columns: int | None = None) -> list[str]:
    """Formats a table: parties, metrics, rows and bytes per sample.

    Args:
        contributions: in the order of the lines.
        columns: of the terminal; None for a pipe.
    """
    names = list(dict.fromkeys(name for one in contributions for name in (*one.metrics, *one.withheld)))
    table = TextTable(
        columns=(*worded("parties"), *numbered(*map(printable, names), "rows", "bytes/sample")),
        rows=tuple(
            (
                ", ".join(one.parties),
                *(_figure(one, name) for name in names),
                count_text(one.rows),
                f"{one.bytes_per_sample:,.1f}",
            )
            for one in contributions
        ),
    )
    return list(table.lines(columns))


def _figure(one: Contribution, name: str) -> str:
    if name in one.metrics:
        return figure_text(one.metrics[name], SHOWN_DIGITS)
    return WITHHELD if name in one.withheld else NOTHING
